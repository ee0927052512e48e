/*
 * shard_news: the last reply of shard 0, reckoned up to now, and the last count
 * of each shard.
 */
#include "shard_news.h"

#include <stdlib.h>

#include "base/clock.h"

/* What a shard replied last. */
struct heard_count {
    int64_t start_s; /* of the window; 0: nothing was heard */
    int64_t count;
};

struct shard_news {
    int64_t opened_ms; /* CLOCK_BOOTTIME, as all times here */
    int64_t length_ms; /* of a window */
    int64_t start_s;   /* the window of the last reply; 0: none came */
    int64_t sure_ms;   /* that window is on until then at least ... */
    int64_t end_ms;    /* ... and until then at most */
    int64_t shards;
    struct heard_count counts[];
};

struct shard_news *
shard_news_open(int64_t shards, int64_t length_s)
{
    struct shard_news *news =
        calloc(1, sizeof(*news) + (size_t)shards * sizeof(news->counts[0]));

    if (news != NULL) {
        news->opened_ms = clock_boot_ms();
        news->length_ms = length_s * 1000;
        news->shards = shards;
    }
    return news;
}

void
shard_news_close(struct shard_news *news)
{
    free(news);
}

void
shard_news_hear_window(struct shard_news *news, int64_t start_s,
                       int64_t left_ms, int64_t asked_ms)
{
    int64_t now_ms = clock_boot_ms();

    news->start_s = start_s;
    news->end_ms = now_ms + left_ms;
    /* The scripts round the time that is left up, hence the millisecond. */
    news->sure_ms = news->end_ms - 1 - (clock_mono_ms() - asked_ms);
}

struct shard_window
shard_news_window(const struct shard_news *news)
{
    int64_t now_ms = clock_boot_ms();
    int64_t past_ms = now_ms - news->end_ms;
    int64_t passed_ms = 0;

    if (news->start_s == 0) {
        return (struct shard_window){0};
    }
    if (past_ms >= 0) {
        passed_ms = (past_ms / news->length_ms + 1) * news->length_ms;
    }
    return (struct shard_window){
        .start_s = news->start_s + passed_ms / 1000,
        .until_ms = clock_mono_ms() + news->sure_ms + passed_ms - now_ms,
    };
}

bool
shard_news_is_young(const struct shard_news *news, int64_t wait_ms)
{
    return news->start_s == 0 && clock_boot_ms() - news->opened_ms < wait_ms;
}

void
shard_news_hear_count(struct shard_news *news, int64_t shard, int64_t start_s,
                      int64_t count)
{
    news->counts[shard] =
        (struct heard_count){.start_s = start_s, .count = count};
}

int64_t
shard_news_others(const struct shard_news *news, int64_t shard, int64_t start_s)
{
    int64_t others = 0;

    for (int64_t i = 0; i < news->shards; i++) {
        if (i != shard && news->counts[i].start_s == start_s) {
            others += news->counts[i].count;
        }
    }
    return others;
}
