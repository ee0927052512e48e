/*
 * sentinel: what a guide asks sentinels.
 *
 * https://redis.io/docs/latest/develop/reference/sentinel-clients/
 */
#include <hiredis/hiredis.h>
#include <stdio.h>

#include "base/decimal.h"
#include "base/util.h"
#include "guide_dialect.h"

static void
send_words(redisContext *context, const char *question, const char *master)
{
    const char *words[] = {"SENTINEL", question, master};

    redisAppendCommandArgv(context, 3, words, NULL);
}

static void
ask(redisContext *context, const struct guide_question *question)
{
    send_words(context, "GET-MASTER-ADDR-BY-NAME", question->url->master);
}

static void
check(redisContext *context, const struct guide_question *question)
{
    send_words(context, "CKQUORUM", question->url->master);
}

/*
 * What an error of another kind means, such as that the command is not allowed,
 * is not known: then the sentinel is trusted.
 */
static bool
is_cut_off(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR &&
           starts_with(reply->str, "NOQUORUM");
}

static const char *
take(struct guide_answer *answer, const redisReply *reply, int number,
     const struct guide_question *question, const char *asked_host)
{
    const redisReply *host, *port;
    int64_t port_number;

    (void)number;
    (void)question;
    (void)asked_host;
    if (reply->type == REDIS_REPLY_NIL) {
        return "it knows no master of this name";
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        return "it is no sentinel";
    }
    host = reply->element[0];
    port = reply->element[1];
    if (host->type != REDIS_REPLY_STRING || port->type != REDIS_REPLY_STRING ||
        !decimal_parse(port->str, (size_t)port->len, &port_number) ||
        !server_address_set(&answer->master, host->str, (size_t)host->len,
                            port_number)) {
        return "it is no sentinel, or names no address";
    }
    answer->masters = 1;
    return NULL;
}

static void
describe(char *text, size_t size, const struct guide_question *question)
{
    snprintf(text, size, "%s", question->url->master);
}

static const char *
advice(const char *error)
{
    return starts_with(error, "NOAUTH") || starts_with(error, "WRONGPASS") ||
                   starts_with(error, "NOPERM") ||
                   starts_with(error, "ERR AUTH")
               ? "; see redis.sentinel_user and redis.sentinel_password"
               : "";
}

const struct guide_dialect sentinel_dialect = {
    .server = "sentinel",
    .whose = "the master ",
    .interval_ms = 250,
    .spread_ms = 1000, /* they tell each other at once, and all two seconds */
    .ask = ask,
    .replies = 1,
    .take = take,
    .check = check,
    .is_cut_off = is_cut_off,
    .describe = describe,
    .advice = advice,
};
