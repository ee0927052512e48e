/*
 * What a responder has heard of its shards, if there are several: which window
 * is on by the clock of shard 0, and how many ids each shard has counted. The
 * counters of all shards share it (counter_share). Nothing here asks Redis.
 *
 * The clock of shard 0 decides for all shards which window is on. Between two
 * replies of shard 0 its clock is reckoned by CLOCK_BOOTTIME, also if shard 0
 * is away for long: the two drift apart by 6 ms a minute at most. A responder
 * that never heard of shard 0 does not know the window.
 */
#ifndef SHARD_NEWS_H
#define SHARD_NEWS_H

#include <stdbool.h>
#include <stdint.h>

struct shard_news;

/* A shard is asked again after this time: see counter_idle_ms. */
enum { SHARD_NEWS_MS = 500 };

/* For `shards` shards and windows of length_s. NULL: no memory. */
struct shard_news *shard_news_open(int64_t shards, int64_t length_s);
void shard_news_close(struct shard_news *news);

/* The window that is on by the clock of shard 0. */
struct shard_window {
    int64_t start_s;  /* 0: not known */
    int64_t until_ms; /* monotonic: it is surely on until then */
};

/*
 * Shard 0 replied that window start_s is on, for left_ms more. The reply came
 * now; the question was sent at asked_ms (monotonic).
 */
void shard_news_hear_window(struct shard_news *news, int64_t start_s,
                            int64_t left_ms, int64_t asked_ms);

/* The window that is on now. It never begins before it does in shard 0. */
struct shard_window shard_news_window(const struct shard_news *news);

/*
 * True if shard 0 was not heard of yet, although it is time for it: for wait_ms
 * after shard_news_open.
 */
bool shard_news_is_young(const struct shard_news *news, int64_t wait_ms);

/* A shard replied that it has counted `count` ids in window start_s. */
void shard_news_hear_count(struct shard_news *news, int64_t shard,
                           int64_t start_s, int64_t count);

/*
 * How many ids all shards but this have counted in window start_s, as they were
 * heard of last: never more than the window has at its end.
 */
int64_t shard_news_others(const struct shard_news *news, int64_t shard,
                          int64_t start_s);

#endif
