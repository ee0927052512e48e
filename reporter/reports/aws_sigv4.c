/*
 * aws_sigv4: the steps of the user guide, in its order and with its numbers.
 * libcrypto does SHA-256.
 */
#define _GNU_SOURCE /* asprintf */
#include "aws_sigv4.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmac.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define TERMINATION "aws4_request"

enum {
    DATE_LEN = sizeof("20260102T030405Z") - 1,
    HASH_BYTES = HMAC_BYTES, /* SHA-256 both */
    HEX_SIZE = 2 * HASH_BYTES + 1,
};

/* Results of the steps so far. Owns its texts, unless noted. */
struct signing {
    const struct aws_sigv4_request *request;
    const struct aws_sigv4_signer *signer;
    const char *date;     /* borrowed */
    char *scope;          /* 20260102/<region>/<service>/aws4_request */
    char *signed_headers; /* host;x-amz-date */
    char *to_sign;
    char signature[HEX_SIZE];
};

static void
write_hex(char text[HEX_SIZE], const unsigned char bytes[HASH_BYTES])
{
    for (size_t i = 0; i < HASH_BYTES; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
}

/* Writes the SHA-256 of bytes[0..len). False: libcrypto refuses. */
static bool
write_hash(char text[HEX_SIZE], const char *bytes, size_t len)
{
    unsigned char hash[HASH_BYTES];

    if (EVP_Digest(bytes, len, hash, NULL, EVP_sha256(), NULL) != 1) {
        return false;
    }
    write_hex(text, hash);
    return true;
}

/* Closes a stream of open_memstream and returns its text. NULL: no memory. */
static char *
close_stream(FILE *out, char **text)
{
    bool failed = ferror(out) != 0;

    if (fclose(out) != 0 || failed) {
        free(*text);
        return NULL;
    }
    return *text;
}

static bool
find_date(struct signing *signing)
{
    const struct aws_sigv4_request *request = signing->request;

    for (size_t i = 0; i < request->header_count; i++) {
        if (strcmp(request->headers[i].name, "x-amz-date") == 0) {
            signing->date = request->headers[i].value;
            return strlen(signing->date) == DATE_LEN;
        }
    }
    return false;
}

static bool
make_scope(struct signing *signing)
{
    if (asprintf(&signing->scope, "%.8s/%s/%s/" TERMINATION, signing->date,
                 signing->signer->region, signing->signer->service) < 0) {
        signing->scope = NULL; /* undefined otherwise: asprintf(3) */
    }
    return signing->scope != NULL;
}

static bool
list_headers(struct signing *signing)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) {
        return false;
    }
    for (size_t i = 0; i < signing->request->header_count; i++) {
        fprintf(out, "%s%s", i > 0 ? ";" : "",
                signing->request->headers[i].name);
    }
    signing->signed_headers = close_stream(out, &text);
    return signing->signed_headers != NULL;
}

/* Step 1. The caller frees the result. NULL: no memory, or libcrypto refuses.
 */
static char *
make_canonical_request(const struct signing *signing)
{
    const struct aws_sigv4_request *request = signing->request;
    char hash[HEX_SIZE], *text = NULL;
    size_t size;
    FILE *out;

    if (!write_hash(hash, request->body, request->body_len) ||
        (out = open_memstream(&text, &size)) == NULL) {
        return NULL;
    }
    fprintf(out, "%s\n%s\n%s\n", request->method, request->path,
            request->query);
    for (size_t i = 0; i < request->header_count; i++) {
        fprintf(out, "%s:%s\n", request->headers[i].name,
                request->headers[i].value);
    }
    fprintf(out, "\n%s\n%s", signing->signed_headers, hash);
    return close_stream(out, &text);
}

/* Steps 2 and 3. */
static bool
make_string_to_sign(struct signing *signing)
{
    char *canonical = make_canonical_request(signing);
    char hash[HEX_SIZE];
    bool hashed =
        canonical != NULL && write_hash(hash, canonical, strlen(canonical));

    free(canonical);
    if (!hashed || asprintf(&signing->to_sign, ALGORITHM "\n%s\n%s\n%s",
                            signing->date, signing->scope, hash) < 0) {
        signing->to_sign = NULL; /* undefined otherwise: asprintf(3) */
    }
    return signing->to_sign != NULL;
}

/* Replaces key by the HMAC of text under that key. */
static bool
derive_key(struct hmac *hmac, unsigned char key[HMAC_BYTES], const char *text)
{
    return hmac_start(hmac, key, HMAC_BYTES) &&
           hmac_add(hmac, text, strlen(text)) && hmac_end(hmac, key);
}

/* The first key of step 4. Its own key is longer than HMAC_BYTES. */
static bool
make_date_key(struct hmac *hmac, const struct signing *signing,
              unsigned char key[HMAC_BYTES])
{
    char *secret;
    int len = asprintf(&secret, "AWS4%s", signing->signer->secret_key);
    bool made;

    if (len < 0) {
        return false;
    }
    made = hmac_start(hmac, secret, (size_t)len) &&
           hmac_add(hmac, signing->date, strlen("20260102")) &&
           hmac_end(hmac, key);
    free(secret);
    return made;
}

/* Steps 4 and 5. */
static bool
make_signature(struct signing *signing)
{
    struct hmac *hmac = hmac_open();
    unsigned char key[HMAC_BYTES];
    bool made = hmac != NULL && make_date_key(hmac, signing, key) &&
                derive_key(hmac, key, signing->signer->region) &&
                derive_key(hmac, key, signing->signer->service) &&
                derive_key(hmac, key, TERMINATION) &&
                derive_key(hmac, key, signing->to_sign);

    hmac_close(hmac);
    if (made) {
        write_hex(signing->signature, key);
    }
    return made;
}

char *
aws_sigv4_authorization(const struct aws_sigv4_request *request,
                        const struct aws_sigv4_signer *signer)
{
    struct signing signing = {.request = request, .signer = signer};
    char *value = NULL;

    if (find_date(&signing) && make_scope(&signing) && list_headers(&signing) &&
        make_string_to_sign(&signing) && make_signature(&signing) &&
        asprintf(&value,
                 ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                 signer->access_key, signing.scope, signing.signed_headers,
                 signing.signature) < 0) {
        value = NULL; /* undefined otherwise: asprintf(3) */
    }
    free(signing.scope);
    free(signing.signed_headers);
    free(signing.to_sign);
    return value;
}
