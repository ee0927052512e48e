/*
 * redis_greeter: the first words on a connection, and whether the answers are
 * those of a Redis that can be used.
 */
#include "redis_greeter.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

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
    const char *memory[] = {"INFO", "memory"};

    memset(greeter->due, 0, sizeof(greeter->due));
    say_auth(greeter, context);
    if (greeter->url->database != NULL) {
        say(greeter, context, STEP_SELECT, 2, select);
    }
    say(greeter, context, STEP_NAME, 3, name);
    say(greeter, context, STEP_MEMORY, 2, memory);
    say_question(greeter, context);
}

/* True where an eviction policy is set that may drop what was counted. */
static bool
evicts(const redisReply *info, char *policy, size_t size)
{
    static const char field[] = "maxmemory_policy:";
    const char *found =
        info->type == REDIS_REPLY_STRING ? strstr(info->str, field) : NULL;

    if (found == NULL) {
        return false;
    }
    found += strlen(field);
    snprintf(policy, size, "%.*s", (int)strcspn(found, "\r\n"), found);
    return strcmp(policy, "noeviction") != 0;
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
        if ((step == STEP_NAME || step == STEP_MEMORY) &&
            !starts(reply->str, "NOAUTH")) {
            return GREETER_DONE; /* an ACL may forbid them */
        }
        return is_passing(reply->str) ? GREETER_LATER : GREETER_UNUSABLE;
    }
    if (step == STEP_MEMORY && evicts(reply, policy, sizeof(policy))) {
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
