/*
 * The text of callbacks.resolvers: the name servers to ask, as addresses with
 * or without a port. Pure.
 */
#ifndef DNS_SERVERS_H
#define DNS_SERVERS_H

#include "base/ip_address.h"

/* Size of a buffer for the longest reason, with its NUL. */
enum { DNS_SERVERS_WHY_SIZE = IP_BLOCK_TEXT_SIZE + 64 };

/*
 * Reads a list of name servers, separated by commas or blanks: 192.0.2.1,
 * 192.0.2.1:5353, 2001:db8::1, [2001:db8::1]:5353. The port is 53 if there is
 * none. Returns the list in the form that c-ares reads, malloc'd; "" if there
 * are no servers. NULL with the reason in why: if errno is EINVAL, it quotes
 * the entry that cannot be read; else there is no memory.
 */
char *dns_servers_parse(const char *text, char why[DNS_SERVERS_WHY_SIZE]);

#endif
