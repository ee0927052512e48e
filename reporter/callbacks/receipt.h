/*
 * What comes back of an attempt: looked at as it arrives, thrown away, and cut
 * off where it is too much.
 */
#ifndef RECEIPT_H
#define RECEIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a receiver may send before it is cut off. */
enum { RECEIPT_HEAD_MAX_BYTES = 65536, RECEIPT_BODY_MAX_BYTES = 65536 };

/* Zeroed: nothing came. */
struct receipt {
    size_t head_bytes;
    size_t body_bytes;
    bool head_cut; /* there was more of it than we take */
    bool body_cut;
    int64_t retry_after_ms; /* as the receiver asked for; 0: it did not */
};

/* Takes one line of the head, or some of the body; false where it is cut. */
bool receipt_head(struct receipt *receipt, const char *line, size_t len);
bool receipt_body(struct receipt *receipt, size_t len);

#endif
