/*
 * Signatures by which receivers know that a callback is ours and fresh:
 * symmetric signatures of Standard Webhooks 1.0.0
 * (https://github.com/standard-webhooks/standard-webhooks, spec, "Signature
 * scheme"). No text of this module ever shows a secret.
 */
#ifndef WEBHOOK_SIGNATURE_H
#define WEBHOOK_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

struct webhook_signature;

enum {
    /* Size of a buffer for the longest reason, with its NUL. */
    WEBHOOK_SIGNATURE_WHY_SIZE = 160,
    /* The bytes that a secret may have: the specification's bounds. */
    WEBHOOK_SIGNATURE_KEY_MIN = 24,
    WEBHOOK_SIGNATURE_KEY_MAX = 64,
};

/*
 * secrets is the text of callbacks.secret: one or more whsec_<base64>,
 * separated by blanks; the receiver needs to know one of them, so that secrets
 * can be changed without a gap. Copied. NULL with the reason in why: a secret
 * that can't be used (errno EINVAL), or the system refuses (another errno).
 */
struct webhook_signature *
webhook_signature_open(const char *secrets,
                       char why[WEBHOOK_SIGNATURE_WHY_SIZE]);

/* Wipes the secrets. */
void webhook_signature_close(struct webhook_signature *signature);

/* What is signed: "<id>.<timestamp>.<content>", as the headers have them. */
struct webhook_signature_of {
    const char *id;      /* webhook-id; without a full stop */
    int64_t timestamp_s; /* webhook-timestamp */
    const char *content;
    size_t content_len;
};

/* The size of a buffer for the header's value, with its NUL. */
size_t webhook_signature_size(const struct webhook_signature *signature);

/*
 * Writes the value of webhook-signature into value: "v1,<base64>" for each
 * secret, in their order, separated by blanks. 0, or -1 where libcrypto
 * refuses.
 */
int webhook_signature_make(const struct webhook_signature *signature,
                           const struct webhook_signature_of *of, char *value);

#endif
