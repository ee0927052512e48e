/*
 * A list of patterns of hosts, such as "a.example, *.b.example, 192.0.2.1,
 * [2001:db8::1]": names, names below a name, and addresses. A host is compared
 * as text; nothing is looked up in the DNS.
 *
 * Names are compared without regard to case and to a dot at the end (RFC 4343;
 * RFC 1034, 3.1), IPv6 addresses in the form of RFC 5952.
 */
#ifndef HOST_LIST_H
#define HOST_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Size of a buffer for the longest name (RFC 1035, 2.3.4), its NUL, brackets
   and a dot. */
enum { HOST_LIST_NAME_SIZE = 256 };

struct host_list;

/*
 * What is wrong with text, as a sentence, static; NULL: nothing is. text is
 * patterns, separated by commas or blanks; "" is none.
 */
const char *host_list_problem(const char *text);

/* Copies text; a pattern that host_list_problem refuses is left out. NULL: no
   memory. */
struct host_list *host_list_open(const char *text);
void host_list_close(struct host_list *list);

bool host_list_is_empty(const struct host_list *list);

/* True if a pattern matches host. "*.b.example" matches "a.b.example" and
   "x.a.b.example", not "b.example". */
bool host_list_has(const struct host_list *list, const char *host);

#endif
