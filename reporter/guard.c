/*
 * guard: from the table of ranges and the operator's blocks to a verdict.
 */
#include "guard.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "cidr.h"
#include "clock.h"
#include "homes.h"
#include "range.h"

#define SEPARATORS ", \t"

/* Long enough for any address: how much of a bad entry is shown. */
enum { ENTRY_SHOWN = CIDR_TEXT_SIZE };

struct place {
    struct address address;
    uint16_t port;
};

struct guard {
    struct homes *homes;
    struct cidr *open; /* what the operator opens */
    size_t open_count;
    struct place protected[GUARD_PROTECTED_MAX]; /* where Redis is or was */
    size_t protected_count; /* all that were noted: more may be forgotten */
};

/* Reads all entries. 0, or -1 (errno) with the reason. */
static int
read_allow(struct guard *guard, const char *allow, char why[GUARD_WHY_SIZE])
{
    size_t len;

    /* One entry has at least one byte, and a separator. */
    guard->open = calloc(strlen(allow) / 2 + 1, sizeof(struct cidr));
    if (guard->open == NULL) {
        snprintf(why, GUARD_WHY_SIZE, "no memory");
        return -1;
    }
    for (allow += strspn(allow, SEPARATORS); *allow != '\0';
         allow += len + strspn(allow + len, SEPARATORS)) {
        struct cidr *block = &guard->open[guard->open_count++];
        const char *problem;

        len = strcspn(allow, SEPARATORS);
        problem = cidr_parse(allow, len, block);
        if (problem != NULL) {
            snprintf(why, GUARD_WHY_SIZE, "callbacks.allow: \"%.*s\" %s",
                     len < ENTRY_SHOWN ? (int)len : ENTRY_SHOWN, allow,
                     problem);
            errno = EINVAL;
            return -1;
        }
    }
    return 0;
}

struct guard *
guard_open(const char *allow, char why[GUARD_WHY_SIZE])
{
    struct guard *guard = calloc(1, sizeof(*guard));
    int reason;

    if (guard == NULL) {
        snprintf(why, GUARD_WHY_SIZE, "no memory");
        return NULL;
    }
    if (read_allow(guard, allow, why) == 0) {
        guard->homes = homes_open(clock_mono_ms());
        if (guard->homes != NULL) {
            return guard;
        }
        snprintf(why, GUARD_WHY_SIZE, "cannot list this host's addresses: %s",
                 strerror(errno));
    }
    reason = errno;
    guard_close(guard);
    errno = reason;
    return NULL;
}

void
guard_close(struct guard *guard)
{
    if (guard != NULL) {
        homes_close(guard->homes);
        free(guard->open);
        free(guard);
    }
}

/* How many of protected are in use. */
static size_t
protected_places(const struct guard *guard)
{
    return guard->protected_count < GUARD_PROTECTED_MAX ? guard->protected_count
                                                        : GUARD_PROTECTED_MAX;
}

static bool
same_place(const struct place *a, const struct place *b)
{
    return a->port == b->port && address_equal(&a->address, &b->address);
}

/* True with the IPv4 place that an IPv6 one stands for. */
static bool
stands_for(const struct place *place, struct place *inner)
{
    const struct range *range = range_find(&place->address);

    inner->port = place->port;
    return range != NULL &&
           range_embedded(range, &place->address, &inner->address);
}

static void
remember(struct guard *guard, const struct place *place)
{
    for (size_t i = 0; i < protected_places(guard); i++) {
        if (same_place(&guard->protected[i], place)) {
            return;
        }
    }
    guard->protected[guard->protected_count++ % GUARD_PROTECTED_MAX] = *place;
}

void
guard_protect(struct guard *guard, const struct sockaddr *redis)
{
    struct place inner;
    struct place place;

    if (address_read(redis, &place.address, &place.port) == 0) {
        remember(guard, stands_for(&place, &inner) ? &inner : &place);
    }
}

/* A Redis on this host may well listen on another of its addresses too. */
static bool
is_redis(struct guard *guard, const struct place *place, int64_t now_ms)
{
    for (size_t i = 0; i < protected_places(guard); i++) {
        const struct place *redis = &guard->protected[i];

        if (same_place(redis, place) ||
            (redis->port == place->port &&
             homes_has(guard->homes, &redis->address, now_ms) &&
             homes_has(guard->homes, &place->address, now_ms))) {
            return true;
        }
    }
    return false;
}

static bool
is_open(const struct guard *guard, const struct address *address,
        bool by_itself_only)
{
    for (size_t i = 0; i < guard->open_count; i++) {
        const struct cidr *open = &guard->open[i];

        if (cidr_holds(open, address) &&
            (!by_itself_only || cidr_is_single(open))) {
            return true;
        }
    }
    return false;
}

/* Says what it is, and that callbacks.allow does not open it. */
static void
explain(const struct address *address, const struct range *range,
        char why[GUARD_WHY_SIZE])
{
    char shown[ADDRESS_TEXT_SIZE];
    char block[CIDR_TEXT_SIZE];

    address_format(address, shown);
    if (range == NULL) {
        snprintf(why, GUARD_WHY_SIZE,
                 "%s is an address of this host, which callbacks.allow does "
                 "not open",
                 shown);
        return;
    }
    cidr_format(&range->block, block);
    snprintf(
        why, GUARD_WHY_SIZE, "%s is in %s %s, %s, which callbacks.allow %s",
        shown, block, range->name, range->source,
        range->metadata ? "opens only by that very address" : "does not open");
}

static void
explain_redis(const struct place *place, char why[GUARD_WHY_SIZE])
{
    char shown[ADDRESS_TEXT_SIZE];

    address_format(&place->address, shown);
    snprintf(why, GUARD_WHY_SIZE,
             "%s port %u is Redis itself, which callbacks.allow can't open",
             shown, place->port);
}

/* Judges one address, without what it stands for. */
static bool
judge(struct guard *guard, const struct place *place, char why[GUARD_WHY_SIZE])
{
    const struct range *range = range_find(&place->address);
    int64_t now_ms = clock_mono_ms();

    if (is_redis(guard, place, now_ms)) {
        explain_redis(place, why);
        return false;
    }
    if ((range == NULL && !homes_has(guard->homes, &place->address, now_ms)) ||
        is_open(guard, &place->address, range != NULL && range->metadata)) {
        return true;
    }
    explain(&place->address, range, why);
    return false;
}

bool
guard_check(struct guard *guard, const struct sockaddr *address,
            char why[GUARD_WHY_SIZE])
{
    struct place inner;
    struct place place;

    why[0] = '\0';
    if (address_read(address, &place.address, &place.port) != 0) {
        snprintf(why, GUARD_WHY_SIZE, "not an Internet address");
        return false;
    }
    return judge(guard, &place, why) &&
           (!stands_for(&place, &inner) || judge(guard, &inner, why));
}
