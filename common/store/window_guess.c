/*
 * window_guess: two ways to guess, one for shard 0 and one for the others.
 */
#include "window_guess.h"

#include "base/util.h"

static void
move_to(struct window_guess *guess, int64_t start_s)
{
    if (guess->start_s != start_s) {
        guess->start_s = start_s;
        guess->sets = 0;
    }
}

void
window_guess_move(struct window_guess *guess, int64_t now_ms)
{
    int64_t past_ms = now_ms - guess->ends_ms;

    if (guess->told) {
        move_to(guess, int64_max(guess->start_s,
                                 shard_news_window(guess->news).start_s));
    } else if (past_ms >= 0) {
        int64_t passed_s =
            (past_ms / (guess->length_s * 1000) + 1) * guess->length_s;

        move_to(guess, guess->start_s + passed_s);
        guess->ends_ms += passed_s * 1000;
    }
}

void
window_guess_hear(struct window_guess *guess, int64_t start_s, int64_t left_ms,
                  int64_t asked_ms, int64_t came_ms)
{
    move_to(guess, start_s);
    if (guess->told) {
        return;
    }
    guess->ends_ms = came_ms + left_ms;
    if (guess->news != NULL) {
        shard_news_hear_window(guess->news, start_s, left_ms, asked_ms);
    }
}

bool
window_guess_is_ready(const struct window_guess *guess)
{
    return !guess->told || shard_news_window(guess->news).start_s != 0;
}

int64_t
window_guess_until_ms(const struct window_guess *guess, int64_t left_ms,
                      int64_t asked_ms)
{
    /* The script rounds the time that is left up, hence the millisecond. */
    return guess->told ? shard_news_window(guess->news).until_ms
                       : asked_ms + left_ms - 1;
}
