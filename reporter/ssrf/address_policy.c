/*
 * address_policy: combines the table of special ranges, this host's addresses,
 * callbacks.allow and the addresses of Redis into one decision.
 */
#include "address_policy.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "local_addresses.h"
#include "net/ip_address.h"
#include "special_ranges.h"

#define SEPARATORS ", \t"

/* How much of a bad entry is shown: enough for any address. */
enum { ENTRY_SHOWN = IP_BLOCK_TEXT_SIZE };

/* An address with a port. */
struct target {
    struct ip_address address;
    uint16_t port;
};

struct address_policy {
    struct local_addresses *locals;
    struct ip_block *allowed; /* callbacks.allow */
    size_t allowed_count;
    /* Where Redis is or was: a ring, the oldest is overwritten. */
    struct target protected[ADDRESS_POLICY_PROTECTED_MAX];
    size_t protected_count; /* so far; may be more than the ring has */
};

/* Reads callbacks.allow. 0, or -1 (errno) with the reason. */
static int
read_allow(struct address_policy *policy, const char *allow,
           char why[ADDRESS_POLICY_WHY_SIZE])
{
    size_t len;

    /* Each entry has at least one byte and, except the last, a separator. */
    policy->allowed = calloc(strlen(allow) / 2 + 1, sizeof(struct ip_block));
    if (policy->allowed == NULL) {
        snprintf(why, ADDRESS_POLICY_WHY_SIZE, "no memory");
        return -1;
    }
    for (allow += strspn(allow, SEPARATORS); *allow != '\0';
         allow += len + strspn(allow + len, SEPARATORS)) {
        struct ip_block *block = &policy->allowed[policy->allowed_count++];
        const char *problem;

        len = strcspn(allow, SEPARATORS);
        problem = ip_block_parse(allow, len, block);
        if (problem != NULL) {
            snprintf(
                why, ADDRESS_POLICY_WHY_SIZE, "callbacks.allow: \"%.*s\" %s",
                len < ENTRY_SHOWN ? (int)len : ENTRY_SHOWN, allow, problem);
            errno = EINVAL;
            return -1;
        }
    }
    return 0;
}

struct address_policy *
address_policy_open(const char *allow, char why[ADDRESS_POLICY_WHY_SIZE])
{
    struct address_policy *policy = calloc(1, sizeof(*policy));
    int reason;

    if (policy == NULL) {
        snprintf(why, ADDRESS_POLICY_WHY_SIZE, "no memory");
        return NULL;
    }
    if (read_allow(policy, allow, why) == 0) {
        policy->locals = local_addresses_open(clock_mono_ms());
        if (policy->locals != NULL) {
            return policy;
        }
        snprintf(why, ADDRESS_POLICY_WHY_SIZE,
                 "cannot list this host's addresses: %s", strerror(errno));
    }
    reason = errno;
    address_policy_close(policy);
    errno = reason;
    return NULL;
}

void
address_policy_close(struct address_policy *policy)
{
    if (policy != NULL) {
        local_addresses_close(policy->locals);
        free(policy->allowed);
        free(policy);
    }
}

/* The number of targets in the ring. */
static size_t
ring_count(const struct address_policy *policy)
{
    return policy->protected_count < ADDRESS_POLICY_PROTECTED_MAX
               ? policy->protected_count
               : ADDRESS_POLICY_PROTECTED_MAX;
}

static bool
same_target(const struct target *a, const struct target *b)
{
    return a->port == b->port && ip_address_equal(&a->address, &b->address);
}

/*
 * Sets *inner to the embedded IPv4 address, with the same port; false if there
 * is none.
 */
static bool
find_embedded(const struct target *target, struct target *inner)
{
    const struct special_range *range = special_range_find(&target->address);

    inner->port = target->port;
    return range != NULL &&
           special_range_embedded(range, &target->address, &inner->address);
}

static void
add_protected(struct address_policy *policy, const struct target *target)
{
    size_t i;

    for (i = 0; i < ring_count(policy); i++) {
        if (same_target(&policy->protected[i], target)) {
            return;
        }
    }
    i = policy->protected_count++ % ADDRESS_POLICY_PROTECTED_MAX;
    policy->protected[i] = *target;
}

void
address_policy_protect(struct address_policy *policy,
                       const struct sockaddr *redis)
{
    struct target inner;
    struct target target;

    if (ip_address_read(redis, &target.address, &target.port) == 0) {
        add_protected(policy,
                      find_embedded(&target, &inner) ? &inner : &target);
    }
}

/* A Redis on this host may listen on several of its addresses. */
static bool
is_redis(struct address_policy *policy, const struct target *target,
         int64_t now_ms)
{
    for (size_t i = 0; i < ring_count(policy); i++) {
        const struct target *redis = &policy->protected[i];

        if (same_target(redis, target) ||
            (redis->port == target->port &&
             local_addresses_contain(policy->locals, &redis->address, now_ms) &&
             local_addresses_contain(policy->locals, &target->address,
                                     now_ms))) {
            return true;
        }
    }
    return false;
}

static bool
is_allowed(const struct address_policy *policy,
           const struct ip_address *address, bool exact_only)
{
    for (size_t i = 0; i < policy->allowed_count; i++) {
        const struct ip_block *block = &policy->allowed[i];

        if (ip_block_contains(block, address) &&
            (!exact_only || ip_block_is_single(block))) {
            return true;
        }
    }
    return false;
}

/* range is NULL if the address is only one of this host's own. */
static void
explain(const struct ip_address *address, const struct special_range *range,
        char why[ADDRESS_POLICY_WHY_SIZE])
{
    char shown[IP_ADDRESS_TEXT_SIZE];
    char block[IP_BLOCK_TEXT_SIZE];

    ip_address_format(address, shown);
    if (range == NULL) {
        snprintf(why, ADDRESS_POLICY_WHY_SIZE,
                 "%s is an address of this host, which callbacks.allow does "
                 "not open",
                 shown);
        return;
    }
    ip_block_format(&range->block, block);
    snprintf(why, ADDRESS_POLICY_WHY_SIZE,
             "%s is in %s %s, %s, which callbacks.allow %s", shown, block,
             range->name, range->source,
             range->metadata ? "opens only by that very address"
                             : "does not open");
}

static void
explain_redis(const struct target *target, char why[ADDRESS_POLICY_WHY_SIZE])
{
    char shown[IP_ADDRESS_TEXT_SIZE];

    ip_address_format(&target->address, shown);
    snprintf(why, ADDRESS_POLICY_WHY_SIZE,
             "%s port %u is Redis itself, which callbacks.allow can't open",
             shown, target->port);
}

/* Checks a target without its embedded address. */
static bool
check_target(struct address_policy *policy, const struct target *target,
             char why[ADDRESS_POLICY_WHY_SIZE])
{
    const struct special_range *range = special_range_find(&target->address);
    int64_t now_ms = clock_mono_ms();

    if (is_redis(policy, target, now_ms)) {
        explain_redis(target, why);
        return false;
    }
    if ((range == NULL &&
         !local_addresses_contain(policy->locals, &target->address, now_ms)) ||
        is_allowed(policy, &target->address,
                   range != NULL && range->metadata)) {
        return true;
    }
    explain(&target->address, range, why);
    return false;
}

bool
address_policy_check(struct address_policy *policy,
                     const struct sockaddr *address,
                     char why[ADDRESS_POLICY_WHY_SIZE])
{
    struct target inner;
    struct target target;

    why[0] = '\0';
    if (ip_address_read(address, &target.address, &target.port) != 0) {
        snprintf(why, ADDRESS_POLICY_WHY_SIZE, "not an Internet address");
        return false;
    }
    return check_target(policy, &target, why) &&
           (!find_embedded(&target, &inner) ||
            check_target(policy, &inner, why));
}
