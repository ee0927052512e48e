/*
 * verve-fcgi: the FastCGI responder, one process of a pool. Its listening
 * socket is fd 0: lighttpd, spawn-fcgi or systemd opens it.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "config/cli.h"
#include "responder.h"
#include "store/counter.h"
#include "store/schema.h"

static bool
is_listening(int fd)
{
    int listening = 0;
    socklen_t len = sizeof(listening);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 &&
           listening;
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
serve(const struct options *options, struct redis *redis)
{
    struct counter *counter = counter_open(options, redis);
    struct responder *responder = NULL;
    int code = EXIT_SYSTEM;

    if (counter != NULL) {
        responder = responder_open(options, STDIN_FILENO, redis, counter);
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
        log_info("ready");
        if (responder_run(responder) == 0) {
            code = EXIT_OK;
        } else {
            log_error("cannot go on: %s", strerror(errno));
        }
    }
    responder_close(responder);
    counter_close(counter);
    return code;
}

static int
connect_and_serve(const struct options *options)
{
    struct schema *schema = schema_open(options, "verve-fcgi");
    struct redis *redis;
    int code;

    if (schema == NULL) {
        log_error("cannot start: %s", strerror(errno));
        return EXIT_SYSTEM;
    }
    redis = schema_redis(schema);
    if (redis_wait(redis) == REDIS_STATE_UNUSABLE) {
        log_error("cannot start with this Redis: %s", redis_error(redis));
        code = EXIT_USAGE;
    } else {
        code = serve(options, redis);
    }
    schema_close(schema);
    return code;
}

int
main(int argc, char **argv)
{
    static const struct cli_program program = {
        .name = "verve-fcgi",
        .summary = "counts unique ids for FastCGI web servers",
    };
    struct options options = {0};
    int code;

    ignore_signals();
    code = cli_start(argc, argv, &program, &options);
    if (code < 0 && !is_listening(STDIN_FILENO)) {
        log_error("fd 0 is no listening socket: start this program through "
                  "lighttpd, spawn-fcgi or systemd");
        code = EXIT_USAGE;
    }
    if (code < 0) {
        code = connect_and_serve(&options);
    }
    options_fini(&options);
    return code;
}
