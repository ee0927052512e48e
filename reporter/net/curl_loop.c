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
    PARTITIONS = 16,
    OTHER_FDS = 64, /* for the rest of the process; each multi handle takes
                       two of them */
};

struct partition {
    struct curl_loop *curl;
    CURLM *multi;
    struct event_loop_timer timer; /* set by libcurl */
};

struct curl_loop {
    struct event_loop *loop;
    curl_loop_ended *ended;
    void *context;
    struct partition partitions[PARTITIONS];
};

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

static bool
partition_open(struct partition *partition, struct curl_loop *curl,
               long max_connections)
{
    CURLM *multi = curl_multi_init();

    partition->curl = curl;
    partition->multi = multi;
    partition->timer.handler = on_timer;
    partition->timer.context = partition;
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
               CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, max_connections) ==
               CURLM_OK;
}

static bool
open_partitions(struct curl_loop *curl, long max_connections)
{
    for (size_t i = 0; i < PARTITIONS; i++) {
        if (!partition_open(&curl->partitions[i], curl, max_connections)) {
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

/*
 * How many connections a multi handle may keep (CURLMOPT_MAXCONNECTS). libcurl
 * counts those in use too: twice the transfers under way, or it would reuse
 * none; fewer only if the limit of open files is too low for that.
 */
static long
connections_per_partition(size_t max_transfers)
{
    size_t wanted = 2 * max_transfers * PARTITIONS;
    struct rlimit limit;
    size_t left;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        limit.rlim_cur > wanted + max_transfers + OTHER_FDS) {
        return 2 * (long)max_transfers;
    }
    left = (size_t)limit.rlim_cur;
    left =
        left > max_transfers + OTHER_FDS ? left - max_transfers - OTHER_FDS : 0;
    return left > PARTITIONS ? (long)(left / PARTITIONS) : 1;
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
    if (!open_partitions(curl, connections_per_partition(max_transfers))) {
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
    for (size_t i = 0; i < PARTITIONS; i++) {
        curl_multi_cleanup(curl->partitions[i].multi);
        event_loop_disarm(curl->loop, &curl->partitions[i].timer);
    }
    free(curl);
    curl_global_cleanup();
}

static struct partition *
partition_of(struct curl_loop *curl, const char *host)
{
    return &curl->partitions[fnv1a(0, host) % PARTITIONS];
}

int
curl_loop_start(struct curl_loop *curl, CURL *easy, const char *host)
{
    CURLM *multi = partition_of(curl, host)->multi;

    return curl_multi_add_handle(multi, easy) == CURLM_OK ? 0 : -1;
}

void
curl_loop_stop(struct curl_loop *curl, CURL *easy, const char *host)
{
    curl_multi_remove_handle(partition_of(curl, host)->multi, easy);
}
