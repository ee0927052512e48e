/*
 * cluster: what a guide asks the nodes of a Redis Cluster. cluster_map.c reads
 * the answer. A node that is cut off from most masters says so itself, some
 * time later: what it knows may be old.
 *
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "cluster_map.h"
#include "guide_dialect.h"

enum { INFO, SLOTS, REPLIES };

static void
ask(redisContext *context, const struct guide_question *question)
{
    const char *info[] = {"CLUSTER", "INFO"};
    const char *slots[] = {"CLUSTER", "SLOTS"};

    (void)question;
    redisAppendCommandArgv(context, 2, info, NULL);
    redisAppendCommandArgv(context, 2, slots, NULL);
}

static const char *
take_info(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING ||
        strstr(reply->str, "cluster_state:") == NULL) {
        return "it is no node of a cluster";
    }
    return strstr(reply->str, "cluster_state:ok") == NULL
               ? "the cluster is down, or does not reach this node "
                 "(cluster_state)"
               : NULL;
}

static const char *
take(struct guide_answer *answer, const redisReply *reply, int number,
     const struct guide_question *question, const char *asked_host)
{
    if (number == INFO) {
        return take_info(reply);
    }
    if (!cluster_map_read(answer, reply, question->slot, asked_host)) {
        return "it is no node of a cluster";
    }
    return answer->master.host[0] == '\0' ? "no master serves the slot" : NULL;
}

static void
describe(char *text, size_t size, const struct guide_question *question)
{
    snprintf(text, size, "slot %d", question->slot);
}

static const char *
advice(const char *error)
{
    if (strstr(error, "cluster support disabled") != NULL) {
        return "; it is no node of a cluster: use redis://host:port";
    }
    if (starts_with(error, "NOPERM")) {
        return "; the user of redis.url must be allowed to ask for the cluster "
               "(+cluster|info and +cluster|slots): see redis.acl";
    }
    return "";
}

const struct guide_dialect cluster_dialect = {
    .server = "node",
    .whose = "the master of ",
    .interval_ms = 1000,
    .spread_ms = 1000, /* a node that takes over tells all others at once */
    .avoids_master = true,
    .ask = ask,
    .replies = REPLIES,
    .take = take,
    .describe = describe,
    .advice = advice,
};
