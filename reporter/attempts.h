/*
 * The attempts of a courier: each made when it is first needed and kept, as
 * its libcurl handle and its memory are costly to make. One with a job is
 * busy, one without is idle.
 */
#ifndef ATTEMPTS_H
#define ATTEMPTS_H

#include <stddef.h>

#include "attempt.h"

struct attempts;

/* At most most at once. terms is borrowed for its life. NULL: no memory. */
struct attempts *attempts_open(const struct terms *terms, size_t most);

/* Only with all of them idle. */
void attempts_close(struct attempts *attempts);

/* How many are busy, and how many more could be. */
size_t attempts_busy(const struct attempts *attempts);
size_t attempts_room(const struct attempts *attempts);

/* An idle one, which counts as busy from now on. NULL: no room or memory. */
struct attempt *attempts_take(struct attempts *attempts);

/* Makes one idle. Returns the job that it had; NULL where it had none. */
struct job *attempts_give(struct attempts *attempts, struct attempt *attempt);

/* Any one that has a job; NULL where none has. */
struct attempt *attempts_any(const struct attempts *attempts);

#endif
