/*
 * redis_greeter: the first words on a connection, and whether the answers are
 * those of a Redis that can be used.
 */
#include "handshake.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/util.h"

static void
say(struct handshake *handshake, redisContext *context,
    enum handshake_step step, int argc, const char **argv)
{
    handshake->due[step] = true;
    redisAppendCommandArgv(context, argc, argv, NULL);
}

static void
say_auth(struct handshake *handshake, redisContext *context)
{
    const struct redis_url *url = handshake->url;
    const char *named[] = {"AUTH", url->user, url->password};
    const char *unnamed[] = {"AUTH", url->password};

    if (url->user != NULL) {
        say(handshake, context, HANDSHAKE_AUTH, 3, named);
    } else if (url->password != NULL) {
        say(handshake, context, HANDSHAKE_AUTH, 2, unnamed);
    }
}

static void
say_question(struct handshake *handshake, redisContext *context)
{
    const struct redis_greeting *greeting = handshake->greeting;
    struct command *call = &handshake->call;

    command_start(call, greeting->script);
    greeting->ask(greeting->context, call);
    handshake->due[HANDSHAKE_ASK] = true;
    command_append(call, "EVAL", call->script->body, context);
}

void
handshake_send(struct handshake *handshake, redisContext *context)
{
    const char *select[] = {"SELECT", handshake->url->database};
    const char *name[] = {"CLIENT", "SETNAME", handshake->client_name};
    const char *info[] = {"INFO"};

    memset(handshake->due, 0, sizeof(handshake->due));
    handshake->tcp_port = 0;
    say_auth(handshake, context);
    if (handshake->url->database != NULL) {
        say(handshake, context, HANDSHAKE_SELECT, 2, select);
    }
    say(handshake, context, HANDSHAKE_NAME, 3, name);
    say(handshake, context, HANDSHAKE_INFO, 1, info);
    say_question(handshake, context);
}

/* Copies a field out of INFO's reply; false where it is not there. */
static bool
read_field(const redisReply *info, const char *field, char *value, size_t size)
{
    const char *found =
        info->type == REDIS_REPLY_STRING ? strstr(info->str, field) : NULL;

    if (found == NULL) {
        return false;
    }
    found += strlen(field);
    snprintf(value, size, "%.*s", (int)strcspn(found, "\r\n"), found);
    return true;
}

/* True where an eviction policy is set that may drop what was counted. */
static bool
evicts(const redisReply *info, char *policy, size_t size)
{
    return read_field(info, "\nmaxmemory_policy:", policy, size) &&
           strcmp(policy, "noeviction") != 0;
}

static int64_t
read_port(const redisReply *info)
{
    char text[24];
    int64_t port = 0;

    if (read_field(info, "\ntcp_port:", text, sizeof(text))) {
        decimal_parse(text, strlen(text), &port);
    }
    return port;
}

/* Errors that go away by themselves when Redis has loaded or failed over. */
static bool
is_passing(const char *error)
{
    return starts_with(error, "LOADING") || starts_with(error, "READONLY") ||
           starts_with(error, "MASTERDOWN") || starts_with(error, "BUSY") ||
           starts_with(error, "OOM") || starts_with(error, "MISCONF") ||
           starts_with(error, "CLUSTERDOWN") ||
           starts_with(error, "NOREPLICAS");
}

/* Judges the reply of one step; the reason is in why. */
static enum handshake_result
judge(struct handshake *handshake, enum handshake_step step,
      const redisReply *reply)
{
    const struct redis_greeting *greeting = handshake->greeting;
    const struct redis_reply *ours = (const struct redis_reply *)reply;
    char policy[40];

    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(handshake->why, sizeof(handshake->why), "%s", reply->str);
        if ((step == HANDSHAKE_NAME || step == HANDSHAKE_INFO) &&
            !starts_with(reply->str, "NOAUTH")) {
            return HANDSHAKE_DONE; /* an ACL may forbid them */
        }
        return is_passing(reply->str) ? HANDSHAKE_LATER : HANDSHAKE_UNUSABLE;
    }
    if (step == HANDSHAKE_INFO) {
        handshake->tcp_port = read_port(reply);
    }
    if (step == HANDSHAKE_INFO && evicts(reply, policy, sizeof(policy))) {
        snprintf(handshake->why, sizeof(handshake->why),
                 "its maxmemory-policy is %s, which drops what was counted; "
                 "set maxmemory-policy noeviction",
                 policy);
        return HANDSHAKE_UNUSABLE;
    }
    if (step == HANDSHAKE_ASK &&
        !greeting->judge(greeting->context, ours, handshake->why,
                         sizeof(handshake->why))) {
        return HANDSHAKE_UNUSABLE;
    }
    return HANDSHAKE_DONE;
}

enum handshake_result
handshake_receive(struct handshake *handshake, redisContext *context)
{
    enum handshake_result result = HANDSHAKE_DONE;
    int step;

    for (step = 0; step < HANDSHAKE_STEPS && result == HANDSHAKE_DONE; step++) {
        void *reply = NULL;

        if (!handshake->due[step]) {
            continue;
        }
        if (redisGetReplyFromReader(context, &reply) != REDIS_OK) {
            snprintf(handshake->why, sizeof(handshake->why), "%s",
                     context->errstr);
            return HANDSHAKE_BROKEN;
        }
        if (reply == NULL) {
            return HANDSHAKE_WAITS;
        }
        handshake->due[step] = false;
        result = judge(handshake, (enum handshake_step)step, reply);
        freeReplyObject(reply);
    }
    return result;
}
