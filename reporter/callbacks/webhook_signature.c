/*
 * webhook_signature: HMAC-SHA256 by hmac.h, base64 by libcrypto.
 */
#include "webhook_signature.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"

#define BLANKS " \t"
#define PREFIX "whsec_"
#define VERSION "v1,"

enum {
    PREFIX_LEN = sizeof(PREFIX) - 1,
    VERSION_LEN = sizeof(VERSION) - 1,
    /* base64 makes (n + 2) / 3 * 4 bytes of n. */
    DIGEST_TEXT_LEN = (HMAC_BYTES + 2) / 3 * 4,
    KEY_TEXT_MAX = (WEBHOOK_SIGNATURE_KEY_MAX + 2) / 3 * 4,
};

struct key {
    unsigned char bytes[KEY_TEXT_MAX / 4 * 3]; /* as padding is decoded too */
    size_t len;
};

struct webhook_signature {
    struct hmac *hmac;
    struct key *keys;
    size_t count;
};

/*
 * Decodes text[0..len). libcrypto accepts blanks, wrong padding and unused
 * bits, which a receiver's decoder may read differently. So a text is refused
 * if its bytes do not encode to the same text again.
 */
static bool
decode(const char *text, size_t len, struct key *key)
{
    unsigned char encoded[KEY_TEXT_MAX + 1];
    int decoded;
    bool same;

    if (len > KEY_TEXT_MAX) {
        return false;
    }
    decoded =
        EVP_DecodeBlock(key->bytes, (const unsigned char *)text, (int)len);
    for (size_t i = len; decoded > 0 && i > 0 && text[i - 1] == '='; i--) {
        decoded--;
    }
    if (decoded <= 0) {
        return false;
    }
    key->len = (size_t)decoded;
    same = EVP_EncodeBlock(encoded, key->bytes, decoded) == (int)len &&
           memcmp(encoded, text, len) == 0;
    OPENSSL_cleanse(encoded, sizeof(encoded));
    return same;
}

/* Reads text[0..len). NULL, or an error text, static. */
static const char *
read_secret(const char *text, size_t len, struct key *key)
{
    if (len < PREFIX_LEN || memcmp(text, PREFIX, PREFIX_LEN) != 0) {
        return "does not begin with " PREFIX;
    }
    text += PREFIX_LEN;
    len -= PREFIX_LEN;
    if (len <= KEY_TEXT_MAX && !decode(text, len, key)) {
        return "is not base64 (with padding) behind " PREFIX;
    }
    if (len > KEY_TEXT_MAX || key->len < WEBHOOK_SIGNATURE_KEY_MIN ||
        key->len > WEBHOOK_SIGNATURE_KEY_MAX) {
        return "does not have the 24 to 64 bytes that Standard Webhooks wants";
    }
    return NULL;
}

/* Reads all secrets. 0, or -1 (errno) with an error text. */
static int
read_secrets(struct webhook_signature *signature, const char *secrets,
             char why[WEBHOOK_SIGNATURE_WHY_SIZE])
{
    size_t len;

    /* A secret has at least one byte, and a blank behind it. */
    signature->keys = calloc(strlen(secrets) / 2 + 1, sizeof(struct key));
    if (signature->keys == NULL) {
        snprintf(why, WEBHOOK_SIGNATURE_WHY_SIZE, "no memory");
        return -1;
    }
    for (secrets += strspn(secrets, BLANKS); *secrets != '\0';
         secrets += len + strspn(secrets + len, BLANKS)) {
        struct key *key = &signature->keys[signature->count++];
        const char *problem;

        len = strcspn(secrets, BLANKS);
        problem = read_secret(secrets, len, key);
        if (problem != NULL) {
            snprintf(why, WEBHOOK_SIGNATURE_WHY_SIZE,
                     "callbacks.secret: number %zu %s", signature->count,
                     problem);
            errno = EINVAL;
            return -1;
        }
    }
    if (signature->count == 0) {
        snprintf(why, WEBHOOK_SIGNATURE_WHY_SIZE,
                 "callbacks.secret: there is none");
        errno = EINVAL;
        return -1;
    }
    return 0;
}

/* 0, or -1 (errno) with an error text. */
static int
open_hmac(struct webhook_signature *signature,
          char why[WEBHOOK_SIGNATURE_WHY_SIZE])
{
    signature->hmac = hmac_open();
    if (signature->hmac == NULL) {
        snprintf(why, WEBHOOK_SIGNATURE_WHY_SIZE,
                 "no memory, or libcrypto has no HMAC-SHA256");
        errno = ENOTSUP;
        return -1;
    }
    return 0;
}

struct webhook_signature *
webhook_signature_open(const char *secrets,
                       char why[WEBHOOK_SIGNATURE_WHY_SIZE])
{
    struct webhook_signature *signature = calloc(1, sizeof(*signature));
    int reason;

    if (signature == NULL) {
        snprintf(why, WEBHOOK_SIGNATURE_WHY_SIZE, "no memory");
        return NULL;
    }
    if (read_secrets(signature, secrets, why) == 0 &&
        open_hmac(signature, why) == 0) {
        return signature;
    }
    reason = errno;
    webhook_signature_close(signature);
    errno = reason;
    return NULL;
}

void
webhook_signature_close(struct webhook_signature *signature)
{
    if (signature == NULL) {
        return;
    }
    hmac_close(signature->hmac);
    if (signature->keys != NULL) {
        OPENSSL_cleanse(signature->keys, signature->count * sizeof(struct key));
        free(signature->keys);
    }
    free(signature);
}

size_t
webhook_signature_size(const struct webhook_signature *signature)
{
    return signature->count * (VERSION_LEN + DIGEST_TEXT_LEN + 1);
}

/* Signs with one key. */
static bool
make_digest(struct hmac *hmac, const struct key *key,
            const struct webhook_signature_input *input,
            unsigned char digest[HMAC_BYTES])
{
    char timestamp[32];
    int len = snprintf(timestamp, sizeof(timestamp), ".%" PRId64 ".",
                       input->timestamp_s);

    return hmac_start(hmac, key->bytes, key->len) &&
           hmac_add(hmac, input->id, strlen(input->id)) &&
           hmac_add(hmac, timestamp, (size_t)len) &&
           hmac_add(hmac, input->content, input->content_len) &&
           hmac_end(hmac, digest);
}

int
webhook_signature_make(const struct webhook_signature *signature,
                       const struct webhook_signature_input *input, char *value)
{
    unsigned char digest[HMAC_BYTES];

    for (size_t i = 0; i < signature->count; i++) {
        if (!make_digest(signature->hmac, &signature->keys[i], input, digest)) {
            return -1;
        }
        if (i > 0) {
            *value++ = ' ';
        }
        memcpy(value, VERSION, VERSION_LEN);
        value += VERSION_LEN;
        /* EVP_EncodeBlock writes a NUL too. */
        value += EVP_EncodeBlock((unsigned char *)value, digest, HMAC_BYTES);
    }
    return 0;
}
