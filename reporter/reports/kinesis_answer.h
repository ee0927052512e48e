/*
 * What an answer of Amazon Kinesis to a PutRecord says. Pure.
 * https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
 */
#ifndef KINESIS_ANSWER_H
#define KINESIS_ANSWER_H

#include <stddef.h>

#include "sink.h"

enum kinesis_result {
    KINESIS_STORED,  /* the record is in the stream */
    KINESIS_RETRY,   /* throttled, or a fault in AWS or the network */
    KINESIS_UNKNOWN, /* the credentials have expired, or are not known: others
                        may do */
    KINESIS_REFUSED, /* retries fail until somebody changes something */
};

/* The result that an HTTP response stands for. If it is not KINESIS_STORED, why
   is set. */
enum kinesis_result kinesis_answer_classify(long status, const char *body,
                                            size_t len,
                                            char why[SINK_WHY_SIZE]);

#endif
