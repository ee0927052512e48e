/*
 * lane: a queue of requests, and the run that is under way. Which run comes
 * next is decided in next_run alone.
 */
#include "lane.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "batch.h"
#include "batch_log.h"
#include "id_cache.h"
#include "store/counter.h"

enum run {
    RUN_NONE,
    RUN_IDS,   /* counts the ids that wait */
    RUN_IDLE,  /* counter_idle_ms: has no ids */
    RUN_PROBE, /* for /readyz */
    RUN_PRESENCE,
    RUN_SIGN_OFF, /* the last */
};

enum probe_state { PROBE_IDLE, PROBE_WANTED, PROBE_OVER };

struct lane {
    struct lane_settings settings;
    struct counter *counter;
    struct id_cache *cache;
    struct batch_log log;
    bool looked;         /* in this round: the following two are up to date */
    uint64_t connection; /* number of the connection to Redis; 0: none */
    int64_t cached_s;    /* the window whose ids the cache has; 0: none */
    struct fcgi_exchange_list waiting;
    size_t waiting_count;
    enum run run;       /* that is under way */
    enum run last;      /* that was before it, in this round */
    struct batch batch; /* the ids that are being counted */
    enum probe_state probe_state;
    struct probe probe; /* that is over */
};

/* A counter_observer. */
static void
note_run(void *context, enum counter_script script, enum redis_result result,
         int64_t us)
{
    struct lane *lane = context;

    pool_stats_observe_script(lane->settings.stats, script, result, us,
                              redis_refusal(lane->settings.redis));
}

struct lane *
lane_open(const struct lane_settings *settings)
{
    struct lane *lane = calloc(1, sizeof(*lane));
    size_t most = (size_t)settings->options->accept.max_batch;

    if (lane == NULL) {
        return NULL;
    }
    lane->settings = *settings;
    STAILQ_INIT(&lane->waiting);
    lane->counter = counter_open(settings->options, settings->redis);
    lane->cache = id_cache_open(settings->cache_ids);
    if (!batch_init(&lane->batch, most) || lane->counter == NULL ||
        lane->cache == NULL) {
        lane_close(lane);
        return NULL;
    }
    if (settings->news != NULL) {
        counter_share(lane->counter, settings->news);
    }
    counter_observe(lane->counter, note_run, lane);
    lane->log = (struct batch_log){.options = settings->options,
                                   .redis = settings->redis,
                                   .counter = lane->counter};
    return lane;
}

void
lane_close(struct lane *lane)
{
    if (lane == NULL) {
        return;
    }
    counter_close(lane->counter);
    id_cache_close(lane->cache);
    batch_fini(&lane->batch);
    free(lane);
}

static bool
is_alone(const struct lane *lane)
{
    return lane->settings.news == NULL;
}

void
lane_begin(struct lane *lane)
{
    lane->looked = false;
    lane->last = RUN_NONE;
}

/* Notices a lost connection, and which window's ids the cache has. */
static void
look(struct lane *lane)
{
    if (!lane->looked) {
        lane->looked = true;
        lane->connection = redis_check_connection(lane->settings.redis);
        lane->cached_s =
            id_cache_window(lane->cache, lane->connection, clock_mono_ms());
    }
}

static void
refuse(struct lane *lane, struct fcgi_exchange *exchange)
{
    answers_give(lane->settings.answers, exchange, 503,
                 ERROR_CODE_REDIS_UNAVAILABLE, 0);
}

bool
lane_add(struct lane *lane, struct fcgi_exchange *exchange)
{
    const struct request *request = &exchange->request;
    size_t most =
        (size_t)lane->settings.options->accept.max_batch * LANE_WAITING_BATCHES;

    look(lane);
    if (lane->cached_s != 0 && request->endpoint == NULL &&
        id_cache_has(lane->cache, request->id)) {
        pool_stats_count_ids(lane->settings.stats, POOL_STATS_CACHED, 1);
        answers_give(lane->settings.answers, exchange, 200, ERROR_CODE_NONE,
                     lane->cached_s);
        return false;
    }
    if (lane->waiting_count >= most) {
        refuse(lane, exchange);
        batch_log_refused(&lane->log, 1, "too many requests wait for Redis");
        return false;
    }
    STAILQ_INSERT_TAIL(&lane->waiting, exchange, link);
    lane->waiting_count++;
    return true;
}

static struct fcgi_exchange *
take_first(struct lane *lane)
{
    struct fcgi_exchange *exchange = STAILQ_FIRST(&lane->waiting);

    STAILQ_REMOVE_HEAD(&lane->waiting, link);
    lane->waiting_count--;
    return exchange;
}

void
lane_want_probe(struct lane *lane)
{
    look(lane);
    lane->probe_state = PROBE_WANTED;
}

const struct probe *
lane_probe(const struct lane *lane)
{
    return lane->probe_state == PROBE_OVER ? &lane->probe : NULL;
}

/* What is due now. Ids and probes take turns. */
static enum run
next_run(const struct lane *lane)
{
    bool alone = is_alone(lane);
    bool ids = lane->waiting_count > 0 &&
               (alone || counter_state(lane->counter) != COUNTER_WAITS);
    bool may_probe =
        alone || redis_state(lane->settings.redis) != REDIS_STATE_CONNECTING;

    if (lane->probe_state == PROBE_WANTED && may_probe &&
        (!ids || lane->last == RUN_IDS)) {
        return RUN_PROBE;
    }
    if (ids) {
        return RUN_IDS;
    }
    if (counter_idle_ms(lane->counter) == 0) {
        return RUN_IDLE;
    }
    return lane->settings.presence != NULL &&
                   pool_presence_wait_ms(lane->settings.presence) == 0
               ? RUN_PRESENCE
               : RUN_NONE;
}

/* Makes a batch of the first that wait. */
static void
fill_batch(struct lane *lane)
{
    size_t most = (size_t)lane->settings.options->accept.max_batch;

    while (lane->batch.count < most && lane->waiting_count > 0) {
        batch_add(&lane->batch, take_first(lane));
    }
}

/* True while it is under way. */
static bool
start(struct lane *lane)
{
    switch (lane->run) {
    case RUN_NONE:
        break;
    case RUN_IDS:
        fill_batch(lane);
        return counter_start(lane->counter, lane->batch.requests,
                             lane->batch.count,
                             lane->batch.exchanges[0]->since_us);
    case RUN_IDLE:
        return counter_start(lane->counter, NULL, 0, clock_mono_us());
    case RUN_PROBE:
        return counter_start_probe(lane->counter);
    case RUN_PRESENCE:
        return pool_presence_start(lane->settings.presence);
    case RUN_SIGN_OFF:
        return counter_start_sign_off(lane->counter);
    }
    return false;
}

/* Logs that Redis lost data that was confirmed to clients. */
static void
log_loss(struct lane *lane)
{
    struct marks_loss loss;

    if (counter_take_loss(lane->counter, &loss)) {
        pool_stats_count_loss(lane->settings.stats, &loss);
        batch_log_loss(&lane->log, &loss);
    }
}

/* Adds the ids that were counted to the id cache. */
static void
cache_ids(struct lane *lane, const struct counter_window *window)
{
    struct id_cache_scope scope = {.window_s = window->start_s,
                                   .born_us = window->born_us,
                                   .connection =
                                       redis_connection(lane->settings.redis)};

    id_cache_renew(lane->cache, &scope, window->until_ms);
    for (size_t i = 0; i < lane->batch.count; i++) {
        if (lane->batch.requests[i].answer == COUNTER_COUNTED) {
            id_cache_add(lane->cache, lane->batch.requests[i].id);
        }
    }
}

static void
finish_counting(struct lane *lane)
{
    struct counter_window window = counter_result(lane->counter);

    batch_answer(&lane->batch, &window, lane->settings.answers, &lane->log);
    if (window.until_ms != 0) {
        cache_ids(lane, &window);
    }
    batch_clear(&lane->batch);
}

/* The run is over. */
static void
finish(struct lane *lane)
{
    lane->last = lane->run;
    lane->run = RUN_NONE;
    if (lane->last == RUN_PRESENCE) {
        return;
    }
    log_loss(lane);
    if (lane->last == RUN_IDS) {
        finish_counting(lane);
    } else if (lane->last == RUN_PROBE) {
        lane->probe = counter_probed(lane->counter);
        lane->probe_state = PROBE_OVER;
    }
}

void
lane_go(struct lane *lane)
{
    while (lane->run == RUN_NONE && (lane->run = next_run(lane)) != RUN_NONE) {
        if (!start(lane)) {
            finish(lane);
        }
    }
}

bool
lane_is_out(const struct lane *lane)
{
    return lane->run != RUN_NONE;
}

bool
lane_step(struct lane *lane)
{
    bool under_way;

    if (redis_state(lane->settings.redis) == REDIS_STATE_CONNECTING) {
        redis_step(lane->settings.redis);
    }
    under_way = lane->run == RUN_PRESENCE
                    ? pool_presence_step(lane->settings.presence)
                    : counter_step(lane->counter);

    if (!under_way) {
        finish(lane);
    }
    return under_way;
}

/*
 * Monotonic: until when the first that waits may be sent. It then has its
 * answer within another redis.timeout_ms.
 */
static int64_t
limit_ms(const struct lane *lane)
{
    return STAILQ_FIRST(&lane->waiting)->since_us / 1000 +
           lane->settings.options->redis.timeout_ms;
}

void
lane_expire(struct lane *lane)
{
    int64_t now_ms = lane->waiting_count > 0 ? clock_mono_ms() : 0;
    size_t count = 0;

    while (lane->waiting_count > 0 && limit_ms(lane) <= now_ms) {
        refuse(lane, take_first(lane));
        count++;
    }
    if (count > 0) {
        batch_log_refused(&lane->log, count,
                          "requests have waited too long for Redis");
    }
}

int64_t
lane_wait_ms(const struct lane *lane)
{
    int64_t ms = -1;

    switch (lane->run) {
    case RUN_NONE:
        ms = counter_idle_ms(lane->counter);
        if (lane->settings.presence != NULL) {
            ms = wait_shorter_ms(
                ms, pool_presence_wait_ms(lane->settings.presence));
        }
        break;
    case RUN_IDS:
    case RUN_IDLE:
    case RUN_PROBE:
    case RUN_SIGN_OFF:
        ms = counter_due_ms(lane->counter);
        break;
    case RUN_PRESENCE:
        ms = redis_run_wait_ms(lane->settings.redis);
        break;
    }
    if (lane->waiting_count > 0) {
        ms =
            wait_shorter_ms(ms, int64_max(limit_ms(lane) - clock_mono_ms(), 0));
    }
    return ms;
}

size_t
lane_held(const struct lane *lane)
{
    return lane->waiting_count + lane->batch.count;
}

size_t
lane_waiting(const struct lane *lane)
{
    return lane->waiting_count;
}

size_t
lane_cached(const struct lane *lane)
{
    return id_cache_count(lane->cache);
}

const struct redis *
lane_redis(const struct lane *lane)
{
    return lane->settings.redis;
}

void
lane_give_up(struct lane *lane)
{
    for (size_t i = 0; i < lane->batch.count; i++) {
        refuse(lane, lane->batch.exchanges[i]);
    }
    batch_clear(&lane->batch);
    while (lane->waiting_count > 0) {
        refuse(lane, take_first(lane));
    }
}

void
lane_start_sign_off(struct lane *lane)
{
    if (lane->run == RUN_NONE) {
        lane->run = RUN_SIGN_OFF;
        if (!start(lane)) {
            finish(lane);
        }
    }
}

void
lane_log_probe(struct lane *lane, enum error_code error, size_t count)
{
    batch_log_probe(&lane->log, error, count);
}
