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
#include "base/ip_address.h"
#include "base/ip_list.h"
#include "local_addresses.h"
#include "special_ranges.h"

/* An address with a port. */
struct target {
    struct ip_address address;
    uint16_t port;
};

struct address_policy {
    struct local_addresses *locals;
    struct ip_list allowed; /* callbacks.allow */
    /* Redis's last addresses, in a ring: the oldest is overwritten. */
    struct target protected[ADDRESS_POLICY_PROTECTED_MAX];
    size_t protected_count; /* so far; may be more than the ring has */
};

struct address_policy *
address_policy_open(const char *allow, char why[ADDRESS_POLICY_WHY_SIZE])
{
    struct address_policy *policy = calloc(1, sizeof(*policy));
    char problem[IP_LIST_WHY_SIZE];
    int reason;

    if (policy == NULL) {
        snprintf(why, ADDRESS_POLICY_WHY_SIZE, "no memory");
        return NULL;
    }
    if (ip_list_read(&policy->allowed, allow, problem) == 0) {
        policy->locals = local_addresses_open(clock_mono_ms());
        if (policy->locals != NULL) {
            return policy;
        }
        snprintf(why, ADDRESS_POLICY_WHY_SIZE,
                 "cannot list this host's addresses: %s", strerror(errno));
    } else {
        snprintf(why, ADDRESS_POLICY_WHY_SIZE, "callbacks.allow: %s", problem);
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
        ip_list_fini(&policy->allowed);
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
address_policy_protect(void *policy, const struct sockaddr *redis)
{
    struct target inner;
    struct target target;

    if (ip_address_read(redis, &target.address, &target.port) == 0) {
        add_protected((struct address_policy *)policy,
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
        ip_list_has(&policy->allowed, &target->address,
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
