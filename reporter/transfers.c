/*
 * transfers: libcurl says which sockets it wants watched and when it wants to
 * be called; the loop does both. curl_multi_poll would look at every socket at
 * each turn, so that a thousand hung receivers slow all others down.
 *
 * At the end of each transfer libcurl 7.88 looks at every connection that it
 * keeps (close_connect_only in multi.c): with thousands of them, that is most
 * of what a transfer costs. So connections are shared out over several multi
 * handles, by whom they lead to.
 */
#include "transfers.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>

enum {
    SHARES = 16,
    OTHER_FDS = 64, /* that other modules, and libraries, may need: two of
                       them are in each multi handle */
};

struct share {
    struct transfers *transfers;
    CURLM *multi;
    struct loop_timer timer; /* when libcurl wants to be called */
};

struct transfers {
    struct loop *loop;
    transfers_ended *ended;
    void *context;
    struct share shares[SHARES];
};

/* Hands back what has ended. A handler may start and stop transfers. */
static void
reap(struct share *share)
{
    struct transfers *transfers = share->transfers;
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(share->multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;

        /* message is gone after this. */
        curl_multi_remove_handle(share->multi, easy);
        transfers->ended(transfers->context, easy, code);
    }
}

/* A failed or closed socket is said as both: libcurl then finds out why. */
static void
on_events(void *context, int fd, uint32_t events)
{
    struct share *share = context;
    uint32_t broken = events & (EPOLLERR | EPOLLHUP);
    int running;
    int bits = 0;

    if ((events & EPOLLIN) != 0 || broken != 0) {
        bits |= CURL_CSELECT_IN;
    }
    if ((events & EPOLLOUT) != 0 || broken != 0) {
        bits |= CURL_CSELECT_OUT;
    }
    curl_multi_socket_action(share->multi, fd, bits, &running);
    reap(share);
}

static void
on_timer(void *context)
{
    struct share *share = context;
    int running;

    curl_multi_socket_action(share->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    reap(share);
}

/*
 * Always 0: for libcurl a failure here is the end of the whole multi handle.
 * A socket that can't be watched costs its transfer, by its time limit.
 */
static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *context,
            void *socket_context)
{
    struct share *share = context;
    uint32_t events = 0;

    (void)easy;
    (void)socket_context;
    if (what == CURL_POLL_REMOVE) {
        loop_forget(share->transfers->loop, fd);
        return 0;
    }
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) {
        events |= EPOLLIN;
    }
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) {
        events |= EPOLLOUT;
    }
    (void)loop_watch(share->transfers->loop, fd, events, on_events, share);
    return 0;
}

/* Must not call back into libcurl, not even for a delay of 0. */
static int
want_timer(CURLM *multi, long delay_ms, void *context)
{
    struct share *share = context;

    (void)multi;
    if (delay_ms < 0) {
        loop_disarm(share->transfers->loop, &share->timer);
    } else {
        loop_arm(share->transfers->loop, &share->timer, delay_ms);
    }
    return 0;
}

static bool
share_open(struct share *share, struct transfers *transfers, long most)
{
    CURLM *multi = curl_multi_init();

    share->transfers = transfers;
    share->multi = multi;
    share->timer.handler = on_timer;
    share->timer.context = share;
    return multi != NULL &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, want_socket) ==
               CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, share) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, want_timer) ==
               CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, share) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) ==
               CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, most) == CURLM_OK;
}

static bool
open_shares(struct transfers *transfers, long most)
{
    for (size_t i = 0; i < SHARES; i++) {
        if (!share_open(&transfers->shares[i], transfers, most)) {
            return false;
        }
    }
    return true;
}

/*
 * Each connection is an fd, and the usual soft limit, 1,024, is kept that low
 * for programs that use select(2) only. Half of what there is, without what
 * else is open, is for transfers, the other half for connections that are kept.
 */
size_t
transfers_most(size_t wanted)
{
    struct rlimit limit;
    rlim_t most;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return wanted;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    most =
        limit.rlim_cur > OTHER_FDS + 2 ? (limit.rlim_cur - OTHER_FDS) / 2 : 1;
    return most < wanted ? (size_t)most : wanted;
}

/* What each share may keep, so that all of them stay within the limit. */
static long
kept_most(size_t most)
{
    size_t wanted = 2 * most * SHARES;
    struct rlimit limit;
    size_t left;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        limit.rlim_cur > wanted + most + OTHER_FDS) {
        return 2 * (long)most;
    }
    left = (size_t)limit.rlim_cur;
    left = left > most + OTHER_FDS ? left - most - OTHER_FDS : 0;
    return left > SHARES ? (long)(left / SHARES) : 1;
}

struct transfers *
transfers_open(struct loop *loop, size_t most, transfers_ended *ended,
               void *context)
{
    struct transfers *transfers;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return NULL;
    }
    transfers = calloc(1, sizeof(*transfers));
    if (transfers == NULL) {
        curl_global_cleanup();
        return NULL;
    }
    transfers->loop = loop;
    transfers->ended = ended;
    transfers->context = context;
    if (!open_shares(transfers, kept_most(most))) {
        transfers_close(transfers);
        return NULL;
    }
    return transfers;
}

void
transfers_close(struct transfers *transfers)
{
    if (transfers == NULL) {
        return;
    }
    for (size_t i = 0; i < SHARES; i++) {
        curl_multi_cleanup(transfers->shares[i].multi);
        loop_disarm(transfers->loop, &transfers->shares[i].timer);
    }
    free(transfers);
    curl_global_cleanup();
}

/* FNV-1a (Fowler, Noll, Vo). */
static struct share *
share_of(struct transfers *transfers, const char *host)
{
    uint32_t hash = 2166136261U;

    for (; *host != '\0'; host++) {
        hash = (hash ^ (unsigned char)*host) * 16777619U;
    }
    return &transfers->shares[(hash ^ hash >> 16) % SHARES];
}

int
transfers_start(struct transfers *transfers, CURL *easy, const char *host)
{
    CURLM *multi = share_of(transfers, host)->multi;

    return curl_multi_add_handle(multi, easy) == CURLM_OK ? 0 : -1;
}

void
transfers_stop(struct transfers *transfers, CURL *easy, const char *host)
{
    curl_multi_remove_handle(share_of(transfers, host)->multi, easy);
}
