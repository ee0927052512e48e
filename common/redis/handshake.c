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
    command_append(call, true, 0, context);
}

void
handshake_send(struct handshake *handshake, redisContext *context)
{
    const char *select[] = {"SELECT", handshake->url->database};
    const char *name[] = {"CLIENT", "SETNAME", handshake->client_name};
    const char *info[] = {"INFO"};
    const char *config[] = {"CONFIG", "GET", "maxmemory-policy"};

    memset(handshake->due, 0, sizeof(handshake->due));
    handshake->tcp_port = 0;
    handshake->policy[0] = '\0';
    strcpy(handshake->unread[0], "it has no maxmemory_policy");
    strcpy(handshake->unread[1], "it has no maxmemory-policy");
    say_auth(handshake, context);
    if (handshake->url->database != NULL) {
        say(handshake, context, HANDSHAKE_SELECT, 2, select);
    }
    say(handshake, context, HANDSHAKE_NAME, 3, name);
    say(handshake, context, HANDSHAKE_INFO, 1, info);
    say(handshake, context, STEP_CONFIG, 3, config);
    say_question(handshake, context);
}

/* Copies a field out of INFO's reply; false if it is not there. */
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

static void
hear_info(struct handshake *handshake, const redisReply *info)
{
    handshake->tcp_port = read_port(info);
    read_field(info, "\nmaxmemory_policy:", handshake->policy,
               sizeof(handshake->policy));
}

/* The reply is the pair of the parameter's name and value. */
static void
hear_config(struct handshake *handshake, const redisReply *pair)
{
    if (handshake->policy[0] == '\0' && pair->type == REDIS_REPLY_ARRAY &&
        pair->elements == 2 && pair->element[1]->type == REDIS_REPLY_STRING) {
        snprintf(handshake->policy, sizeof(handshake->policy), "%s",
                 pair->element[1]->str);
    }
}

/* False if the eviction policy may drop what was counted; the reason in why. */
static bool
judge_policy(struct handshake *handshake)
{
    if (strcmp(handshake->policy, "noeviction") == 0) {
        return true;
    }
    if (handshake->policy[0] != '\0') {
        snprintf(handshake->why, sizeof(handshake->why),
                 "its maxmemory-policy is %s, which drops what was counted; "
                 "set maxmemory-policy noeviction",
                 handshake->policy);
        return false;
    }
    snprintf(handshake->why, sizeof(handshake->why),
             "its maxmemory-policy cannot be read (INFO: %s; CONFIG GET: %s), "
             "and any but noeviction drops what was counted; grant +info or "
             "+config|get to the user of redis.url, or, if the policy is "
             "noeviction, set redis.trust_noeviction = yes",
             handshake->unread[0], handshake->unread[1]);
    return handshake->trust_noeviction;
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

/* True if the error only says that an ACL or its operator forbids the step. */
static bool
is_dispensable(enum handshake_step step, const char *error)
{
    return (step == HANDSHAKE_NAME || step == HANDSHAKE_INFO ||
            step == STEP_CONFIG) &&
           !starts_with(error, "NOAUTH");
}

/* Judges an error reply. */
static enum handshake_result
judge_error(struct handshake *handshake, enum handshake_step step,
            const char *error)
{
    snprintf(handshake->why, sizeof(handshake->why), "%s", error);
    if (is_passing(error)) {
        return HANDSHAKE_LATER;
    }
    if (!is_dispensable(step, error)) {
        return HANDSHAKE_UNUSABLE;
    }
    if (step != HANDSHAKE_NAME) {
        snprintf(handshake->unread[step == STEP_CONFIG],
                 sizeof(handshake->unread[0]), "%s", error);
    }
    return HANDSHAKE_DONE;
}

/* Judges the reply of one step; the reason is in why. */
static enum handshake_result
judge(struct handshake *handshake, enum handshake_step step,
      const redisReply *reply)
{
    const struct redis_greeting *greeting = handshake->greeting;
    const struct redis_reply *ours = (const struct redis_reply *)reply;
    enum handshake_result result = HANDSHAKE_DONE;

    if (reply->type == REDIS_REPLY_ERROR) {
        result = judge_error(handshake, step, reply->str);
    } else if (step == HANDSHAKE_INFO) {
        hear_info(handshake, reply);
    } else if (step == STEP_CONFIG) {
        hear_config(handshake, reply);
    } else if (step == HANDSHAKE_ASK &&
               !greeting->judge(greeting->context, ours, handshake->why,
                                sizeof(handshake->why))) {
        result = HANDSHAKE_UNUSABLE;
    }
    if (step == STEP_CONFIG && result == HANDSHAKE_DONE &&
        !judge_policy(handshake)) {
        result = HANDSHAKE_UNUSABLE;
    }
    return result;
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

const char *
handshake_doubt(const struct handshake *handshake)
{
    return handshake->policy[0] != '\0'
               ? NULL
               : "its maxmemory-policy cannot be read and is trusted to be "
                 "noeviction (redis.trust_noeviction): if it is another, what "
                 "was counted is dropped without a word";
}
