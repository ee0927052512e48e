/*
 * sink_syslog: syslog(3) tells nobody whether it worked, and waits for a
 * daemon that is stuck. So its socket is tried out first: where nobody listens
 * or the queue is full, nothing is said and the window is offered again. What
 * a daemon has taken and then lost is out of our hands.
 */
#define _GNU_SOURCE /* asprintf */
#include "sink_syslog.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "wording.h"

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
 * Daemons have one of two kinds of sockets, as syslog(3) itself knows. That
 * waits for ever for one of streams that is not read: so it gets a connection
 * that is new, and empty, and two of ours have found room in the backlog.
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
    for (int i = 0; i < 2; i++) {
        if (!takes(SOCK_STREAM)) {
            return false;
        }
    }
    return true;
}

static void
syslog_offer(struct sink *sink, const struct window_record *records,
             size_t count)
{
    char text[WORDING_SIZE];

    for (size_t i = 0; i < count; i++) {
        if (!is_there()) {
            snprintf(sink->error, sizeof(sink->error), "%s: %s", _PATH_LOG,
                     errno == EAGAIN ? "its queue is full" : strerror(errno));
            sink->events.failed(sink->events.context, SINK_WAIT_MS);
            return;
        }
        wording_syslog(text, &records[i]);
        syslog(LOG_DAEMON | (records[i].gap ? LOG_WARNING : LOG_INFO), "%s",
               text);
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
syslog_open(const struct options *options, struct loop *loop,
            const struct sink_events *events)
{
    struct sink *sink = calloc(1, sizeof(*sink));
    char host[HOST_NAME_MAX + 1] = "";

    (void)options;
    (void)loop;
    if (sink == NULL) {
        return NULL;
    }
    gethostname(host, sizeof(host) - 1);
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
