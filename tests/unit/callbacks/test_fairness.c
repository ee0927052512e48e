/*
 * test_fairness: a simulation of the fair queue with a queue as in Redis, a
 * worker with a turn every 5 ms, and hosts that answer soon or never. Neither a
 * flood for one host nor hosts that hang may delay the other hosts. The time is
 * simulated too.
 */
#include "fair_queue_fixture.h"

enum { TURN_MS = 5, CLAIMED = 128, MAX_JOBS = 60000, SLOTS = 256 };

struct pending { /* a job in the queue, or an attempt under way */
    int64_t at_ms;
    char host[8];
    struct destination_ticket ticket;
};

struct world {
    struct fair_queue *destinations;
    struct pending *queue;
    size_t queued;
    struct pending slots[SLOTS];
    size_t busy;
    int64_t now_ms;
    int64_t last_ms[128]; /* when a host's last job was delivered, by letter */
    int delivered[128];
    int moves; /* jobs that were returned */
};

/* The duration of an attempt; a host that hangs runs into the time limit. */
static int64_t
takes_ms(const char *host)
{
    return host[0] == 'h' ? TIMEOUT_MS : 5;
}

static void
enqueue(struct world *world, const char *host, int64_t at_ms)
{
    struct pending *pending = &world->queue[world->queued++];

    assert_true(world->queued <= MAX_JOBS);
    pending->at_ms = at_ms;
    snprintf(pending->host, sizeof(pending->host), "%s", host);
}

static void
return_job(struct world *world, struct job *job, int64_t retry_ms)
{
    char host[8] = "";

    assert_true(retry_ms > 0);
    sscanf(job->url, "http://%7[^/]", host);
    enqueue(world, host, world->now_ms + retry_ms);
    world->moves++;
    job_free(job);
}

/* Claims the first jobs that are due. */
static void
claim(struct world *world)
{
    size_t room = fair_queue_room(world->destinations);
    size_t size = room < CLAIMED ? room : CLAIMED;
    size_t end = world->queued;
    size_t kept = 0;
    struct job *queue[CLAIMED];
    size_t count = 0;

    for (size_t i = 0; i < end; i++) {
        struct pending *pending = &world->queue[i];

        if (count < size && pending->at_ms <= world->now_ms) {
            queue[count] = make(pending->host, world->now_ms);
            queue[count++]->reclaimed = pending->at_ms > 0;
        } else {
            world->queue[kept++] = *pending;
        }
    }
    world->queued = kept;
    for (size_t i = 0; i < count; i++) {
        int64_t retry_ms =
            fair_queue_add(world->destinations, queue[i], world->now_ms);

        if (retry_ms > 0) {
            return_job(world, queue[i], retry_ms);
        }
    }
}

static void
end_attempts(struct world *world)
{
    for (size_t i = 0; i < world->busy;) {
        struct pending *slot = &world->slots[i];
        bool hangs = slot->host[0] == 'h';

        if (slot->at_ms > world->now_ms) {
            i++;
            continue;
        }
        fair_queue_end(world->destinations, &slot->ticket,
                       hangs ? &failure : &success, world->now_ms);
        if (!hangs) {
            world->delivered[(int)slot->host[0]]++;
            world->last_ms[(int)slot->host[0]] = world->now_ms;
        }
        *slot = world->slots[--world->busy];
    }
}

static void
turn(struct world *world)
{
    struct job *job;
    int64_t retry_ms;

    end_attempts(world);
    claim(world);
    while (world->busy < SLOTS) {
        struct pending *slot = &world->slots[world->busy];

        job =
            fair_queue_next(world->destinations, &slot->ticket, world->now_ms);
        if (job == NULL) {
            break;
        }
        assert_true(job->leased_ms - world->now_ms >= TIMEOUT_MS);
        sscanf(job->url, "http://%7[^/]", slot->host);
        slot->at_ms = world->now_ms + takes_ms(slot->host);
        world->busy++;
        job_free(job);
    }
    while ((job = fair_queue_return_expired(world->destinations, &retry_ms,
                                            world->now_ms)) != NULL) {
        return_job(world, job, retry_ms);
    }
    world->now_ms += TURN_MS;
}

static void
open_world(struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->destinations = fair_queue_open(&options, 1);
    world->queue = calloc(MAX_JOBS, sizeof(struct pending));
    world->now_ms = NOW_MS;
}

static void
close_world(struct world *world)
{
    for (size_t i = 0; i < world->busy; i++) {
        fair_queue_end(world->destinations, &world->slots[i].ticket, &failure,
                       world->now_ms);
    }
    fair_queue_close(world->destinations);
    free(world->queue);
}

/*
 * A flood for one host, which can take 64 jobs in 5 ms, with jobs for other
 * hosts behind it: the others are delivered as soon as they can be claimed, and
 * the flood takes little longer than alone.
 */
static void
test_flood(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    int64_t found_ms = 20000 / CLAIMED * TURN_MS;
    int64_t best_ms = 20000 / 64 * 5;

    (void)state;
    open_world(world);
    for (int i = 0; i < 20000; i++) {
        enqueue(world, "a", 0);
    }
    for (int i = 0; i < 100; i++) {
        char host[8];

        snprintf(host, sizeof(host), "b%d", i);
        enqueue(world, host, 0);
    }
    while (world->delivered['a'] < 20000 &&
           world->now_ms < NOW_MS + 10 * best_ms) {
        turn(world);
    }
    assert_int_equal(world->delivered['b'], 100);
    assert_true(world->last_ms['b'] - NOW_MS < 2 * found_ms + 100);
    assert_int_equal(world->delivered['a'], 20000);
    assert_true(world->last_ms['a'] - NOW_MS < best_ms * 5 / 4);
    assert_true(world->moves < 2 * 20000);
    close_world(world);
    free(world);
}

/*
 * Thousands of jobs for hosts that hang, with jobs for other hosts behind them:
 * the others are as fast as alone, except for the time until they are claimed.
 */
static void
test_hung(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    int64_t found_ms = (6 * 5000 + 5000) / CLAIMED * TURN_MS;

    (void)state;
    open_world(world);
    for (int i = 0; i < 6 * 5000; i++) {
        char host[8];

        snprintf(host, sizeof(host), "h%d", i % 6);
        enqueue(world, host, 0);
    }
    for (int i = 0; i < 5000; i++) {
        char host[8];

        snprintf(host, sizeof(host), "b%d", i % 50);
        enqueue(world, host, 0);
    }
    while (world->delivered['b'] < 5000 && world->now_ms < NOW_MS + 60000) {
        turn(world);
    }
    assert_int_equal(world->delivered['b'], 5000);
    assert_true(world->last_ms['b'] - NOW_MS < 2 * found_ms + 500);
    close_world(world);
    free(world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_hung),
    };

    return cmocka_run_group_tests_name("fairness", tests, NULL, NULL);
}
