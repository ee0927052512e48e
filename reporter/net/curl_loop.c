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
#include "curl_loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "base/util.h"

enum {
    SHARES = 16,
    OTHER_FDS = 64, /* that other modules, and libraries, may need: two of
                       them are in each multi handle */
};

struct share {
    struct curl_loop *curl;
    CURLM *multi;
    struct event_loop_timer timer; /* when libcurl wants to be called */
};

struct curl_loop {
    struct event_loop *loop;
    curl_loop_ended *ended;
    void *context;
    struct share shares[SHARES];
};

/* Hands back what has ended. A handler may start and stop transfers. */
static void
reap(struct share *share)
{
    struct curl_loop *curl = share->curl;
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(share->multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;

        /* message is gone after this. */
        curl_multi_remove_handle(share->multi, easy);
        curl->ended(curl->context, easy, code);
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
        event_loop_forget(share->curl->loop, fd);
        return 0;
    }
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) {
        events |= EPOLLIN;
    }
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) {
        events |= EPOLLOUT;
    }
    (void)event_loop_watch(share->curl->loop, fd, events, on_events, share);
    return 0;
}

/* Must not call back into libcurl, not even for a delay of 0. */
static int
want_timer(CURLM *multi, long delay_ms, void *context)
{
    struct share *share = context;

    (void)multi;
    if (delay_ms < 0) {
        event_loop_disarm(share->curl->loop, &share->timer);
    } else {
        event_loop_arm(share->curl->loop, &share->timer, delay_ms);
    }
    return 0;
}

static bool
share_open(struct share *share, struct curl_loop *curl, long most)
{
    CURLM *multi = curl_multi_init();

    share->curl = curl;
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
open_shares(struct curl_loop *curl, long most)
{
    for (size_t i = 0; i < SHARES; i++) {
        if (!share_open(&curl->shares[i], curl, most)) {
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
curl_loop_capacity(size_t wanted)
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
kept_sockets_most(size_t most)
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

struct curl_loop *
curl_loop_open(struct event_loop *loop, size_t most, curl_loop_ended *ended,
               void *context)
{
    struct curl_loop *curl;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return NULL;
    }
    curl = calloc(1, sizeof(*curl));
    if (curl == NULL) {
        curl_global_cleanup();
        return NULL;
    }
    curl->loop = loop;
    curl->ended = ended;
    curl->context = context;
    if (!open_shares(curl, kept_sockets_most(most))) {
        curl_loop_close(curl);
        return NULL;
    }
    return curl;
}

void
curl_loop_close(struct curl_loop *curl)
{
    if (curl == NULL) {
        return;
    }
    for (size_t i = 0; i < SHARES; i++) {
        curl_multi_cleanup(curl->shares[i].multi);
        event_loop_disarm(curl->loop, &curl->shares[i].timer);
    }
    free(curl);
    curl_global_cleanup();
}

static struct share *
share_of(struct curl_loop *curl, const char *host)
{
    return &curl->shares[fnv1a(0, host) % SHARES];
}

int
curl_loop_start(struct curl_loop *curl, CURL *easy, const char *host)
{
    CURLM *multi = share_of(curl, host)->multi;

    return curl_multi_add_handle(multi, easy) == CURLM_OK ? 0 : -1;
}

void
curl_loop_stop(struct curl_loop *curl, CURL *easy, const char *host)
{
    curl_multi_remove_handle(share_of(curl, host)->multi, easy);
}
