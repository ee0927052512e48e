/*
 * handshake: sends its commands in one write and reads the replies in the same
 * order. Each reply either lets the handshake go on or ends it.
 */
#include "handshake.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/util.h"
#include "tls_advice.h"

/* The first byte of an alert (RFC 8446, 5.1), as hiredis prints it. */
#define TLS_ALERT "\"\\x15\""

static const char of_cluster[] =
    "; it is a node of a cluster: use redis+cluster://host:port,...";

enum { OLDEST_MAJOR = 7 }; /* our scripts need functions of Redis 7.0 */

static void
send_step(struct handshake *handshake, redisContext *context,
          enum handshake_step step, int argc, const char **argv)
{
    handshake->awaited[step] = true;
    redisAppendCommandArgv(context, argc, argv, NULL);
}

static void
send_auth(struct handshake *handshake, redisContext *context)
{
    const struct redis_url *url = handshake->url;
    const char *with_user[] = {"AUTH", url->user, url->password};
    const char *without_user[] = {"AUTH", url->password};

    if (url->user != NULL) {
        send_step(handshake, context, HANDSHAKE_AUTH, 3, with_user);
    } else if (url->password != NULL) {
        send_step(handshake, context, HANDSHAKE_AUTH, 2, without_user);
    }
}

static void
send_check(struct handshake *handshake, redisContext *context,
           enum handshake_step step, const struct redis_check *check)
{
    struct command *command = &handshake->command;

    if (check->script == NULL) {
        return;
    }
    command_start(command, check->script);
    check->add_args(check->context, command);
    handshake->awaited[step] = true;
    command_append(command, true, 0, context);
}

void
handshake_send_review(struct handshake *handshake, redisContext *context)
{
    const char *info[] = {"INFO"};
    const char *config[] = {
        "CONFIG",     "GET",         "maxmemory-policy",
        "appendonly", "appendfsync", "cluster-require-full-coverage"};
    int config_count = handshake->url->cluster ? 6 : 5;

    handshake->policy[0] = '\0';
    strcpy(handshake->policy_errors[0], "it has no maxmemory_policy");
    strcpy(handshake->policy_errors[1], "it has no maxmemory-policy");
    send_step(handshake, context, HANDSHAKE_INFO, 1, info);
    send_step(handshake, context, HANDSHAKE_CONFIG, config_count, config);
    send_check(handshake, context, HANDSHAKE_RIGHTS,
               &handshake->options->rights);
}

void
handshake_send(struct handshake *handshake, redisContext *context)
{
    const struct redis_options *options = handshake->options;
    const char *select[] = {"SELECT", handshake->url->database};
    const char *role[] = {"ROLE"};
    const char *name[] = {"CLIENT", "SETNAME", options->client_name};

    memset(handshake->awaited, 0, sizeof(handshake->awaited));
    handshake->tcp_port = 0;
    handshake->max_memory = 0;
    handshake->used_memory = 0;
    handshake->appendonly[0] = '\0';
    handshake->appendfsync[0] = '\0';
    handshake->full_coverage[0] = '\0';
    handshake->was_replica = false;
    send_auth(handshake, context);
    if (handshake->url->database != NULL) {
        send_step(handshake, context, HANDSHAKE_SELECT, 2, select);
    }
    if (handshake->url->master != NULL || handshake->url->cluster) {
        send_step(handshake, context, HANDSHAKE_ROLE, 1, role);
    }
    send_step(handshake, context, HANDSHAKE_NAME, 3, name);
    handshake_send_review(handshake, context);
    send_check(handshake, context, HANDSHAKE_CHECK, &options->check);
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

/* Refuses a Redis that is too old. Valkey says 7.2.4 here. */
static enum handshake_result
check_version(struct handshake *handshake, const redisReply *info)
{
    char version[24];
    int64_t major;

    if (!read_field(info, "\nredis_version:", version, sizeof(version)) ||
        !decimal_parse(version, strcspn(version, "."), &major) ||
        major >= OLDEST_MAJOR) {
        return HANDSHAKE_DONE;
    }
    handshake->fault = REDIS_FAULT_OTHER;
    snprintf(handshake->why, sizeof(handshake->why),
             "it is Redis %s, and verve needs Redis %d.0 or later, or Valkey",
             version, OLDEST_MAJOR);
    return HANDSHAKE_UNUSABLE;
}

/* Refuses a node of a cluster that the url does not name as one. */
static enum handshake_result
check_mode(struct handshake *handshake, const redisReply *info)
{
    char enabled[4];

    if (handshake->url->cluster ||
        !read_field(info, "\ncluster_enabled:", enabled, sizeof(enabled)) ||
        enabled[0] == '0') {
        return HANDSHAKE_DONE;
    }
    handshake->fault = REDIS_FAULT_OTHER;
    snprintf(handshake->why, sizeof(handshake->why), "%s",
             of_cluster + strlen("; "));
    return HANDSHAKE_UNUSABLE;
}

static void
read_info(struct handshake *handshake, const redisReply *info)
{
    char number[24], enabled[4], replid2[8];

    if (read_field(info, "\ntcp_port:", number, sizeof(number))) {
        decimal_parse(number, strlen(number), &handshake->tcp_port);
    }
    if (read_field(info, "\nmaxmemory:", number, sizeof(number))) {
        decimal_parse(number, strlen(number), &handshake->max_memory);
    }
    if (read_field(info, "\nused_memory:", number, sizeof(number))) {
        decimal_parse(number, strlen(number), &handshake->used_memory);
    }
    if (read_field(info, "\naof_enabled:", enabled, sizeof(enabled))) {
        snprintf(handshake->appendonly, sizeof(handshake->appendonly), "%s",
                 enabled[0] == '1' ? "yes" : "no");
    }
    if (read_field(info, "\nmaster_replid2:", replid2, sizeof(replid2))) {
        handshake->was_replica = strcmp(replid2, "0000000") != 0;
    }
    read_field(info, "\nmaxmemory_policy:", handshake->policy,
               sizeof(handshake->policy));
}

/* Copies a parameter out of CONFIG GET's reply, names and values in turn. */
static void
read_parameter(const redisReply *pairs, const char *name, char *value,
               size_t size)
{
    for (size_t i = 0;
         pairs->type == REDIS_REPLY_ARRAY && i + 1 < pairs->elements; i += 2) {
        if (pairs->element[i]->type == REDIS_REPLY_STRING &&
            pairs->element[i + 1]->type == REDIS_REPLY_STRING &&
            strcmp(pairs->element[i]->str, name) == 0) {
            snprintf(value, size, "%s", pairs->element[i + 1]->str);
        }
    }
}

static void
read_config(struct handshake *handshake, const redisReply *pairs)
{
    if (handshake->policy[0] == '\0') {
        read_parameter(pairs, "maxmemory-policy", handshake->policy,
                       sizeof(handshake->policy));
    }
    read_parameter(pairs, "appendonly", handshake->appendonly,
                   sizeof(handshake->appendonly));
    read_parameter(pairs, "appendfsync", handshake->appendfsync,
                   sizeof(handshake->appendfsync));
    read_parameter(pairs, "cluster-require-full-coverage",
                   handshake->full_coverage, sizeof(handshake->full_coverage));
}

/* The reply of a master has the address of each replica: host, port, offset. */
static void
note_replicas(struct handshake *handshake, const redisReply *role)
{
    const redisReply *replicas = role->elements < 3 ? NULL : role->element[2];

    for (size_t i = 0;
         replicas != NULL && replicas->type == REDIS_REPLY_ARRAY &&
         i < replicas->elements;
         i++) {
        const redisReply *replica = replicas->element[i];

        if (replica->type == REDIS_REPLY_ARRAY && replica->elements >= 2 &&
            replica->element[0]->type == REDIS_REPLY_STRING &&
            replica->element[1]->type == REDIS_REPLY_STRING) {
            peers_add_text(handshake->peers, replica->element[0]->str,
                           replica->element[1]->str);
        }
    }
}

/*
 * Sentinels and nodes may be wrong for a while. A replica would refuse to
 * write, and a script that only reads would not notice.
 */
static enum handshake_result
check_role(struct handshake *handshake, const redisReply *role)
{
    if (role->type == REDIS_REPLY_ARRAY && role->elements > 0 &&
        role->element[0]->type == REDIS_REPLY_STRING &&
        strcmp(role->element[0]->str, "master") == 0) {
        note_replicas(handshake, role);
        return HANDSHAKE_DONE;
    }
    snprintf(handshake->why, sizeof(handshake->why),
             "it is no master, though it was named as one");
    return HANDSHAKE_RETRY;
}

/*
 * The step after which the policy is judged, which INFO or CONFIG GET may have
 * told. If INFO is forbidden, only `rights` finds out that a Redis is too old,
 * and such a Redis refuses our CONFIG GET, too: so its age is said first.
 */
static enum handshake_step
policy_step(const struct handshake *handshake)
{
    return handshake->options->rights.script != NULL ? HANDSHAKE_RIGHTS
                                                     : HANDSHAKE_CONFIG;
}

/* Any policy but noeviction may drop keys that count. */
static enum handshake_result
check_policy(struct handshake *handshake)
{
    if (strcmp(handshake->policy, "noeviction") == 0) {
        return HANDSHAKE_DONE;
    }
    handshake->fault = REDIS_FAULT_EVICTION;
    if (handshake->policy[0] != '\0') {
        snprintf(handshake->why, sizeof(handshake->why),
                 "its maxmemory-policy is %s, which drops what was counted; "
                 "set maxmemory-policy noeviction",
                 handshake->policy);
        return HANDSHAKE_UNUSABLE;
    }
    snprintf(handshake->why, sizeof(handshake->why),
             "its maxmemory-policy cannot be read (INFO: %s; CONFIG GET: %s), "
             "and any but noeviction drops what was counted; grant +info or "
             "+config|get to the user of redis.url, or, if the policy is "
             "noeviction, set redis.trust_noeviction = yes",
             handshake->policy_errors[0], handshake->policy_errors[1]);
    return handshake->options->trust_noeviction ? HANDSHAKE_DONE
                                                : HANDSHAKE_UNUSABLE;
}

/*
 * Redis sends this error instead of accepting a client, before it has read any
 * command. In cluster mode the text goes on with "+ cluster connections".
 */
static bool
is_too_many_clients(const char *error)
{
    return starts_with(error, "ERR max number of clients");
}

/* True if another node of the cluster has the slot, or a part of its keys. */
static bool
is_elsewhere(const char *error)
{
    return starts_with(error, "MOVED ") || starts_with(error, "ASK ");
}

/* True if the error ends by itself, when Redis has loaded or failed over. */
static bool
is_temporary(const char *error)
{
    return is_too_many_clients(error) || starts_with(error, "LOADING") ||
           starts_with(error, "READONLY") || starts_with(error, "MASTERDOWN") ||
           starts_with(error, "BUSY") || starts_with(error, "OOM") ||
           starts_with(error, "MISCONF") || starts_with(error, "CLUSTERDOWN") ||
           starts_with(error, "NOREPLICAS") || starts_with(error, "TRYAGAIN");
}

/*
 * True if Redis can be used without this step: an ACL or a renamed command
 * forbids it. NOAUTH (no password) and DENIED (protected mode, sent instead of
 * accepting the client) forbid every command.
 */
static bool
is_optional(enum handshake_step step, const char *error)
{
    return (step == HANDSHAKE_NAME || step == HANDSHAKE_INFO ||
            step == HANDSHAKE_CONFIG) &&
           !starts_with(error, "NOAUTH") && !starts_with(error, "DENIED");
}

/* What an operator can do about an error. */
static const char *
advice(const struct handshake *handshake, enum handshake_step step,
       const char *error)
{
    if (is_elsewhere(error)) {
        return handshake->url->cluster ? "" : of_cluster;
    }
    if (is_too_many_clients(error)) {
        return "; raise Redis's maxclients, or use fewer connections";
    }
    if (step == HANDSHAKE_ROLE) {
        return "; the user of redis.url must be allowed to ask for the role "
               "(+role): see redis.acl";
    }
    if ((step == HANDSHAKE_RIGHTS || step == HANDSHAKE_CHECK) &&
        (starts_with(error, "NOPERM") ||
         starts_with(error, "ERR unknown command"))) {
        return "; the user of redis.url must be allowed to run scripts (+eval "
               "and +evalsha, not renamed): see redis.acl";
    }
    return "";
}

static enum redis_fault
fault_of(enum handshake_step step)
{
    switch (step) {
    case HANDSHAKE_ROLE:
    case HANDSHAKE_RIGHTS:
        return REDIS_FAULT_RIGHTS;
    case HANDSHAKE_CHECK:
        return REDIS_FAULT_CHECK;
    case HANDSHAKE_AUTH:
    case HANDSHAKE_SELECT:
    case HANDSHAKE_NAME:
    case HANDSHAKE_INFO:
    case HANDSHAKE_CONFIG:
    case HANDSHAKE_STEPS:
        break;
    }
    return REDIS_FAULT_OTHER;
}

static enum handshake_result
read_error(struct handshake *handshake, enum handshake_step step,
           const char *error)
{
    handshake->fault = fault_of(step);
    snprintf(handshake->why, sizeof(handshake->why), "%s%s", error,
             advice(handshake, step, error));
    if (is_temporary(error) ||
        (is_elsewhere(error) && handshake->url->cluster)) {
        return HANDSHAKE_RETRY;
    }
    if (!is_optional(step, error)) {
        return HANDSHAKE_UNUSABLE;
    }
    if (step == HANDSHAKE_INFO || step == HANDSHAKE_CONFIG) {
        snprintf(handshake->policy_errors[step == HANDSHAKE_CONFIG],
                 sizeof(handshake->policy_errors[0]), "%s", error);
    }
    return HANDSHAKE_DONE;
}

/* DONE: this reply lets the handshake go on. */
static enum handshake_result
read_reply(struct handshake *handshake, enum handshake_step step,
           const redisReply *reply)
{
    enum handshake_result result = HANDSHAKE_DONE;

    if (reply->type == REDIS_REPLY_ERROR) {
        result = read_error(handshake, step, reply->str);
    } else if (step == HANDSHAKE_ROLE) {
        result = check_role(handshake, reply);
    } else if (step == HANDSHAKE_INFO) {
        read_info(handshake, reply);
        result = check_version(handshake, reply);
        if (result == HANDSHAKE_DONE) {
            result = check_mode(handshake, reply);
        }
    } else if (step == HANDSHAKE_CONFIG) {
        read_config(handshake, reply);
    }
    return step == policy_step(handshake) && result == HANDSHAKE_DONE
               ? check_policy(handshake)
               : result;
}

enum handshake_result
handshake_receive(struct handshake *handshake, redisContext *context)
{
    enum handshake_result result = HANDSHAKE_DONE;
    int step;

    for (step = 0; step < HANDSHAKE_STEPS && result == HANDSHAKE_DONE; step++) {
        void *reply = NULL;

        if (!handshake->awaited[step]) {
            continue;
        }
        if (redisGetReplyFromReader(context, &reply) != REDIS_OK) {
            snprintf(
                handshake->why, sizeof(handshake->why), "%s%s", context->errstr,
                strstr(context->errstr, TLS_ALERT) == NULL ? ""
                                                           : tls_advice_plain);
            return HANDSHAKE_BROKEN;
        }
        if (reply == NULL) {
            return HANDSHAKE_PENDING;
        }
        handshake->awaited[step] = false;
        result = read_reply(handshake, (enum handshake_step)step, reply);
        freeReplyObject(reply);
    }
    return result;
}

static void
add_warning(struct handshake *handshake, const char *text)
{
    size_t used = strlen(handshake->warning);

    snprintf(handshake->warning + used, sizeof(handshake->warning) - used,
             "%s%s", used > 0 ? "; " : "", text);
}

const char *
handshake_warning(struct handshake *handshake)
{
    handshake->warning[0] = '\0';
    if (handshake->policy[0] == '\0') {
        add_warning(handshake,
                    "its maxmemory-policy cannot be read and is trusted to be "
                    "noeviction (redis.trust_noeviction): if it is another, "
                    "what was counted is dropped without a word");
    }
    if (strcmp(handshake->appendonly, "no") == 0) {
        add_warning(handshake,
                    "it has no append-only file: if it stops, it loses what "
                    "was counted since its last snapshot; set appendonly yes");
    }
    if (handshake->url->cluster &&
        strcmp(handshake->full_coverage, "yes") == 0) {
        add_warning(handshake,
                    "if one master is away, the whole cluster stops; set "
                    "cluster-require-full-coverage no on all nodes");
    }
    return handshake->warning[0] != '\0' ? handshake->warning : NULL;
}
