/*
 * curl_loop: libcurl tells which sockets it wants to have watched and when it
 * wants to be called; both are done by the event loop. curl_multi_poll instead
 * would look at all sockets at each turn, so that a thousand receivers that
 * hang would slow down all others.
 *
 * At the end of each transfer libcurl 7.88 walks through all connections that
 * the multi handle keeps (close_connect_only in multi.c). With thousands of
 * connections that is most of the cost of a transfer. So there are several
 * multi handles, and the host decides which of them a transfer uses.
 */
#include "curl_loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "base/util.h"

enum {
    PARTITIONS_MAX = 16,
    PARTITION_CONNECTIONS = 128, /* more connections: more partitions */
    OTHER_FDS = 64, /* for the rest of the process; each multi handle takes
                       two of them */
};

struct partition {
    struct curl_loop *curl;
    CURLM *multi;
    size_t under_way;              /* transfers */
    struct event_loop_timer timer; /* set by libcurl */
    struct event_loop_timer idle;  /* armed if no transfer is under way */
};

struct curl_loop {
    struct event_loop *loop;
    curl_loop_ended *ended;
    void *context;
    size_t max_connections; /* of all partitions */
    size_t under_way;       /* transfers of all partitions */
    size_t count;           /* of partitions */
    struct partition partitions[PARTITIONS_MAX];
};

/*
 * Divides the connections that may be kept among the partitions. libcurl counts
 * those in use, too (CURLMOPT_MAXCONNECTS): below their number it would keep
 * none. So each partition has those in use and an equal part of the rest. Here
 * and not once, because hosts are not spread evenly.
 */
static void
note_under_way(struct partition *partition, int change)
{
    struct curl_loop *curl = partition->curl;
    size_t idle;

    partition->under_way += (size_t)change;
    curl->under_way += (size_t)change;
    idle = curl->under_way < curl->max_connections
               ? (curl->max_connections - curl->under_way) / curl->count
               : 0;
    /* When a transfer ends, its connection is still counted. 0: no limit. */
    curl_multi_setopt(partition->multi, CURLMOPT_MAXCONNECTS,
                      (long)(partition->under_way + (idle > 1 ? idle - 1 : 1)));
    if (partition->under_way > 0) {
        event_loop_disarm(curl->loop, &partition->idle);
    } else {
        event_loop_arm(curl->loop, &partition->idle,
                       CURL_LOOP_IDLE_MAX_S * 1000);
    }
}

/* Calls ended for each transfer that has ended. ended may start and stop
   transfers. */
static void
report_ended(struct partition *partition)
{
    struct curl_loop *curl = partition->curl;
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(partition->multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;

        /* message is invalid after this. */
        curl_multi_remove_handle(partition->multi, easy);
        note_under_way(partition, -1);
        curl->ended(curl->context, easy, code);
    }
}

/* An error or a hang-up is passed on as readable and writable, so that libcurl
   reads the socket and finds the reason. */
static void
on_events(void *context, int fd, uint32_t events)
{
    struct partition *partition = context;
    uint32_t broken = events & (EPOLLERR | EPOLLHUP);
    int running;
    int bits = 0;

    if ((events & EPOLLIN) != 0 || broken != 0) {
        bits |= CURL_CSELECT_IN;
    }
    if ((events & EPOLLOUT) != 0 || broken != 0) {
        bits |= CURL_CSELECT_OUT;
    }
    curl_multi_socket_action(partition->multi, fd, bits, &running);
    report_ended(partition);
}

static void
on_timer(void *context)
{
    struct partition *partition = context;
    int running;

    curl_multi_socket_action(partition->multi, CURL_SOCKET_TIMEOUT, 0,
                             &running);
    report_ended(partition);
}

/*
 * Always returns 0: after another result libcurl would end all transfers of the
 * multi handle. If a socket can't be watched, its transfer ends by its time
 * limit.
 */
static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *context,
             void *socket_context)
{
    struct partition *partition = context;
    uint32_t events = 0;

    (void)easy;
    (void)socket_context;
    if (what == CURL_POLL_REMOVE) {
        event_loop_forget(partition->curl->loop, fd);
        return 0;
    }
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) {
        events |= EPOLLIN;
    }
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) {
        events |= EPOLLOUT;
    }
    (void)event_loop_watch(partition->curl->loop, fd, events, on_events,
                           partition);
    return 0;
}

/* Must not call libcurl, not even if the delay is 0. */
static int
set_timer(CURLM *multi, long delay_ms, void *context)
{
    struct partition *partition = context;

    (void)multi;
    if (delay_ms < 0) {
        event_loop_disarm(partition->curl->loop, &partition->timer);
    } else {
        event_loop_arm(partition->curl->loop, &partition->timer, delay_ms);
    }
    return 0;
}

/* Makes the multi handle. False: no memory. */
static bool
open_multi(struct partition *partition)
{
    CURLM *multi = curl_multi_init();

    partition->multi = multi;
    return multi != NULL &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket) ==
               CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, partition) ==
               CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer) ==
               CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, partition) ==
               CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) ==
               CURLM_OK;
}

/*
 * Closes all connections of a partition, which are idle for too long. libcurl
 * itself does so only when it looks for a connection to use.
 */
static void
on_idle(void *context)
{
    struct partition *partition = context;
    CURLM *old = partition->multi;

    if (open_multi(partition)) {
        curl_multi_cleanup(old);
        event_loop_disarm(partition->curl->loop, &partition->timer);
    } else {
        curl_multi_cleanup(partition->multi);
        partition->multi = old;
    }
}

static bool
open_partitions(struct curl_loop *curl)
{
    for (size_t i = 0; i < curl->count; i++) {
        struct partition *partition = &curl->partitions[i];

        partition->curl = curl;
        partition->timer.handler = on_timer;
        partition->timer.context = partition;
        partition->idle.handler = on_idle;
        partition->idle.context = partition;
        if (!open_multi(partition)) {
            return false;
        }
    }
    return true;
}

/*
 * The usual soft limit of 1,024 is that low only for programs that use
 * select(2). Of the hard limit, without OTHER_FDS, one half is for transfers
 * and one half for kept connections.
 */
size_t
curl_loop_raise_fd_limit(size_t wanted)
{
    struct rlimit limit;
    rlim_t capacity;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return wanted;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    capacity =
        limit.rlim_cur > OTHER_FDS + 2 ? (limit.rlim_cur - OTHER_FDS) / 2 : 1;
    return capacity < wanted ? (size_t)capacity : wanted;
}

struct curl_loop *
curl_loop_open(struct event_loop *loop, size_t max_transfers,
               curl_loop_ended *ended, void *context)
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
    curl->max_connections = 2 * max_transfers;
    curl->count = size_min(curl->max_connections / PARTITION_CONNECTIONS + 1,
                           PARTITIONS_MAX);
    if (!open_partitions(curl)) {
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
    for (size_t i = 0; i < curl->count; i++) {
        curl_multi_cleanup(curl->partitions[i].multi);
        event_loop_disarm(curl->loop, &curl->partitions[i].timer);
        event_loop_disarm(curl->loop, &curl->partitions[i].idle);
    }
    free(curl);
    curl_global_cleanup();
}

static struct partition *
partition_of(struct curl_loop *curl, const char *host)
{
    return &curl->partitions[fnv1a(0, host) % curl->count];
}

/* libcurl before 7.85 has no CURLOPT_PROTOCOLS_STR, and a later one calls its
   predecessor deprecated. */
static bool
allow_http_only(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") ==
           CURLE_OK;
#else
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                            (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) ==
           CURLE_OK;
#endif
}

/* Otherwise a name server that does not answer stops the loop at the end of the
   transfer: libcurl would wait for its thread. Before 7.87 it always does. */
static bool
leave_lookups(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075700
    return curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
#else
    (void)easy;
    return true;
#endif
}

static bool
set_ages(CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN,
                            (long)CURL_LOOP_IDLE_MAX_S) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN,
                            (long)CURL_LOOP_LIFETIME_MAX_S) == CURLE_OK;
}

int
curl_loop_start(struct curl_loop *curl, CURL *easy, const char *host)
{
    struct partition *partition = partition_of(curl, host);

    if (!allow_http_only(easy) || !leave_lookups(easy) || !set_ages(easy) ||
        curl_multi_add_handle(partition->multi, easy) != CURLM_OK) {
        return -1;
    }
    note_under_way(partition, 1);
    return 0;
}

void
curl_loop_stop(struct curl_loop *curl, CURL *easy, const char *host)
{
    struct partition *partition = partition_of(curl, host);

    curl_multi_remove_handle(partition->multi, easy);
    note_under_way(partition, -1);
}
