/*
 * The signature of a callback, by which a receiver can check that the callback
 * comes from this service and is recent: the symmetric signatures of Standard
 * Webhooks 1.0.0 (https://github.com/standard-webhooks/standard-webhooks, spec,
 * "Signature scheme"). No error text shows a secret.
 */
#ifndef WEBHOOK_SIGNATURE_H
#define WEBHOOK_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

struct webhook_signature;

enum {
    /* Size of a buffer for the longest reason, with its NUL. */
    WEBHOOK_SIGNATURE_WHY_SIZE = 160,
    /* Bytes of a key: the bounds of the specification. */
    WEBHOOK_SIGNATURE_KEY_MIN = 24,
    WEBHOOK_SIGNATURE_KEY_MAX = 64,
};

/*
 * secrets is callbacks.secret: one or more whsec_<base64>, separated by blanks,
 * copied. A receiver has to know only one of them, so that an operator can
 * rotate secrets. NULL with the reason in why: a secret is invalid (errno
 * EINVAL), or the system refuses (another errno).
 */
struct webhook_signature *
webhook_signature_open(const char *secrets,
                       char why[WEBHOOK_SIGNATURE_WHY_SIZE]);

/* Wipes the secrets. */
void webhook_signature_close(struct webhook_signature *signature);

/* The signed text is "<id>.<timestamp>.<content>". */
struct webhook_signature_input {
    const char *id;      /* header webhook-id; has no full stop */
    int64_t timestamp_s; /* header webhook-timestamp */
    const char *content; /* body, or path and query of a GET */
    size_t content_len;
};

/* The size of a buffer for the header's value, with its NUL. */
size_t webhook_signature_size(const struct webhook_signature *signature);

/*
 * Writes the value of the header webhook-signature: "v1,<base64>" for each
 * secret, in their order, separated by blanks. 0, or -1 if libcrypto refuses.
 */
int webhook_signature_make(const struct webhook_signature *signature,
                           const struct webhook_signature_input *input,
                           char *value);

#endif
