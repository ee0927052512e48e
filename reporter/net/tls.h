/*
 * The TLS settings of the reporter's transfers. Certificates are always
 * verified. No peer can make a handshake, or the messages after it, cost more
 * than some tens of milliseconds of CPU, because all transfers share one event
 * loop.
 */
#ifndef TLS_H
#define TLS_H

#include <curl/curl.h>

#include "tls_trust.h"

/* Files in PEM form; "": none. A changed file is read again. */
struct tls_files {
    const char *ca;   /* certificates to be trusted, too */
    const char *cert; /* of this side, with its chain */
    const char *key;  /* of cert; "": it is in the file of cert */
};

enum tls_files_state {
    TLS_FILES_OK,
    TLS_FILES_CA,   /* ca can't be used */
    TLS_FILES_CERT, /* cert can't be used */
    TLS_FILES_KEY,  /* key can't be used with cert */
};

/* Reads the files once. If one can't be used, *why says so, until the next call
   of strerror. */
enum tls_files_state tls_check(const struct tls_files *files, const char **why);

/*
 * Prepares easy for https. 0, or -1 if libcurl refuses: no memory, or its TLS
 * library is not OpenSSL. Does not block. files, of which ca is not read, is
 * borrowed for the call, trust for the life of easy. Both may be NULL.
 *
 * The trusted CA certificates are those of trust. Without trust they are those
 * of libcurl's default bundle or, if that file is missing at the time of the
 * call, those of its default CA folder.
 */
int tls_set_up(CURL *easy, const struct tls_files *files,
               struct tls_trust *trust);

#endif
