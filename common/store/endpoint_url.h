/*
 * Which URLs may be endpoints. libcurl's own URL parser decides, so that the
 * reporter can call every endpoint that the responder accepts; the rules that
 * libcurl does not have are checked here. Addresses are not checked here: that
 * is done when the host's address is known (reporter/ssrf).
 */
#ifndef ENDPOINT_URL_H
#define ENDPOINT_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "error_code.h"

enum { ENDPOINT_URL_MAX_BYTES = 2048 };

/*
 * Checks url[0..*len), which is percent-decoded already. Returns
 * ERROR_CODE_NONE if it may be called, and cuts its fragment off by shortening
 * *len; else the code of the rule that it breaks, one of
 *
 *   ENDPOINT_TOO_LONG       over ENDPOINT_URL_MAX_BYTES
 *   ENDPOINT_BAD_BYTE       a byte outside 0x21-0x7E (RFC 3986, 2)
 *   ENDPOINT_NOT_ABSOLUTE   no scheme, or no // after it
 *   ENDPOINT_BAD_SCHEME     not http or https
 *   ENDPOINT_NO_HOST        an empty host
 *   ENDPOINT_BAD_HOST       the host, decoded, is no address and no name
 *                           (host_name_is_valid)
 *   ENDPOINT_CREDENTIALS    user information before the host
 *   ENDPOINT_BAD_PORT       port 0, over 65535, or not a number
 *   ENDPOINT_ZONE_ID        an IPv6 zone (RFC 6874)
 *   ENDPOINT_MALFORMED      anything else that libcurl refuses
 */
enum error_code endpoint_url_check(const char *url, size_t *len);

/*
 * Writes the host of a URL that endpoint_url_check has accepted, as libcurl
 * calls it: decoded, an IPv4 address as four numbers, an IPv6 address in
 * brackets. False if there is no memory or the host does not fit.
 */
bool endpoint_url_host(const char *url, char *host, size_t size);

#endif
