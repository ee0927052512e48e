/*
 * sink_syslog: each record is one message to the syslog daemon, in the bytes
 * of glibc's syslog(3). That function itself is not used, because it reports no
 * error and waits for a daemon that is stuck.
 *
 * Nothing here blocks: if no daemon listens or its queue is full, the record
 * fails and is offered again. A message that the daemon took and then lost is
 * not noticed.
 */
#define _GNU_SOURCE /* asprintf */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "record_format.h"
#include "sinks.h"
enum {
    HEAD_SIZE = 64, /* "<28>Jan  2 03:04:05 verve-reporter[4194304]: " */
    MESSAGE_SIZE = HEAD_SIZE + RECORD_FORMAT_SIZE,
};

struct syslog_sink {
    struct sink sink; /* first: a struct sink is cast to this */
    char pid[24];     /* "[<pid>]" if the tag has the process id, else "" */
};

/*
 * Writes the message, which ends with a NUL. The head is that of RFC 3164, 4.1,
 * in local time and without a host name, as is usual on /dev/log. Returns the
 * length.
 */
static size_t
format_message(const struct syslog_sink *sink,
               const struct window_record *record, char message[MESSAGE_SIZE])
{
    int priority = LOG_DAEMON | (record->gap ? LOG_WARNING : LOG_INFO);
    char text[RECORD_FORMAT_SIZE], now[sizeof("Jan  2 03:04:05")] = "";
    time_t now_s = time(NULL);
    struct tm parts;

    record_format_syslog(text, record);
    if (localtime_r(&now_s, &parts) != NULL) {
        strftime(now, sizeof(now), "%b %e %H:%M:%S", &parts);
    }
    return (size_t)snprintf(message, MESSAGE_SIZE,
                            "<%d>%s verve-reporter%s: %s", priority, now,
                            sink->pid, text);
}

/*
 * Sends bytes[0..len) to the daemon through a new socket of that type. A stream
 * needs a new connection for each message: only the backlog of the daemon's
 * socket shows that nobody reads, while an open connection takes messages until
 * its buffer is full. A new one has room for a whole message. 0, or -1 (errno).
 */
static int
send_bytes(int type, const char *bytes, size_t len)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = _PATH_LOG};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ssize_t sent = -1;
    int reason;

    if (fd < 0) {
        return -1;
    }
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        sent = send(fd, bytes, len, MSG_NOSIGNAL);
    }
    reason = errno;
    close(fd);
    errno = reason;
    return sent == (ssize_t)len ? 0 : -1;
}

/* A daemon has a datagram socket or, rarely, a stream socket; in a stream each
   message ends with its NUL. */
static int
send_message(const char *message, size_t len)
{
    if (send_bytes(SOCK_DGRAM, message, len) == 0) {
        return 0;
    }
    return errno == EPROTOTYPE ? send_bytes(SOCK_STREAM, message, len + 1) : -1;
}

static void
syslog_offer(struct sink *sink, const struct window_record *records,
             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char message[MESSAGE_SIZE];
        size_t len =
            format_message((struct syslog_sink *)sink, &records[i], message);

        if (send_message(message, len) < 0) {
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
    struct syslog_sink *sink = calloc(1, sizeof(*sink));
    char host[HOST_NAME_SIZE];

    (void)loop;
    if (sink == NULL) {
        return NULL;
    }
    sink->sink.type = &sink_syslog;
    sink->sink.events = *events;
    sink->sink.from_newest = options->syslog.from == FROM_NEWEST;
    if (asprintf(&sink->sink.name, "syslog:%s", sinks_place(options, host)) <
        0) {
        free(sink);
        return NULL;
    }
    if (strcmp(options->log.target, LOG_TARGET_SYSLOG) ==
        0) { /* as the program's own log */
        snprintf(sink->pid, sizeof(sink->pid), "[%d]", (int)getpid());
    }
    return &sink->sink;
}

const struct sink_type sink_syslog = {
    .kind = SINK_SYSLOG,
    .most = 1, /* so that the cursor follows each message */
    .open = syslog_open,
    .close = syslog_close,
    .offer = syslog_offer,
};
