/*
 * sink_syslog: syslog(3) tells nobody whether it worked, and waits for a
 * daemon that is stuck. So its socket is tried out first: where nobody listens
 * or the queue is full, nothing is said and the window is offered again. As no
 * trial can promise that there is room for the next one, an alarm ends a wait.
 * What a daemon has taken and then lost is out of our hands.
 */
#define _GNU_SOURCE /* asprintf */
#include "sink_syslog.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "record_format.h"

/* How long syslog(3) may take: less than a second, for the loop. */
enum { SAY_MS = 250 };

/* Whether the socket of that type at _PATH_LOG takes a message now (errno). */
static bool
takes(int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = _PATH_LOG};
    struct pollfd ready = {.events = POLLOUT};
    bool result = false;
    int reason;

    ready.fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (ready.fd < 0) {
        return false;
    }
    if (connect(ready.fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        errno = EAGAIN;
        result = poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0;
    }
    reason = errno;
    close(ready.fd);
    errno = reason;
    return result;
}

/*
 * Daemons have one of two kinds of sockets, as syslog(3) itself knows. Of
 * streams it gets a connection that is new, and empty: one that nobody reads
 * would take messages until it is full.
 */
static bool
is_there(void)
{
    if (takes(SOCK_DGRAM)) {
        return true;
    }
    if (errno != EPROTOTYPE) {
        return false;
    }
    closelog();
    return takes(SOCK_STREAM);
}

static void
on_alarm(int number)
{
    (void)number; /* that it comes is enough: what waits ends with EINTR */
}

/* For good, as a late alarm must find it, too. */
static void
take_alarms(void)
{
    struct sigaction action = {.sa_handler = on_alarm}; /* no SA_RESTART */

    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
}

/*
 * False where it took too long, and may be in vain (errno): in a backlog our
 * trial holds a place, also when it is closed, until the daemon takes it, and
 * that may have been the last one. Repeated, as syslog(3) tries twice.
 */
static bool
send_message(const struct window_record *record)
{
    static const struct itimerval none,
        often = {.it_interval.tv_usec = SAY_MS * 1000,
                 .it_value.tv_usec = SAY_MS * 1000};
    int64_t began_ms = clock_mono_ms();
    char text[RECORD_FORMAT_SIZE];

    record_format_syslog(text, record);
    setitimer(ITIMER_REAL, &often, NULL);
    syslog(LOG_DAEMON | (record->gap ? LOG_WARNING : LOG_INFO), "%s", text);
    setitimer(ITIMER_REAL, &none, NULL);
    errno = EAGAIN;
    return clock_mono_ms() - began_ms < SAY_MS;
}

static void
syslog_offer(struct sink *sink, const struct window_record *records,
             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_there() || !send_message(&records[i])) {
            snprintf(sink->error, sizeof(sink->error), "%s: %s", _PATH_LOG,
                     errno == EAGAIN ? "its queue is full" : strerror(errno));
            sink->events.failed(sink->events.context, SINK_WAIT_MS);
            return;
        }
        sink->events.delivered(sink->events.context, records[i].start_s);
    }
}

static void
syslog_close(struct sink *sink)
{
    free(sink->name);
    free(sink);
}

static struct sink *
syslog_open(const struct options *options, struct event_loop *loop,
            const struct sink_events *events)
{
    struct sink *sink = calloc(1, sizeof(*sink));
    char host[HOST_NAME_SIZE];

    (void)options;
    (void)loop;
    if (sink == NULL) {
        return NULL;
    }
    take_alarms();
    host_name(host);
    sink->type = &sink_syslog;
    sink->events = *events;
    if (asprintf(&sink->name, "syslog:%s", host) < 0) {
        free(sink);
        return NULL;
    }
    return sink;
}

const struct sink_type sink_syslog = {
    .kind = SINK_SYSLOG,
    .most = 1, /* so that the cursor follows each message */
    .open = syslog_open,
    .close = syslog_close,
    .offer = syslog_offer,
};
