/*
 * Decides which addresses callbacks may connect to: the defence against
 * server-side request forgery (SSRF), that is, against endpoints that only this
 * host can reach. It checks the address right before the connect and never a
 * name, so that neither an odd spelling nor a changed DNS answer bypasses it.
 *
 * Refused are all ranges of special_ranges.h and this host's own addresses,
 * unless callbacks.allow has them. An IPv6 address with an embedded IPv4
 * address is allowed only if both are. The metadata service of a cloud is
 * allowed only by its exact address, not by a block around it. Redis is never
 * allowed.
 */
#ifndef ADDRESS_POLICY_H
#define ADDRESS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct address_policy;

/* Size of a buffer for the longest reason, with its NUL. */
enum { ADDRESS_POLICY_WHY_SIZE = 256 };

/*
 * allow is the text of callbacks.allow: blocks and addresses, separated by
 * commas or blanks; "": none. NULL with the reason in why: if errno is EINVAL,
 * it names the entry that cannot be read; else the system refused.
 */
struct address_policy *address_policy_open(const char *allow,
                                           char why[ADDRESS_POLICY_WHY_SIZE]);
void address_policy_close(struct address_policy *policy);

/*
 * Protects Redis; to be called by redis_visit_peers after each connect. policy
 * is a struct address_policy. From then on that address and port are refused,
 * and the same port on all of this host's addresses if it is one of them. The
 * last ADDRESS_POLICY_PROTECTED_MAX are remembered.
 */
void address_policy_protect(void *policy, const struct sockaddr *redis);

enum { ADDRESS_POLICY_PROTECTED_MAX = 64 };

/*
 * True if callbacks may connect to address; else why has the address, its range
 * and the option that allows it. Does not block.
 */
bool address_policy_check(struct address_policy *policy,
                          const struct sockaddr *address,
                          char why[ADDRESS_POLICY_WHY_SIZE]);

#endif
