/*
 * tls: how the reporter's transfers do TLS. A certificate is always verified,
 * and no peer can make a handshake, or what follows it, cost more than some
 * tens of milliseconds of CPU: all transfers share one loop.
 */
#ifndef TLS_H
#define TLS_H

#include <curl/curl.h>

/*
 * Prepares easy for https. 0, or -1 if libcurl refuses: no memory, or another
 * TLS library than OpenSSL. Does not block.
 *
 * Trusted are the CA certificates of the bundle that libcurl was built with, or
 * those of its CA folder if there is no such file at the time of the call.
 */
int tls_set_up(CURL *easy);

#endif
