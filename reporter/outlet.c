/*
 * outlet: what a sink has delivered is true whoever has the lease by now, so
 * that the cursor that we know only grows, and is told to Redis whenever it
 * has less. Whether we may write is looked at right before each offer, and
 * what lies unsettled when the lease is gone is dropped.
 */
#include "outlet.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clock.h"
#include "lease.h"
#include "log.h"
#include "trouble.h"
#include "window.h"

/* A sink that lets us wait longer than this is a trouble worth a line. */
enum { PATIENCE_MS = 5000 };

struct outlet {
    const struct outlet_needs *needs;
    struct sink *sink;
    struct lease *lease;
    struct trouble trouble;        /* of the sink */
    struct trouble lease_trouble;  /* Redis refuses to tell */
    struct trouble read_trouble;   /* ... to read the records */
    struct trouble cursor_trouble; /* ... to move the cursor */
    struct trouble odd_trouble;    /* what it has written can't be */
    struct trouble skip_trouble;   /* windows that it will never have */
    bool known;                    /* the sink's own place has been looked at */
    bool ours;                     /* the lease, at the last look */
    int64_t place_s;               /* the last window that it showed; 0: none */
    int64_t delivered_s;           /* the last one written by us; 0: none */
    bool busy;          /* was offered records and has not settled all */
    int64_t offered_s;  /* the last window offered */
    int64_t offered_ms; /* monotonic: when */
    int64_t retry_ms;   /* monotonic: nothing is offered before */
};

static int64_t
later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void
on_delivered(void *context, int64_t start_s)
{
    struct outlet *outlet = context;

    outlet->delivered_s = later(outlet->delivered_s, start_s);
    if (start_s < outlet->offered_s) {
        return;
    }
    outlet->busy = false;
    trouble_over(&outlet->trouble, outlet->sink->name);
    outlet->needs->wake(outlet->needs->context);
}

static void
on_failed(void *context, int64_t wait_ms)
{
    struct outlet *outlet = context;

    outlet->busy = false;
    outlet->retry_ms = clock_mono_ms() + wait_ms;
    trouble_note(&outlet->trouble, outlet->sink->name, outlet->sink->error);
}

struct outlet *
outlet_open(const struct outlet_needs *needs, const struct sink_type *type)
{
    struct outlet *outlet = calloc(1, sizeof(*outlet));
    struct sink_events events = {outlet, on_delivered, on_failed};

    if (outlet == NULL) {
        return NULL;
    }
    outlet->needs = needs;
    outlet->sink = type->open(needs->options, needs->loop, &events);
    if (outlet->sink != NULL) {
        outlet->lease = lease_open(needs->redis, needs->options->redis.prefix,
                                   outlet->sink->name, needs->owner);
    }
    if (outlet->lease == NULL) {
        outlet_close(outlet);
        return NULL;
    }
    return outlet;
}

/* start_s, or 0 where that window can't have been written. */
static int64_t
possible(const struct outlet *outlet, int64_t start_s)
{
    int64_t limit_s = windows_limit_s(outlet->needs->windows);

    return limit_s != 0 && start_s >= limit_s ? 0 : start_s;
}

int64_t
outlet_cursor_s(const struct outlet *outlet)
{
    int64_t told_s = later(possible(outlet, lease_cursor_s(outlet->lease)),
                           possible(outlet, outlet->place_s));

    return later(told_s, possible(outlet, outlet->delivered_s));
}

/* That Redis is away is the connection's to say; here only what it refuses. */
static void
heed(struct outlet *outlet, struct trouble *trouble, int result)
{
    if (result >= 0) {
        trouble_over(trouble, outlet->sink->name);
    } else if (redis_state(outlet->needs->redis) == REDIS_STATE_UP) {
        trouble_note(trouble, outlet->sink->name,
                     redis_error(outlet->needs->redis));
    }
}

/* Where this fails, the next look tries again. */
static void
save_cursor(struct outlet *outlet)
{
    int64_t limit_s = windows_limit_s(outlet->needs->windows);
    int64_t cursor_s = outlet_cursor_s(outlet);

    if (limit_s != 0 && lease_ours(outlet->lease) &&
        possible(outlet, lease_cursor_s(outlet->lease)) < cursor_s) {
        heed(outlet, &outlet->cursor_trouble,
             lease_advance(outlet->lease, cursor_s, limit_s));
    }
}

void
outlet_close(struct outlet *outlet)
{
    if (outlet == NULL) {
        return;
    }
    if (outlet->sink != NULL && outlet->busy &&
        outlet->sink->type->finish != NULL) {
        outlet->sink->type->finish(outlet->sink);
    }
    if (outlet->lease != NULL) {
        save_cursor(outlet);
        lease_release(outlet->lease);
        lease_close(outlet->lease);
    }
    if (outlet->sink != NULL) {
        outlet->sink->type->close(outlet->sink);
    }
    free(outlet);
}

/* What the sink's place itself tells: at the start, until it is known which
   window is on, and when another may have written before us. */
static void
look_at_place(struct outlet *outlet)
{
    struct sink *sink = outlet->sink;

    sink->limit_s = windows_limit_s(outlet->needs->windows);
    if (sink->type->last != NULL) {
        outlet->place_s = sink->type->last(sink);
    }
    outlet->known = sink->limit_s != 0;
}

/* The lease has gone over to another one, or ended while Redis was away. */
static void
step_back(struct outlet *outlet)
{
    log_info("%s: no longer ours to write", outlet->sink->name);
    outlet->trouble = (struct trouble){0};
    if (outlet->busy) {
        outlet->sink->type->drop(outlet->sink);
        outlet->busy = false;
    }
}

void
outlet_keep(struct outlet *outlet)
{
    bool was_ours = outlet->ours;

    heed(outlet, &outlet->lease_trouble, lease_keep(outlet->lease));
    outlet->ours = lease_ours(outlet->lease);
    if (!outlet->known || (outlet->ours && !was_ours)) {
        look_at_place(outlet);
    }
    if (outlet->ours && !was_ours) {
        log_info("%s: ours to write", outlet->sink->name);
    } else if (was_ours && !outlet->ours) {
        step_back(outlet);
    }
}

/* Says which windows a sink will never have, as they were trimmed meanwhile. */
static void
tell_missing(struct outlet *outlet, int64_t missing, int64_t next_s)
{
    char text[WINDOW_TEXT_SIZE];

    if (missing > 0 && trouble_due(&outlet->skip_trouble)) {
        window_format(text, next_s);
        log_warn("%s: %" PRId64 " windows before %s skipped: their records are"
                 " past the retention",
                 outlet->sink->name, missing, text);
    }
}

/* Says where somebody, or a wrong clock, has written of the future. */
static void
tell_odd(struct outlet *outlet)
{
    int64_t cursor_s = lease_cursor_s(outlet->lease);
    int64_t odd_s = later(outlet->sink->odd_s,
                          possible(outlet, cursor_s) == 0 ? cursor_s : 0);
    char text[WINDOW_TEXT_SIZE];

    if (odd_s == 0) {
        outlet->odd_trouble = (struct trouble){0};
        return;
    }
    if (trouble_due(&outlet->odd_trouble)) {
        window_format(text, odd_s);
        log_warn("%s: passing over that it seems to have the window %s, which"
                 " is far ahead of Redis's clock",
                 outlet->sink->name, text);
    }
}

/* Whether the sink may be offered something now. */
static bool
is_free(struct outlet *outlet)
{
    int64_t now_ms = clock_mono_ms();

    if (outlet->busy && now_ms - outlet->offered_ms > PATIENCE_MS) {
        trouble_note(&outlet->trouble, outlet->sink->name,
                     outlet->sink->error[0] != '\0' ? outlet->sink->error
                                                    : "no answer yet");
    }
    return !outlet->busy && now_ms >= outlet->retry_ms;
}

static void
offer(struct outlet *outlet, const struct window_record *records, size_t count)
{
    outlet->busy = true;
    outlet->offered_s = records[count - 1].start_s;
    outlet->offered_ms = clock_mono_ms();
    outlet->sink->error[0] = '\0';
    outlet->sink->limit_s = windows_limit_s(outlet->needs->windows);
    outlet->sink->type->offer(outlet->sink, records, count);
}

bool
outlet_serve(struct outlet *outlet)
{
    struct window_record records[SINK_OFFER_MOST];
    size_t most = outlet->sink->type->most;
    int64_t skipped;
    int count;

    /* The look at the start did not know which window is on; and once we have
       written, what is odd lies behind our lines. */
    if (!outlet->known) {
        look_at_place(outlet);
    }
    tell_odd(outlet); /* before it is replaced */
    save_cursor(outlet);
    if (!is_free(outlet)) {
        return false;
    }
    count = windows_read(outlet->needs->windows, outlet_cursor_s(outlet),
                         records, most, &skipped);
    heed(outlet, &outlet->read_trouble, count);
    /* Asked last: reading took its time. */
    if (count <= 0 || !lease_ours(outlet->lease)) {
        return false;
    }
    tell_missing(outlet, skipped, records[0].start_s);
    offer(outlet, records, (size_t)count);
    save_cursor(outlet);
    return (size_t)count == most && outlet->delivered_s == outlet->offered_s;
}

void
outlet_reopen(struct outlet *outlet)
{
    if (outlet->sink->type->reopen != NULL) {
        outlet->sink->type->reopen(outlet->sink);
    }
    outlet->retry_ms = 0;
}
