/*
 * naive: the simplest way to write the service, for comparison: a blocking
 * libfcgi loop with a SET NX EX for each request, and an INCR if the id is new.
 * It answers `ok` and `failed` as verve-fcgi does, but it has no callbacks and
 * no time limits, and it chooses the window by its own clock.
 *
 * VERVE_REDIS_URL is the address of Redis (unix:///path only).
 */
#include <fcgiapp.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/decimal.h"
#include "base/util.h"
#include "config/cli.h"

enum { WINDOW_S = 60, SEEN_TTL_S = 120 };

static bool
read_id(const char *query, int64_t *id)
{
    return query != NULL && starts_with(query, "id=") &&
           decimal_parse(query + 3, strcspn(query + 3, "&"), id);
}

/* Runs a whole command. True if Redis's reply is not nil. */
static bool
said_yes(redisContext *redis, const char *command)
{
    redisReply *reply = redisCommand(redis, command);
    bool yes = reply != NULL && (reply->type == REDIS_REPLY_STATUS ||
                                 reply->type == REDIS_REPLY_INTEGER);

    freeReplyObject(reply);
    return yes;
}

static bool
count(redisContext *redis, int64_t id)
{
    long long window = (long long)(time(NULL) / WINDOW_S * WINDOW_S);
    char command[128];

    snprintf(command, sizeof(command),
             "SET naive:seen:%lld:%" PRId64 " 1 NX EX %d", window, id,
             SEEN_TTL_S);
    if (said_yes(redis, command)) {
        snprintf(command, sizeof(command), "INCR naive:count:%lld", window);
        said_yes(redis, command);
    }
    return redis->err == 0;
}

static void
answer(FCGX_Request *request, int status)
{
    const char *body = status == 200 ? "ok" : "failed";

    FCGX_FPrintF(request->out,
                 "Status: %d\r\nContent-Type: text/plain\r\n"
                 "Content-Length: %d\r\n\r\n%s",
                 status, (int)strlen(body), body);
    FCGX_Finish_r(request);
}

static void
serve(redisContext *redis)
{
    FCGX_Request request;
    int64_t id;

    FCGX_InitRequest(&request, 0, 0);
    while (FCGX_Accept_r(&request) == 0) {
        if (!read_id(FCGX_GetParam("QUERY_STRING", request.envp), &id)) {
            answer(&request, 400);
        } else {
            answer(&request, count(redis, id) ? 200 : 503);
        }
    }
}

int
main(void)
{
    const char *url = getenv("VERVE_REDIS_URL");
    redisContext *redis;

    if (url == NULL || !starts_with(url, "unix://")) {
        fputs("naive: VERVE_REDIS_URL is no unix:// URL\n", stderr);
        return EXIT_USAGE;
    }
    redis = redisConnectUnix(url + 7);
    if (redis == NULL || redis->err != 0 || FCGX_Init() != 0) {
        fprintf(stderr, "naive: %s: cannot connect\n", url);
        redisFree(redis);
        return EXIT_SYSTEM;
    }
    serve(redis);
    redisFree(redis);
    return EXIT_OK;
}
