/*
 * Which texts are host names. Nothing is looked up in the DNS.
 */
#ifndef HOST_NAME_H
#define HOST_NAME_H

#include <stdbool.h>
#include <stddef.h>

/*
 * True if host[0..len) may be a name or an IPv4 address as four numbers: labels
 * of 1 to 63 letters, digits, - and _, separated by dots, of at most 253 bytes
 * in all, with or without a dot at the end (RFC 1035, 2.3.4; RFC 1123, 2.1).
 * The underscore is no letter of a host name, but names with it exist. Digits
 * and dots alone are only an address. IPv6 addresses are no names.
 */
bool host_name_is_valid(const char *host, size_t len);

#endif
