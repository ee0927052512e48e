/*
 * The configuration of the Kafka producer: what we want of it, then what the
 * operator wants, then what verve's promises rest on.
 */
#ifndef KAFKA_CONFIG_H
#define KAFKA_CONFIG_H

#include <librdkafka/rdkafka.h>

#include "config/options.h"
#include "sink.h"

/*
 * Makes a configuration, which rd_kafka_new or rd_kafka_conf_destroy frees,
 * without callbacks and brokers. NULL: why says which key is wrong.
 */
rd_kafka_conf_t *kafka_config_make(const struct options *options,
                                   char why[SINK_WHY_SIZE]);

/*
 * Whether librdkafka makes a producer of it all, which reads certificates and
 * the like but connects to nobody. 0, or -1 and why.
 */
int kafka_config_check(const struct options *options, char why[SINK_WHY_SIZE]);

#endif
