/*
 * verve-fcgi: the FastCGI responder, one process of a pool. It inherits its
 * listening socket: as fd 0 from lighttpd and spawn-fcgi, as fd 3 by socket
 * activation (systemd).
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/decimal.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/util.h"
#include "config/cli.h"
#include "pool_stats.h"
#include "responder.h"
#include "store/store.h"

enum {
    FIRST_PASSED_FD = 3, /* SD_LISTEN_FDS_START */
    /* A turn of the event loop may wait for Redis: for twice redis.timeout_ms
       if Redis hangs, longer if it is slow several times. */
    TURN_TIMEOUTS = 4,
};

/*
 * How many sockets were passed by socket activation (sd_listen_fds(3)), which
 * means this process if LISTEN_PID is its pid.
 */
static int64_t
count_passed(void)
{
    return decimal_getenv("LISTEN_PID", -1) == getpid()
               ? decimal_getenv("LISTEN_FDS", 0)
               : 0;
}

/*
 * Each kept connection takes a descriptor: as many as may be had. A process
 * that cannot have more goes on with what it has.
 */
static void
raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool
is_listening(int fd)
{
    int listening = 0;
    socklen_t len = sizeof(listening);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 &&
           listening;
}

/* Returns the listening socket; -1 if there is not exactly one. */
static int
find_listener(void)
{
    int64_t passed = count_passed();
    int fd = passed > 0 ? FIRST_PASSED_FD : STDIN_FILENO;

    if (passed > 1) {
        log_error("%" PRId64 " sockets were passed (LISTEN_FDS): this program "
                  "serves one",
                  passed);
        return -1;
    }
    if (!is_listening(fd)) {
        log_error("fd %d is no listening socket: start this program through "
                  "lighttpd, spawn-fcgi or systemd",
                  fd);
        return -1;
    }
    return fd;
}

/*
 * INT: a web server with workers sends it to its whole process group, but it is
 * meant for the web server. HUP: there is no file to reopen. PIPE: a closed
 * connection must not end the program.
 */
static void
ignore_signals(void)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

static int
run(const struct options *options, struct responder *responder)
{
    struct notify notify;
    int code = EXIT_OK;

    if (notify_init(&notify, TURN_TIMEOUTS * options->redis.timeout_ms) != 0) {
        log_warn("cannot reach the service manager: %s", strerror(errno));
    }
    log_info("ready");
    if (responder_run(responder, &notify) != 0) {
        log_error("cannot go on: %s", strerror(errno));
        code = EXIT_SYSTEM;
    }
    notify_fini(&notify);
    return code;
}

/* Metrics are never a reason not to serve. */
static struct pool_stats *
open_stats(const struct options *options)
{
    char why[STATS_WHY_SIZE] = "";
    struct pool_stats *stats = pool_stats_open(options, why);

    if (why[0] != '\0') {
        log_warn("/metrics has the numbers of single responders, as stats.path "
                 "cannot be used: %s",
                 why);
    }
    return stats;
}

static int
serve(const struct options *options, int listen_fd, struct store *store)
{
    struct pool_stats *stats = open_stats(options);
    struct responder *responder = NULL;
    int code = EXIT_SYSTEM;

    if (stats != NULL) {
        responder = responder_open(options, listen_fd, store, stats);
    }
    /*
     * While the responder waits for its turn on the processor, more requests
     * arrive and share the round trip to Redis. On a busy machine batches are
     * twice as large; on an idle machine there is no cost.
     */
    use_batch_scheduling();
    if (responder == NULL) {
        log_error("cannot start: %s", strerror(errno));
    } else {
        code = run(options, responder);
    }
    responder_close(responder);
    pool_stats_close(stats);
    return code;
}

static int
connect_and_serve(const struct options *options, int listen_fd)
{
    const struct store_settings settings = {.options = options,
                                            .program = "verve-fcgi"};
    struct store *store = store_open(&settings);
    int code;

    if (store == NULL) {
        log_error("cannot start: %s", strerror(errno));
        return EXIT_SYSTEM;
    }
    if (store_wait(store) == REDIS_STATE_UNUSABLE) {
        log_error("cannot start with this Redis: %s", store_error(store));
        code = EXIT_USAGE;
    } else {
        code = serve(options, listen_fd, store);
    }
    store_close(store);
    return code;
}

/* An option_file_use. The other logs and secrets are the reporter's. */
static bool
uses_file(const struct options *options, const char *key)
{
    (void)options;
    return starts_with(key, "redis.") || starts_with(key, "log.");
}

int
main(int argc, char **argv)
{
    static const struct cli_program program = {
        .name = "verve-fcgi",
        .summary = "counts unique ids for FastCGI web servers",
        .uses = uses_file,
    };
    struct options options = {0};
    int code;

    ignore_signals();
    code = cli_start(argc, argv, &program, &options);
    if (code < 0) {
        int listen_fd = find_listener();

        raise_descriptor_limit();
        code =
            listen_fd < 0 ? EXIT_USAGE : connect_and_serve(&options, listen_fd);
    }
    options_fini(&options);
    return code;
}
