/*
 * The configuration of the Kafka producer, in this order: our defaults, the
 * operator's properties (kafka.*), the settings that verve's promises rest on.
 */
#ifndef KAFKA_CONFIG_H
#define KAFKA_CONFIG_H

#include <librdkafka/rdkafka.h>

#include "config/options.h"
#include "sink.h"

/*
 * Makes a configuration without callbacks and brokers. The caller owns it until
 * rd_kafka_new takes it, or frees it with rd_kafka_conf_destroy. NULL if a
 * property is wrong; why names it.
 */
rd_kafka_conf_t *kafka_config_make(const struct options *options,
                                   char why[SINK_WHY_SIZE]);

/*
 * Checks whether librdkafka creates a producer from the options. This reads
 * files such as certificates, but connects to no broker. 0, or -1 and why.
 */
int kafka_config_check(const struct options *options, char why[SINK_WHY_SIZE]);

#endif
