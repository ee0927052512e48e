/*
 * Which addresses may be called: the defence against endpoints that would have
 * us call what only we can reach (server-side request forgery). It judges the
 * address that is about to be connected to, never a name, so that no spelling
 * and no change of mind of a name server gets around it.
 *
 * Refused is all that special_ranges.h knows, and this host's own addresses.
 * The operator opens blocks by callbacks.allow. An IPv6 address that stands for
 * an IPv4 one needs both to be open. A cloud's metadata service is opened only
 * by its very address, not by a block around it. Redis is never opened.
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
 * allow is the text of callbacks.allow: blocks or addresses, separated by
 * commas or blanks; none: "". NULL with the reason in why: either an entry
 * that can't be read, which is named (errno EINVAL), or the system refuses
 * (errno is another).
 */
struct address_policy *address_policy_open(const char *allow,
                                           char why[ADDRESS_POLICY_WHY_SIZE]);
void address_policy_close(struct address_policy *policy);

/*
 * Notes where Redis is, each time it is connected to: that address and port
 * stay closed, on all of this host's addresses where it is one of them. Where
 * it is reached by a unix socket, see redis_peer. The last
 * ADDRESS_POLICY_PROTECTED_MAX are remembered.
 */
void address_policy_protect(struct address_policy *policy,
                            const struct sockaddr *redis);

enum { ADDRESS_POLICY_PROTECTED_MAX = 64 };

/*
 * True where address may be called; else why names the address, the range that
 * it is in, and the key that would open it. Does not block.
 */
bool address_policy_check(struct address_policy *policy,
                          const struct sockaddr *address,
                          char why[ADDRESS_POLICY_WHY_SIZE]);

#endif
