/*
 * deaths: a short table, searched from the front.
 */
#include "deaths.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "destination.h"
#include "store/origin.h"

/* The row of an origin, a new one if need be. NULL: all rows are taken. */
static struct deaths_row *
row_of(struct deaths *deaths, const char *origin)
{
    struct deaths_row *row = deaths->rows;

    for (; row < deaths->rows + deaths->used; row++) {
        if (strncmp(row->origin, origin, DEATHS_ORIGIN_SIZE - 1) == 0) {
            return row;
        }
    }
    if (deaths->used == DEATHS_ROWS) {
        return NULL;
    }
    deaths->used++;
    row->count = 0;
    snprintf(row->origin, sizeof(row->origin), "%.*s", DEATHS_ORIGIN_SIZE - 1,
             origin);
    return row;
}

void
deaths_note(struct deaths *deaths, const char *url, const char *error)
{
    char origin[ORIGIN_SIZE];
    struct deaths_row *row;

    origin_read(url, strlen(url), origin);
    row = row_of(deaths, origin);
    if (row == NULL) {
        deaths->others++;
        return;
    }
    row->count++;
    snprintf(row->error, sizeof(row->error), "%s", error);
}

void
deaths_log(struct deaths *deaths, int64_t now_ms)
{
    if (deaths->used == 0 || (deaths->logged_ms != 0 &&
                              now_ms - deaths->logged_ms < DEATHS_PERIOD_MS)) {
        return;
    }
    for (int i = 0; i < deaths->used; i++) {
        const struct deaths_row *row = &deaths->rows[i];

        log_event(LEVEL_WARN, "callbacks given up",
                  LOG_FIELDS(LOG_TEXT("destination", row->origin),
                             LOG_NUMBER("count", row->count),
                             LOG_TEXT("error", row->error)));
    }
    if (deaths->others > 0) {
        log_event(LEVEL_WARN, "callbacks given up, to other destinations",
                  LOG_FIELDS(LOG_NUMBER("count", deaths->others)));
    }
    deaths->used = 0;
    deaths->others = 0;
    deaths->logged_ms = now_ms;
}
