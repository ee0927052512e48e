/*
 * tls_trust: libcurl keeps what it has parsed of a CA bundle for later
 * connections, but that cache knows a single file, and its store is not there
 * yet when libcurl lets us set up a connection. So both files are kept parsed
 * here.
 */
#include "tls_trust.h"

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_stamp.h"

struct tls_trust {
    const char *file;
    const char *bundle; /* of the system; NULL: none */
    const char *folder; /* of the system; NULL: none */
    struct file_stamp stamps[2];
    X509_STORE *store;
};

/* Reads the certificates anew. If that fails, the old ones stay. */
static void
load(struct tls_trust *trust)
{
    X509_STORE *store = X509_STORE_new();

    if (store == NULL) {
        return;
    }
    /* As libcurl sets it: any trusted certificate ends a chain. */
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    if ((trust->bundle == NULL ||
         X509_STORE_load_file(store, trust->bundle) != 1) &&
        trust->folder != NULL) {
        X509_STORE_load_path(store, trust->folder);
    }
    if (X509_STORE_load_file(store, trust->file) == 1) {
        X509_STORE_free(trust->store);
        trust->store = store;
    } else {
        X509_STORE_free(store);
    }
    ERR_clear_error();
}

struct tls_trust *
tls_trust_open(const char *file)
{
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    struct tls_trust *trust = calloc(1, sizeof(*trust));

    if (trust == NULL) {
        return NULL;
    }
    trust->file = file;
    trust->bundle = curl->cainfo;
    trust->folder = curl->capath;
    if (tls_trust_store(trust) == NULL) {
        tls_trust_close(trust);
        return NULL;
    }
    return trust;
}

void
tls_trust_close(struct tls_trust *trust)
{
    if (trust != NULL) {
        X509_STORE_free(trust->store);
        free(trust);
    }
}

X509_STORE *
tls_trust_store(struct tls_trust *trust)
{
    struct file_stamp stamps[2] = {file_stamp_of(trust->file),
                                   file_stamp_of(trust->bundle)};

    if (trust->store == NULL ||
        memcmp(stamps, trust->stamps, sizeof(stamps)) != 0) {
        memcpy(trust->stamps, stamps, sizeof(stamps));
        load(trust);
    }
    return trust->store;
}
