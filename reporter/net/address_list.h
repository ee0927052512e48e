/*
 * The addresses of a name as text, as CURLOPT_RESOLVE has them:
 * 192.0.2.1,[2001:db8::1],192.0.2.2. Pure.
 */
#ifndef ADDRESS_LIST_H
#define ADDRESS_LIST_H

#include "base/ip_address.h"

/* Size of a buffer for two addresses, with brackets, a comma and a NUL. */
enum { ADDRESS_LIST_PAIR_SIZE = 2 * (IP_ADDRESS_TEXT_SIZE + 3) };

/*
 * Writes the addresses for a round of attempts to connect: the IPv4 address and
 * the IPv6 address that have this number in the list, from 0, in the list's
 * order; "" if there are none. Returns how many rounds there are.
 */
int address_list_pick(const char *list, int round,
                      char pair[ADDRESS_LIST_PAIR_SIZE]);

#endif
