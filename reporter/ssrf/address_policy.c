/*
 * guard: from the table of ranges and the operator's blocks to a verdict.
 */
#include "address_policy.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ip_block.h"
#include "local_addresses.h"
#include "net/ip_address.h"
#include "special_ranges.h"

#define SEPARATORS ", \t"

/* Long enough for any address: how much of a bad entry is shown. */
enum { ENTRY_SHOWN = IP_BLOCK_TEXT_SIZE };

struct place {
    struct ip_address address;
    uint16_t port;
};

struct address_policy {
    struct local_addresses *locals;
    struct ip_block *open; /* what the operator opens */
    size_t open_count;
    struct place protected[ADDRESS_POLICY_PROTECTED_MAX]; /* where Redis is or
                                                             was */
    size_t protected_count; /* all that were noted: more may be forgotten */
};

/* Reads all entries. 0, or -1 (errno) with the reason. */
static int
read_allow(struct address_policy *policy, const char *allow,
           char why[ADDRESS_POLICY_WHY_SIZE])
{
    size_t len;

    /* One entry has at least one byte, and a separator. */
    policy->open = calloc(strlen(allow) / 2 + 1, sizeof(struct ip_block));
    if (policy->open == NULL) {
        snprintf(why, ADDRESS_POLICY_WHY_SIZE, "no memory");
        return -1;
    }
    for (allow += strspn(allow, SEPARATORS); *allow != '\0';
         allow += len + strspn(allow + len, SEPARATORS)) {
        struct ip_block *block = &policy->open[policy->open_count++];
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
        free(policy->open);
        free(policy);
    }
}

/* How many of protected are in use. */
static size_t
protected_places(const struct address_policy *policy)
{
    return policy->protected_count < ADDRESS_POLICY_PROTECTED_MAX
               ? policy->protected_count
               : ADDRESS_POLICY_PROTECTED_MAX;
}

static bool
same_place(const struct place *a, const struct place *b)
{
    return a->port == b->port && ip_address_equal(&a->address, &b->address);
}

/* True with the IPv4 place that an IPv6 one stands for. */
static bool
stands_for(const struct place *place, struct place *inner)
{
    const struct special_range *range = special_range_find(&place->address);

    inner->port = place->port;
    return range != NULL &&
           special_range_embedded(range, &place->address, &inner->address);
}

static void
remember(struct address_policy *policy, const struct place *place)
{
    for (size_t i = 0; i < protected_places(policy); i++) {
        if (same_place(&policy->protected[i], place)) {
            return;
        }
    }
    policy
        ->protected[policy->protected_count++ % ADDRESS_POLICY_PROTECTED_MAX] =
        *place;
}

void
address_policy_protect(struct address_policy *policy,
                       const struct sockaddr *redis)
{
    struct place inner;
    struct place place;

    if (ip_address_read(redis, &place.address, &place.port) == 0) {
        remember(policy, stands_for(&place, &inner) ? &inner : &place);
    }
}

/* A Redis on this host may well listen on another of its addresses too. */
static bool
is_redis(struct address_policy *policy, const struct place *place,
         int64_t now_ms)
{
    for (size_t i = 0; i < protected_places(policy); i++) {
        const struct place *redis = &policy->protected[i];

        if (same_place(redis, place) ||
            (redis->port == place->port &&
             local_addresses_has(policy->locals, &redis->address, now_ms) &&
             local_addresses_has(policy->locals, &place->address, now_ms))) {
            return true;
        }
    }
    return false;
}

static bool
is_open(const struct address_policy *policy, const struct ip_address *address,
        bool by_itself_only)
{
    for (size_t i = 0; i < policy->open_count; i++) {
        const struct ip_block *open = &policy->open[i];

        if (ip_block_holds(open, address) &&
            (!by_itself_only || ip_block_is_single(open))) {
            return true;
        }
    }
    return false;
}

/* Says what it is, and that callbacks.allow does not open it. */
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
explain_redis(const struct place *place, char why[ADDRESS_POLICY_WHY_SIZE])
{
    char shown[IP_ADDRESS_TEXT_SIZE];

    ip_address_format(&place->address, shown);
    snprintf(why, ADDRESS_POLICY_WHY_SIZE,
             "%s port %u is Redis itself, which callbacks.allow can't open",
             shown, place->port);
}

/* Judges one address, without what it stands for. */
static bool
judge(struct address_policy *policy, const struct place *place,
      char why[ADDRESS_POLICY_WHY_SIZE])
{
    const struct special_range *range = special_range_find(&place->address);
    int64_t now_ms = clock_mono_ms();

    if (is_redis(policy, place, now_ms)) {
        explain_redis(place, why);
        return false;
    }
    if ((range == NULL &&
         !local_addresses_has(policy->locals, &place->address, now_ms)) ||
        is_open(policy, &place->address, range != NULL && range->metadata)) {
        return true;
    }
    explain(&place->address, range, why);
    return false;
}

bool
address_policy_check(struct address_policy *policy,
                     const struct sockaddr *address,
                     char why[ADDRESS_POLICY_WHY_SIZE])
{
    struct place inner;
    struct place place;

    why[0] = '\0';
    if (ip_address_read(address, &place.address, &place.port) != 0) {
        snprintf(why, ADDRESS_POLICY_WHY_SIZE, "not an Internet address");
        return false;
    }
    return judge(policy, &place, why) &&
           (!stands_for(&place, &inner) || judge(policy, &inner, why));
}
