/*
 * The configuration of the Kafka producer: what we want of it, then what the
 * operator wants, then what verve's promises rest on.
 */
#ifndef KAFKA_SETTINGS_H
#define KAFKA_SETTINGS_H

#include <librdkafka/rdkafka.h>

#include "option.h"
#include "sink.h"

/*
 * Makes a configuration, which rd_kafka_new or rd_kafka_conf_destroy frees,
 * without callbacks and brokers. NULL: why says which key is wrong.
 */
rd_kafka_conf_t *kafka_settings_make(const struct options *options,
                                     char why[SINK_WHY_SIZE]);

/*
 * Whether librdkafka makes a producer of it all, which reads certificates and
 * the like but connects to nobody. 0, or -1 and why.
 */
int kafka_settings_check(const struct options *options,
                         char why[SINK_WHY_SIZE]);

#endif
