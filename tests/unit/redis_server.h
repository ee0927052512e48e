/*
 * A real, private Redis or Valkey for one test program: on a unix socket in a
 * temporary directory of its own, nothing on disk but that. Header only, as
 * each file here is one program.
 */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "redis/redis.h"

struct redis_server {
    char dir[32];        /* temporary, removed at the end */
    char path[64];       /* of its socket */
    char url[80];        /* as redis.url */
    pid_t pid;           /* 0: not running */
    const char *args[8]; /* more arguments, up to NULL */
};

/* Another server than the one that is installed is in REDIS_SERVER. */
static inline void
redis_server_exec(const struct redis_server *server)
{
    const char *wanted = getenv("REDIS_SERVER");
    const char *argv[24] = {"redis-server", "--port",     "0",
                            "--unixsocket", server->path, "--dir",
                            server->dir,    "--save",     ""};
    size_t argc = 9;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (freopen("/dev/null", "w", stdout) == NULL) {
        _exit(127);
    }
    for (size_t i = 0; server->args[i] != NULL; i++) {
        argv[argc++] = server->args[i];
    }
    if (wanted != NULL) {
        execvp(wanted, (char *const *)argv);
        _exit(127);
    }
    execvp("redis-server", (char *const *)argv);
    execvp("valkey-server", (char *const *)argv);
    _exit(127);
}

/* Starts it, in its directory if it has one, else in a new one. 0, or -1. */
static inline int
redis_server_start(struct redis_server *server)
{
    if (server->dir[0] == '\0') {
        strcpy(server->dir, "/tmp/verve-unit-XXXXXX");
        if (mkdtemp(server->dir) == NULL) {
            return -1;
        }
    }
    snprintf(server->path, sizeof(server->path), "%s/sock", server->dir);
    snprintf(server->url, sizeof(server->url), "unix://%s", server->path);
    server->pid = fork();
    if (server->pid == 0) {
        redis_server_exec(server);
    }
    return server->pid > 0 ? 0 : -1;
}

/* Kills it, as a crash would; its data is lost. */
static inline void
redis_server_kill(struct redis_server *server)
{
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
        server->pid = 0;
    }
}

/* Runs a command that no script may run, by the client that is installed. */
static inline int
redis_server_administer(const struct redis_server *server, const char *words)
{
    char command[512];

    snprintf(command, sizeof(command),
             "\"$(command -v redis-cli || command -v valkey-cli)\" -e -s %s %s "
             ">/dev/null",
             server->path, words);
    return system(command);
}

static inline void
redis_server_stop(struct redis_server *server)
{
    redis_server_kill(server);
    unlink(server->path);
    rmdir(server->dir);
    memset(server, 0, sizeof(*server));
}

/* A script that runs its arguments as a command. */
static const struct redis_script redis_server_command = {
    .name = "command",
    .sha1 = "3c44b7a40779a5c68a6e3920550ff76660a813aa",
    .body = "return redis.call(unpack(ARGV))",
};

/*
 * Runs a command given as words up to NULL; "" for a reply that is no text or
 * number. The text is valid until the next.
 */
static inline const char *
redis_do(struct redis *redis, ...)
{
    static char text[8192];
    struct command *call = redis_call(redis, &redis_server_command);
    const struct redis_reply *reply;
    const char *word, *bytes;
    int64_t number;
    size_t len;
    va_list words;

    va_start(words, redis);
    while ((word = va_arg(words, const char *)) != NULL) {
        redis_arg(call, word, strlen(word));
    }
    va_end(words);
    text[0] = '\0';
    if (redis_run(redis, &reply) != REDIS_DONE) {
        snprintf(text, sizeof(text), "failed: %s", redis_error(redis));
    } else if ((bytes = redis_reply_text(reply, &len)) != NULL) {
        snprintf(text, sizeof(text), "%.*s", (int)len, bytes);
    } else if (redis_reply_int(reply, &number)) {
        snprintf(text, sizeof(text), "%lld", (long long)number);
    }
    return text;
}

static inline void
redis_server_ping(void *context, struct command *call)
{
    (void)context;
    redis_arg(call, "PING", strlen("PING"));
}

/*
 * Calls redis_step until the state is the wanted one. False if it is not within
 * ten seconds.
 */
static inline bool
redis_server_await(struct redis *redis, enum redis_state wanted)
{
    struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};

    for (int i = 0; i < 2000; i++) {
        redis_step(redis);
        if (redis_state(redis) == wanted) {
            return true;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

/*
 * A connection to it that is up; NULL if it is not up within ten seconds. Its
 * check is a PING: it does not compare the schema.
 */
static inline struct redis *
redis_server_connect(const struct redis_server *server)
{
    struct redis_options options = {
        .url = server->url,
        .client_name = "unit",
        .timeout_ms = 2000,
        .check = {.script = &redis_server_command,
                  .add_args = redis_server_ping},
    };
    struct redis *redis = redis_open(&options);

    if (redis != NULL && redis_server_await(redis, REDIS_STATE_UP)) {
        return redis;
    }
    redis_close(redis);
    return NULL;
}

#endif
