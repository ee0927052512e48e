/*
 * How many attempts at unproven destinations are under way to each address: at
 * most ADDRESS_LOAD_MAX. So a stranger who has many names for one address, or a
 * /64 of addresses, gets no more slots than others. Pure.
 */
#ifndef ADDRESS_LOAD_H
#define ADDRESS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address_load;

enum {
    ADDRESS_LOAD_MAX = 64, /* attempts to one IPv4 address or IPv6 /64 */
    ADDRESS_SET_MAX = 8,   /* addresses of one host that count, the first */
    ADDRESS_KEY_SIZE = 9,  /* a family, and 4 or 8 bytes */
};

/* The addresses of one host. Zeroed: none is known. */
struct address_set {
    uint8_t keys[ADDRESS_SET_MAX][ADDRESS_KEY_SIZE]; /* each one once */
    size_t count;
};

/* Reads a list as in CURLOPT_RESOLVE: 192.0.2.1,[2001:db8::1]. A port may
   follow an address. */
void address_set_read(struct address_set *set, const char *addresses);

/* NULL: no memory. */
struct address_load *address_load_open(void);
void address_load_close(struct address_load *load);

/* True if each of the addresses may have one more attempt. */
bool address_load_has_room(const struct address_load *load,
                           const struct address_set *set);

/* Counts an attempt. 0, or -1: no memory, and nothing is counted. */
int address_load_take(struct address_load *load, const struct address_set *set);

/* Ends an attempt that was counted. */
void address_load_give(struct address_load *load,
                       const struct address_set *set);

#endif
