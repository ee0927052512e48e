/*
 * PutRecord of Amazon Kinesis: a signed HTTP request for a window's record, and
 * the result of the response. The caller runs the request as a libcurl
 * transfer.
 * https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
 */
#ifndef KINESIS_CLIENT_H
#define KINESIS_CLIENT_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "aws_credentials.h"
#include "config/options.h"
#include "kinesis_answer.h"
#include "sink.h"
#include "store/window_closer.h"

struct kinesis_client;

/* options are borrowed for its life; sink_kinesis has checked them. NULL: no
   memory. */
struct kinesis_client *kinesis_client_open(const struct options *options);

/* The request must not be running. */
void kinesis_client_close(struct kinesis_client *client);

/*
 * Makes the request that puts the record, signed with the time of the call. 0,
 * or -1 and why: no memory, or libcrypto refuses to sign. credentials are
 * borrowed for the call.
 */
int kinesis_client_prepare(struct kinesis_client *client,
                           const struct window_record *record,
                           const struct aws_credentials *credentials,
                           char why[SINK_WHY_SIZE]);

/* The prepared transfer. It belongs to the client. */
CURL *kinesis_client_easy(const struct kinesis_client *client);

/* Whether the transfer has to be started again at once: see socket_guard.h. */
bool kinesis_client_is_to_renew(struct kinesis_client *client, CURLcode code);

/* The result of a transfer that has ended with code. If the result is not
   KINESIS_STORED, why is set. */
enum kinesis_result kinesis_client_result(const struct kinesis_client *client,
                                          CURLcode code,
                                          char why[SINK_WHY_SIZE]);

/* Whether the last response showed that the local clock is wrong. The next
   request is then signed with the right time. */
bool kinesis_client_skewed(const struct kinesis_client *client);

/* How far AWS's clock is ahead of the local clock, by the last response. */
int64_t kinesis_client_skew_s(const struct kinesis_client *client);

/*
 * The rest is public for tests. Pure.
 */

/* Room for the longest body with its NUL: a stream's name has up to 128 bytes,
   a record in Base64 up to 344. */
enum { KINESIS_CLIENT_BODY_SIZE = 640 };

/* Writes the body of the request; the partition key is the window's start.
   Returns its length, 0: no memory. */
size_t kinesis_client_body(char body[KINESIS_CLIENT_BODY_SIZE],
                           const char *stream,
                           const struct window_record *record);

#endif
