/*
 * The TLS settings of the reporter's transfers. Certificates are always
 * verified. No peer can make a handshake, or the messages after it, cost more
 * than some tens of milliseconds of CPU, because all transfers share one event
 * loop.
 */
#ifndef TLS_H
#define TLS_H

#include <curl/curl.h>

#include "base/tls_files.h"
#include "tls_trust.h"

/*
 * Prepares easy for https. 0, or -1 if libcurl refuses: no memory, or its TLS
 * library is not OpenSSL. Does not block. files, of which ca is not read, is
 * borrowed for the call, trust for the life of easy. Both may be NULL. A
 * changed file is read again.
 *
 * The trusted CA certificates are those of trust. Without trust they are those
 * of libcurl's default bundle or, if that file is missing at the time of the
 * call, those of its default CA folder.
 */
int tls_set_up(CURL *easy, const struct tls_files *files,
               struct tls_trust *trust);

#endif
