/*
 * HMAC-SHA256 (RFC 2104, FIPS 180-4) for all that is signed. Made once and
 * used for any number of messages, one after another.
 */
#ifndef HMAC_H
#define HMAC_H

#include <stdbool.h>
#include <stddef.h>

struct hmac;

enum { HMAC_BYTES = 32 }; /* of a result */

/* NULL: no memory, or libcrypto has no HMAC-SHA256. */
struct hmac *hmac_open(void);

void hmac_close(struct hmac *hmac);

/* Begins a message, whatever became of the last one. key is copied. false, as
 * from the next two: libcrypto refuses. */
bool hmac_start(struct hmac *hmac, const void *key, size_t len);

/* Adds bytes to the message. */
bool hmac_add(struct hmac *hmac, const void *bytes, size_t len);

/* Ends the message. */
bool hmac_end(struct hmac *hmac, unsigned char result[HMAC_BYTES]);

#endif
