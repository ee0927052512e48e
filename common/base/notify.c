/*
 * notify: one datagram for each message. The address is kept, not a connection,
 * because the manager may make its socket anew.
 */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "decimal.h"
#include "util.h"

enum {
    MESSAGE_SIZE = 512,
    PATIENCE_US = 100000, /* for a manager that reads nothing */
    BEAT_MAX_MS = 60000,
};

/* A path, or a name in the abstract namespace, written with a leading @. */
static int
set_address(struct notify *notify, const char *name)
{
    struct sockaddr_un *address = &notify->address;
    size_t len = strlen(name);

    if (name[0] != '/' && name[0] != '@') {
        errno = EAFNOSUPPORT;
        return -1;
    }
    if (len >= sizeof(address->sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, name, len);
    if (name[0] == '@') {
        address->sun_path[0] = '\0';
    }
    notify->address_size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return 0;
}

static int
open_socket(struct notify *notify, const char *name)
{
    struct timeval patience = {.tv_usec = PATIENCE_US};

    if (set_address(notify, name) != 0) {
        return -1;
    }
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return notify->fd < 0 ? -1
                          : setsockopt(notify->fd, SOL_SOCKET, SO_SNDTIMEO,
                                       &patience, sizeof(patience));
}

/* The watchdog is for this process if WATCHDOG_PID is absent, or its pid. */
static void
set_watchdog(struct notify *notify, int64_t turn_ms)
{
    int64_t limit_ms = decimal_getenv("WATCHDOG_USEC", 0) / 1000;
    bool ours = decimal_getenv("WATCHDOG_PID", getpid()) == getpid();

    if (!ours || limit_ms <= 0) {
        return;
    }
    if (limit_ms < 2 * turn_ms) {
        limit_ms = 2 * turn_ms;
        notify_send(notify, "WATCHDOG_USEC=%" PRId64, limit_ms * 1000);
    }
    notify->beat_ms = int64_clamp(limit_ms / 2, 1, BEAT_MAX_MS);
    notify->due_ms = clock_mono_ms() + notify->beat_ms;
}

int
notify_init(struct notify *notify, int64_t turn_ms)
{
    const char *name = getenv("NOTIFY_SOCKET");

    memset(notify, 0, sizeof(*notify));
    notify->fd = -1;
    if (name == NULL || name[0] == '\0') {
        return 0;
    }
    if (open_socket(notify, name) != 0) {
        notify_fini(notify);
        return -1;
    }
    set_watchdog(notify, turn_ms);
    return 0;
}

void
notify_fini(struct notify *notify)
{
    if (notify->fd >= 0) {
        close(notify->fd);
    }
    notify->fd = -1;
    notify->beat_ms = 0;
}

void
notify_send(const struct notify *notify, const char *format, ...)
{
    int reason = errno;
    char message[MESSAGE_SIZE];
    va_list args;
    int len;

    if (notify->fd < 0) {
        return;
    }
    va_start(args, format);
    len = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (len > 0) {
        (void)sendto(notify->fd, message,
                     size_min((size_t)len, sizeof(message) - 1), MSG_NOSIGNAL,
                     (const struct sockaddr *)&notify->address,
                     notify->address_size);
    }
    errno = reason;
}

/* The manager compares the time with its own, and to the microsecond. */
void
notify_reloading(const struct notify *notify)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    notify_send(notify, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

int64_t
notify_wait_ms(const struct notify *notify)
{
    return notify->beat_ms == 0
               ? -1
               : int64_max(notify->due_ms - clock_mono_ms(), 0);
}

void
notify_beat(struct notify *notify)
{
    if (notify_wait_ms(notify) == 0) {
        notify_send(notify, "WATCHDOG=1");
        notify->due_ms = clock_mono_ms() + notify->beat_ms;
    }
}
