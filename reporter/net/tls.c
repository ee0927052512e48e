/*
 * tls: base/tls_limits.h has the limits; libcurl sets those of ciphers and
 * groups by itself.
 */
#include "tls.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/tls_limits.h"

/* A changed CA bundle is used after at most this time. */
enum { CA_CACHE_S = 600 };

/* Called by libcurl for each connection, with a trust or NULL. */
static CURLcode
set_up_connection(CURL *easy, void *context, void *trust)
{
    SSL_CTX *ssl = context;

    (void)easy;
    /* Takes the place of the store that libcurl will set. */
    if (trust != NULL &&
        SSL_CTX_set1_verify_cert_store(ssl, tls_trust_store(trust)) != 1) {
        return CURLE_OUT_OF_MEMORY;
    }
    tls_limits_set(ssl);
    return CURLE_OK;
}

static bool
set_long(CURL *easy, CURLoption option, long value)
{
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

static bool
set_text(CURL *easy, CURLoption option, const char *value)
{
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

/*
 * Parsing a CA bundle takes 50 ms. libcurl caches the result in the multi
 * handle, but only if no CA folder is set; Debian's libcurl sets both by
 * default. If a bundle is set and its file is missing, all handshakes fail.
 * Before 7.87 libcurl has no cache.
 * https://curl.se/libcurl/c/CURLOPT_CA_CACHE_TIMEOUT.html
 */
static bool
set_trust(CURL *easy)
{
    const char *bundle = curl_version_info(CURLVERSION_NOW)->cainfo;

    if (bundle == NULL || access(bundle, R_OK) != 0) {
        return set_text(easy, CURLOPT_CAINFO, NULL);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    if (!set_long(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S)) {
        return false;
    }
#endif
    return set_text(easy, CURLOPT_CAPATH, NULL);
}

static bool
set_files(CURL *easy, const struct tls_files *files)
{
    return files == NULL || files->cert[0] == '\0' ||
           (set_text(easy, CURLOPT_SSLCERT, files->cert) &&
            set_text(easy, CURLOPT_SSLKEY, tls_files_key(files)) &&
            /* Else OpenSSL would ask the terminal for a passphrase. */
            set_text(easy, CURLOPT_KEYPASSWD, ""));
}

int
tls_set_up(CURL *easy, const struct tls_files *files, struct tls_trust *trust)
{
    return set_long(easy, CURLOPT_SSL_VERIFYPEER, 1) &&
                   set_long(easy, CURLOPT_SSL_VERIFYHOST, 2) &&
                   set_long(easy, CURLOPT_SSLVERSION,
                            CURL_SSLVERSION_TLSv1_2) &&
                   set_text(easy, CURLOPT_SSL_CIPHER_LIST,
                            tls_limits_ciphers) &&
                   set_text(easy, CURLOPT_SSL_EC_CURVES, tls_limits_groups) &&
                   set_trust(easy) && set_files(easy, files) &&
                   curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, trust) ==
                       CURLE_OK &&
                   curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION,
                                    set_up_connection) == CURLE_OK
               ? 0
               : -1;
}
