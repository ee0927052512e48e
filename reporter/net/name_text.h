/*
 * The texts that dns_cache.c deals in: a host's name, and the addresses that it
 * has. Pure.
 */
#ifndef NAME_TEXT_H
#define NAME_TEXT_H

struct addrinfo;

enum {
    /* RFC 1035, 2.3.4: 253 bytes, then perhaps a dot, and here a NUL. */
    NAME_TEXT_SIZE = 255,
    NAME_ADDRESSES_MAX = 16, /* of one name; the rest is left out */
};

/* Writes host in small letters. 0, or -1 where it is too long for a name. */
int name_lower(const char *host, char text[NAME_TEXT_SIZE]);

/*
 * The addresses as CURLOPT_RESOLVE has them, 192.0.2.1,[2001:db8::1], in the
 * order found. malloc'd; NULL where there is none, or no memory.
 */
char *name_addresses(const struct addrinfo *found);

#endif
