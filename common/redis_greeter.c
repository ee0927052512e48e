/*
 * redis_greeter: the first words on a connection, and whether the answers are
 * those of a Redis that can be used.
 */
#include "redis_greeter.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

static void
say(struct redis_greeter *greeter, redisContext *context,
    enum redis_greeter_step step, int argc, const char **argv)
{
    greeter->due[step] = true;
    redisAppendCommandArgv(context, argc, argv, NULL);
}

static void
say_auth(struct redis_greeter *greeter, redisContext *context)
{
    const struct redis_url *url = greeter->url;
    const char *named[] = {"AUTH", url->user, url->password};
    const char *unnamed[] = {"AUTH", url->password};

    if (url->user != NULL) {
        say(greeter, context, STEP_AUTH, 3, named);
    } else if (url->password != NULL) {
        say(greeter, context, STEP_AUTH, 2, unnamed);
    }
}

static void
say_question(struct redis_greeter *greeter, redisContext *context)
{
    const struct redis_greeting *greeting = greeter->greeting;
    struct redis_call *call = &greeter->call;

    redis_call_start(call, greeting->script);
    greeting->ask(greeting->context, call);
    greeter->due[STEP_ASK] = true;
    redis_call_append(call, "EVAL", call->script->body, context);
}

void
redis_greeter_say(struct redis_greeter *greeter, redisContext *context)
{
    const char *select[] = {"SELECT", greeter->url->database};
    const char *name[] = {"CLIENT", "SETNAME", greeter->client_name};
    const char *info[] = {"INFO"};

    memset(greeter->due, 0, sizeof(greeter->due));
    greeter->tcp_port = 0;
    say_auth(greeter, context);
    if (greeter->url->database != NULL) {
        say(greeter, context, STEP_SELECT, 2, select);
    }
    say(greeter, context, STEP_NAME, 3, name);
    say(greeter, context, STEP_INFO, 1, info);
    say_question(greeter, context);
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
        number_parse(text, strlen(text), &port);
    }
    return port;
}

static bool
starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Errors that go away by themselves when Redis has loaded or failed over. */
static bool
is_passing(const char *error)
{
    return starts(error, "LOADING") || starts(error, "READONLY") ||
           starts(error, "MASTERDOWN") || starts(error, "BUSY") ||
           starts(error, "OOM") || starts(error, "MISCONF") ||
           starts(error, "CLUSTERDOWN") || starts(error, "NOREPLICAS");
}

/* Judges the reply of one step; the reason is in why. */
static enum redis_greeter_result
judge(struct redis_greeter *greeter, enum redis_greeter_step step,
      const redisReply *reply)
{
    const struct redis_greeting *greeting = greeter->greeting;
    const struct redis_reply *ours = (const struct redis_reply *)reply;
    char policy[40];

    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(greeter->why, sizeof(greeter->why), "%s", reply->str);
        if ((step == STEP_NAME || step == STEP_INFO) &&
            !starts(reply->str, "NOAUTH")) {
            return GREETER_DONE; /* an ACL may forbid them */
        }
        return is_passing(reply->str) ? GREETER_LATER : GREETER_UNUSABLE;
    }
    if (step == STEP_INFO) {
        greeter->tcp_port = read_port(reply);
    }
    if (step == STEP_INFO && evicts(reply, policy, sizeof(policy))) {
        snprintf(greeter->why, sizeof(greeter->why),
                 "its maxmemory-policy is %s, which drops what was counted; "
                 "set maxmemory-policy noeviction",
                 policy);
        return GREETER_UNUSABLE;
    }
    if (step == STEP_ASK &&
        !greeting->judge(greeting->context, ours, greeter->why,
                         sizeof(greeter->why))) {
        return GREETER_UNUSABLE;
    }
    return GREETER_DONE;
}

enum redis_greeter_result
redis_greeter_hear(struct redis_greeter *greeter, redisContext *context)
{
    enum redis_greeter_result result = GREETER_DONE;
    int step;

    for (step = 0; step < STEPS && result == GREETER_DONE; step++) {
        void *reply = NULL;

        if (!greeter->due[step]) {
            continue;
        }
        if (redisGetReplyFromReader(context, &reply) != REDIS_OK) {
            snprintf(greeter->why, sizeof(greeter->why), "%s", context->errstr);
            return GREETER_BROKEN;
        }
        if (reply == NULL) {
            return GREETER_WAITS;
        }
        greeter->due[step] = false;
        result = judge(greeter, (enum redis_greeter_step)step, reply);
        freeReplyObject(reply);
    }
    return result;
}
