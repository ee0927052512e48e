/*
 * attempts: all that were made in one array, the idle ones in a stack, so that
 * the one that was busy last, which is still in the cache, is the next.
 */
#include "attempts.h"

#include <stdlib.h>

struct attempts {
    const struct terms *terms;
    size_t most;
    size_t made;
    size_t idle_count;
    struct attempt **all;  /* [0..made) */
    struct attempt **idle; /* [0..idle_count) */
};

struct attempts *
attempts_open(const struct terms *terms, size_t most)
{
    struct attempts *attempts = calloc(1, sizeof(*attempts));

    if (attempts == NULL) {
        return NULL;
    }
    attempts->terms = terms;
    attempts->most = most;
    attempts->all = calloc(attempts->most, sizeof(struct attempt *));
    attempts->idle = calloc(attempts->most, sizeof(struct attempt *));
    if (attempts->all == NULL || attempts->idle == NULL) {
        attempts_close(attempts);
        return NULL;
    }
    return attempts;
}

void
attempts_close(struct attempts *attempts)
{
    if (attempts != NULL) {
        while (attempts->made > 0) {
            attempt_close(attempts->all[--attempts->made]);
        }
        free(attempts->all);
        free(attempts->idle);
        free(attempts);
    }
}

size_t
attempts_busy(const struct attempts *attempts)
{
    return attempts->made - attempts->idle_count;
}

size_t
attempts_room(const struct attempts *attempts)
{
    return attempts->most - attempts_busy(attempts);
}

struct attempt *
attempts_take(struct attempts *attempts)
{
    struct attempt *attempt;

    if (attempts->idle_count > 0) {
        return attempts->idle[--attempts->idle_count];
    }
    if (attempts->made == attempts->most) {
        return NULL;
    }
    attempt = attempt_open(attempts->terms);
    if (attempt != NULL) {
        attempts->all[attempts->made++] = attempt;
    }
    return attempt;
}

struct job *
attempts_give(struct attempts *attempts, struct attempt *attempt)
{
    attempts->idle[attempts->idle_count++] = attempt;
    return attempt_release(attempt);
}

struct attempt *
attempts_any(const struct attempts *attempts)
{
    for (size_t i = 0; i < attempts->made; i++) {
        if (attempt_job(attempts->all[i]) != NULL) {
            return attempts->all[i];
        }
    }
    return NULL;
}
