/*
 * hmac: libcrypto's EVP_MAC. Finding the algorithm takes it longer than a
 * short message does: hence the context that is kept.
 */
#include "hmac.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

struct hmac {
    EVP_MAC *algorithm;
    EVP_MAC_CTX *context; /* set to SHA-256 */
};

struct hmac *
hmac_open(void)
{
    char digest[] = "SHA256";
    OSSL_PARAM settings[] = {
        OSSL_PARAM_construct_utf8_string("digest", digest, 0),
        OSSL_PARAM_construct_end(),
    };
    struct hmac *hmac = calloc(1, sizeof(*hmac));

    if (hmac == NULL) {
        return NULL;
    }
    hmac->algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (hmac->algorithm != NULL) {
        hmac->context = EVP_MAC_CTX_new(hmac->algorithm);
    }
    if (hmac->context == NULL ||
        EVP_MAC_CTX_set_params(hmac->context, settings) != 1) {
        hmac_close(hmac);
        return NULL;
    }
    return hmac;
}

void
hmac_close(struct hmac *hmac)
{
    if (hmac != NULL) {
        EVP_MAC_CTX_free(hmac->context);
        EVP_MAC_free(hmac->algorithm);
        free(hmac);
    }
}

bool
hmac_start(struct hmac *hmac, const void *key, size_t len)
{
    return EVP_MAC_init(hmac->context, key, len, NULL) == 1;
}

bool
hmac_add(struct hmac *hmac, const void *bytes, size_t len)
{
    return EVP_MAC_update(hmac->context, bytes, len) == 1;
}

bool
hmac_end(struct hmac *hmac, unsigned char result[HMAC_BYTES])
{
    size_t len;

    return EVP_MAC_final(hmac->context, result, &len, HMAC_BYTES) == 1 &&
           len == HMAC_BYTES;
}
