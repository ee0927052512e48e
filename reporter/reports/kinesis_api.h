/*
 * The words of Kinesis's PutRecord: what is sent, and what an answer means.
 * Pure: nothing here knows of connections or signatures.
 * https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
 */
#ifndef KINESIS_API_H
#define KINESIS_API_H

#include <stddef.h>

#include "store/window_closer.h"

#define KINESIS_TARGET "Kinesis_20131202.PutRecord"
#define KINESIS_CONTENT_TYPE "application/x-amz-json-1.1"

/* Room for the longest body, with its NUL: a stream's name has up to 128
   bytes, a record in Base64 up to 344. */
enum { KINESIS_BODY_SIZE = 640 };

/* Writes the body that puts the record of a window, with the window as
 * partition key. Returns its length, 0: no memory. */
size_t kinesis_body(char body[KINESIS_BODY_SIZE], const char *stream,
                    const struct window_record *record);

enum kinesis_verdict {
    KINESIS_TAKEN,   /* it is in the stream */
    KINESIS_BUSY,    /* throttled, or broken over there: the same again later */
    KINESIS_REFUSED, /* as long as nobody changes something */
};

enum { KINESIS_WHY_SIZE = 256 };

/* Judges an HTTP answer; why says what it was, but for KINESIS_TAKEN. */
enum kinesis_verdict kinesis_classify(long status, const char *body, size_t len,
                                      char why[KINESIS_WHY_SIZE]);

#endif
