/*
 * The sink that puts each window's record into a Kinesis stream: at least
 * once, in order, with the window as partition key.
 */
#ifndef SINK_KINESIS_H
#define SINK_KINESIS_H

#include "sink.h"

extern const struct sink_type sink_kinesis;

#endif
