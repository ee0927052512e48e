/*
 * A list of addresses and blocks of addresses, such as "10.0.0.0/8, ::1": the
 * entries are separated by commas or blanks. Pure, but for memory.
 */
#ifndef IP_LIST_H
#define IP_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "ip_address.h"

/* Zeroed: empty. */
struct ip_list {
    struct ip_block *blocks; /* malloc'd */
    size_t count;
};

/* Size of a buffer for the longest reason, with its NUL. */
enum { IP_LIST_WHY_SIZE = 128 };

/*
 * Reads text into *list; "" is an empty list. 0, or -1 (errno) with the reason:
 * if errno is EINVAL, it names the entry that cannot be read; else there is no
 * memory. In both cases ip_list_fini frees the list.
 */
int ip_list_read(struct ip_list *list, const char *text,
                 char why[IP_LIST_WHY_SIZE]);
void ip_list_fini(struct ip_list *list);

/* What is wrong with text, static; NULL: ip_list_read can read it. */
const char *ip_list_problem(const char *text);

/*
 * True if an entry contains address. exact: blocks of more than one address do
 * not count.
 */
bool ip_list_has(const struct ip_list *list, const struct ip_address *address,
                 bool exact);

#endif
