/*
 * The sink that produces each window's record to a Kafka topic: at least once,
 * in order, keyed by the window.
 */
#ifndef SINK_KAFKA_H
#define SINK_KAFKA_H

#include "sink.h"

extern const struct sink_type sink_kafka;

#endif
