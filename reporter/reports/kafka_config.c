/*
 * kafka_settings: names and values are librdkafka's to judge; only what would
 * break our promises, or is a key of ours under another name, is refused here.
 * https://github.com/confluentinc/librdkafka/blob/v2.0.2/CONFIGURATION.md
 */
#include "kafka_config.h"

#include <stdio.h>
#include <string.h>

struct setting {
    const char *name;
    const char *value;
};

/* What an operator may set otherwise. */
static const struct setting wishes[] = {
    {"client.id", "verve-reporter"},
    {"linger.ms", "0"}, /* one message a window: nothing to wait for */
    {"reconnect.backoff.max.ms", "1000"}, /* its default is 10 s */
};

/* What nobody may: no message twice on a retry, all replicas have it; a report
   on each message; and the lines that librdkafka logs come to us instead of
   stderr. */
static const struct setting rules[] = {
    {"enable.idempotence", "true"},
    {"delivery.report.only.error", "false"},
    {"log.queue", "true"},
};

/* What this sink can't work with: messages that nobody commits, events in place
   of our callbacks, and a cluster that is none. */
static const char *const useless[] = {"transactional.id", "enabled_events",
                                      "test.mock.num.brokers"};

/* Keys of ours, and what does it. */
static const struct setting ours[] = {
    {"bootstrap.servers", "kafka.brokers"},
    {"metadata.broker.list", "kafka.brokers"},
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const struct setting *
find(const struct setting *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

static int
set(rd_kafka_conf_t *conf, const char *name, const char *value,
    char why[SINK_WHY_SIZE])
{
    char text[256];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) !=
        RD_KAFKA_CONF_OK) {
        text[strcspn(text, "\n")] = '\0';
        snprintf(why, SINK_WHY_SIZE, "kafka.%.128s: %s", name, text);
        return -1;
    }
    return 0;
}

static int
set_all(rd_kafka_conf_t *conf, const struct setting *list, size_t count,
        char why[SINK_WHY_SIZE])
{
    for (size_t i = 0; i < count; i++) {
        if (set(conf, list[i].name, list[i].value, why) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Hands on one property of the operator's. */
static int
set_property(rd_kafka_conf_t *conf, const struct option_property *property,
             char why[SINK_WHY_SIZE])
{
    const struct setting *rule = find(rules, COUNT(rules), property->name);
    const struct setting *key = find(ours, COUNT(ours), property->name);

    for (size_t i = 0; i < COUNT(useless); i++) {
        if (strcmp(useless[i], property->name) == 0) {
            snprintf(why, SINK_WHY_SIZE,
                     "kafka.%s: this sink has no use for it", useless[i]);
            return -1;
        }
    }
    if (key != NULL) {
        snprintf(why, SINK_WHY_SIZE, "kafka.%s: set %s instead", key->name,
                 key->value);
        return -1;
    }
    if (rule != NULL && strcmp(rule->value, property->value) != 0) {
        snprintf(why, SINK_WHY_SIZE, "kafka.%s: it is always %s", rule->name,
                 rule->value);
        return -1;
    }
    return set(conf, property->name, property->value, why);
}

static int
set_properties(rd_kafka_conf_t *conf,
               const struct option_properties *properties,
               char why[SINK_WHY_SIZE])
{
    for (size_t i = 0; i < properties->count; i++) {
        if (set_property(conf, &properties->items[i], why) < 0) {
            return -1;
        }
    }
    return 0;
}

rd_kafka_conf_t *
kafka_config_make(const struct options *options, char why[SINK_WHY_SIZE])
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    if (set_all(conf, wishes, COUNT(wishes), why) < 0 ||
        set_properties(conf, &options->kafka.properties, why) < 0 ||
        set_all(conf, rules, COUNT(rules), why) < 0) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

int
kafka_config_check(const struct options *options, char why[SINK_WHY_SIZE])
{
    rd_kafka_conf_t *conf = kafka_config_make(options, why);
    rd_kafka_t *producer;
    char text[256];

    if (conf == NULL) {
        return -1;
    }
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (producer == NULL) {
        rd_kafka_conf_destroy(conf); /* only on success it is the producer's */
        snprintf(why, SINK_WHY_SIZE, "kafka.*: %s", text);
        return -1;
    }
    rd_kafka_destroy(producer);
    return 0;
}
