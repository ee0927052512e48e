/*
 * What a program tells the service manager that has started it: the protocol
 * of sd_notify(3), which systemd and others promise to keep. If the environment
 * has no NOTIFY_SOCKET, nothing is sent.
 *
 * The environment is left as it is: verve executes no other program. A process
 * that is forked must call notify_fini, so that it speaks for nobody.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Owned by the user. */
struct notify {
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un address;
    socklen_t address_size;
    int64_t beat_ms; /* how often WATCHDOG=1 is due; 0: never */
    int64_t due_ms;  /* when it is due, monotonic */
};

/*
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. turn_ms is how long a
 * turn of the program's loop may take: a watchdog that allows less is told to
 * allow it. Returns 0, or -1 (errno) if NOTIFY_SOCKET is no address, or no
 * socket can be had; then nothing is sent. Whether somebody listens is not
 * asked.
 */
int notify_init(struct notify *notify, int64_t turn_ms);
void notify_fini(struct notify *notify);

/*
 * Sends assignments, one a line, such as "READY=1\nSTATUS=it serves". A text
 * that is too long is cut. What cannot be sent within a fraction of a second is
 * dropped. Keeps errno.
 */
void notify_send(const struct notify *notify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says that a reload begins: READY=1 has to follow. */
void notify_reloading(const struct notify *notify);

/* Milliseconds until notify_beat has something to say; -1: never. */
int64_t notify_wait_ms(const struct notify *notify);

/*
 * Says WATCHDOG=1 if that is due. For the event loop itself: a loop that hangs
 * must not reach this call.
 */
void notify_beat(struct notify *notify);

#endif
