/*
 * window: every division rounds down, also for times before the epoch.
 */
#include "window.h"

int64_t
window_start(int64_t time_s, int64_t length_s)
{
    int64_t inside = time_s % length_s;

    return time_s - (inside < 0 ? inside + length_s : inside);
}

int64_t
window_next(int64_t time_s, int64_t length_s)
{
    return window_start(time_s + length_s - 1, length_s);
}
