/*
 * Which window a counter believes to be on, so that most batches need one round
 * trip. Redis decides, and corrects a wrong guess. In shard 0 the guess follows
 * its replies. In the other shards it follows what was heard of shard 0
 * (shard_news.h), and only goes forward, as those shards do.
 */
#ifndef WINDOW_GUESS_H
#define WINDOW_GUESS_H

#include <stdbool.h>
#include <stdint.h>

#include "shard_news.h"

struct window_guess {
    int64_t length_s;        /* of a window */
    bool told;               /* the shard is not shard 0: see accept-told.lua */
    struct shard_news *news; /* NULL: there is only one shard */
    int64_t start_s;         /* of the window; 0: not known yet */
    int64_t ends_ms;         /* monotonic: when the next window begins; of shard
                                0 only */
    int64_t sets;            /* of the window (accept-set.lua); 0: not known */
};

/* Moves on to the window that is on at now_ms (monotonic). */
void window_guess_move(struct window_guess *guess, int64_t now_ms);

/*
 * The shard replied at came_ms that start_s is on, for left_ms more (only of
 * shard 0 has that a meaning), to a question of asked_ms (all monotonic).
 */
void window_guess_hear(struct window_guess *guess, int64_t start_s,
                       int64_t left_ms, int64_t asked_ms, int64_t came_ms);

/* True if a batch can be counted: it has a window to name, or need not. */
bool window_guess_is_ready(const struct window_guess *guess);

/* Until when (monotonic) the window is surely on, if a reply to a question of
   asked_ms said that it is, for left_ms more. */
int64_t window_guess_until_ms(const struct window_guess *guess, int64_t left_ms,
                              int64_t asked_ms);

#endif
