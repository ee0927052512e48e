/*
 * test_fair_queue: which job starts next, and which jobs are returned. The
 * tests pass the time. A simulation of the whole is in test_fairness.c.
 */
#include <inttypes.h>

#include "fair_queue_fixture.h"
#include "store/origin.h"

/* How many jobs of a destination to claim. */
static size_t
room_of_origin(struct fair_queue *queue, const char *origin, bool proven,
               int64_t now_ms)
{
    int64_t wait_ms;
    bool stranger;
    size_t room =
        fair_queue_room_of(queue, origin, proven, &stranger, &wait_ms, now_ms);

    assert_true((room == 0) == (wait_ms > 0));
    return room;
}

/* How many jobs of a host that Redis knows to be proven to claim. */
static size_t
room_of(struct fair_queue *queue, const char *host, int64_t now_ms)
{
    struct job *job = make(host, now_ms);
    char origin[ORIGIN_SIZE];

    origin_read(job->url, strlen(job->url), origin);
    job_free(job);
    return room_of_origin(queue, origin, true, now_ms);
}

/* Adds count jobs for a host that has answered before. */
static void
add(struct fair_queue *queue, const char *host, int count, int64_t now_ms)
{
    room_of(queue, host, now_ms);
    while (count-- > 0) {
        assert_int_equal(fair_queue_add(queue, make(host, now_ms), now_ms), 0);
    }
}

/* The first letter of the host of the next job to start. 0: no job. */
static char
next(struct fair_queue *queue, struct destination_ticket *ticket,
     int64_t now_ms)
{
    struct job *job = fair_queue_next(queue, ticket, now_ms);
    char letter = '\0';

    if (job != NULL) {
        letter = job->url[strlen("http://")];
        job_free(job);
    }
    return letter;
}

/* Starts at most max_count jobs, and ends each after took_ms. */
static const char *
order(struct fair_queue *queue, size_t max_count, int64_t took_ms)
{
    static char letters[128];
    size_t count = 0;

    while (count < max_count && count < sizeof(letters) - 1) {
        struct destination_ticket ticket;

        letters[count] = next(queue, &ticket, NOW_MS);
        if (letters[count] == '\0') {
            break;
        }
        fair_queue_end(queue, &ticket, &success, NOW_MS + took_ms);
        count++;
    }
    letters[count] = '\0';
    return letters;
}

/* It has no address. */
static const struct retry_verdict unresolved = {
    .evidence = RETRY_EVIDENCE_FAILURE, .scope = RETRY_SCOPE_HOST};

/* Nothing was sent. */
static const struct retry_verdict untried = {.evidence = RETRY_EVIDENCE_NONE};

static void
test_round_robin(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);

    (void)state;
    add(queue, "a", 6, NOW_MS);
    add(queue, "b", 1, NOW_MS);
    add(queue, "c", 3, NOW_MS);
    assert_int_equal(fair_queue_waiting(queue), 10);
    assert_int_equal(fair_queue_under_way(queue), 0);
    assert_string_equal(order(queue, 10, 0), "abcacacaaa");
    assert_int_equal(fair_queue_waiting(queue), 0);
    assert_string_equal(order(queue, 1, 0), "");
    fair_queue_close(queue);
}

/* The same host by another scheme or port is another destination. */
static void
test_origins(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);

    (void)state;
    add(queue, "a", 2, NOW_MS);
    add(queue, "a:80", 1, NOW_MS);
    add(queue, "A", 1, NOW_MS);
    add(queue, "a:81", 2, NOW_MS);
    add(queue, "b", 2, NOW_MS);
    assert_string_equal(order(queue, 10, 0), "aabaabaA");
    fair_queue_close(queue);
}

/* A slow destination gets fewer slots, unless they are free. */
static void
test_cost(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);
    struct destination_ticket ticket;
    int slow = 0;

    (void)state;
    add(queue, "s", 40, NOW_MS);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(next(queue, &ticket, NOW_MS), 's');
        fair_queue_end(queue, &ticket, &success, NOW_MS + 500);
    }
    add(queue, "s", 100, NOW_MS);
    add(queue, "f", 100, NOW_MS);
    for (int i = 0; i < 100; i++) {
        char letter = next(queue, &ticket, NOW_MS);

        slow += letter == 's';
        fair_queue_end(queue, &ticket, &success,
                       NOW_MS + (letter == 's' ? 500 : 1));
    }
    assert_in_range(slow, 7, 11);
    /* About 91 of f, then s alone: no slot stays free. */
    for (int i = 0; i < 100; i++) {
        assert_int_not_equal(next(queue, &ticket, NOW_MS), 0);
        fair_queue_end(queue, &ticket, &success, NOW_MS + 1);
    }
    fair_queue_close(queue);
}

/* Never more than the limit, which here cannot grow by the options. */
static void
test_limit(void **state)
{
    const struct options few = {
        .callbacks = {.concurrency = 1024,
                      .per_host_concurrency = DESTINATION_START_LIMIT,
                      .timeout_ms = TIMEOUT_MS},
    };
    struct fair_queue *queue = fair_queue_open(&few, 1);
    struct destination_ticket tickets[DESTINATION_START_LIMIT];
    struct destination_ticket ticket;

    (void)state;
    add(queue, "a", 10, NOW_MS);
    for (int i = 0; i < DESTINATION_START_LIMIT; i++) {
        assert_int_equal(next(queue, &tickets[i], NOW_MS), 'a');
    }
    assert_int_equal(next(queue, &ticket, NOW_MS), 0);
    add(queue, "b", 1, NOW_MS);
    assert_int_equal(next(queue, &ticket, NOW_MS), 'b');
    fair_queue_end(queue, &ticket, &success, NOW_MS);
    fair_queue_end(queue, &tickets[0], &success, NOW_MS);
    assert_int_equal(next(queue, &tickets[0], NOW_MS), 'a');
    assert_int_equal(next(queue, &ticket, NOW_MS), 0);
    for (int i = 0; i < DESTINATION_START_LIMIT; i++) {
        fair_queue_end(queue, &tickets[i], &unresolved, NOW_MS + 1);
    }
    assert_int_equal(next(queue, &tickets[0], NOW_MS + 2), 'a');
    assert_int_equal(next(queue, &tickets[1], NOW_MS + 2), 'a');
    assert_int_equal(next(queue, &ticket, NOW_MS + 2), 0);
    fair_queue_end(queue, &tickets[0], &success, NOW_MS + 2);
    fair_queue_end(queue, &tickets[1], &success, NOW_MS + 2);
    fair_queue_close(queue);
}

/* A destination gets jobs for its free slots; all together have a limit. */
static void
test_room(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);

    (void)state;
    assert_int_equal(fair_queue_room(queue), 2048);
    assert_int_equal(room_of(queue, "a", NOW_MS), DESTINATION_START_LIMIT);
    add(queue, "a", DESTINATION_START_LIMIT, NOW_MS);
    assert_int_equal(room_of(queue, "a", NOW_MS), 0);
    assert_int_equal(room_of(queue, "b", NOW_MS), DESTINATION_START_LIMIT);
    assert_int_equal(fair_queue_room(queue), 2048 - DESTINATION_START_LIMIT);
    add(queue, "a", 2048, NOW_MS);
    assert_int_equal(fair_queue_room(queue), 0);
    fair_queue_close(queue);
}

/* Destinations with jobs in Redis are named once they have room. */
static void
test_hungry(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);
    struct destination_ticket ticket;
    size_t room;

    (void)state;
    assert_null(fair_queue_hungry(queue, &room, NOW_MS));
    add(queue, "a", DESTINATION_START_LIMIT, NOW_MS);
    add(queue, "b", 1, NOW_MS);
    fair_queue_note_left(queue, "http://a:80", 100);
    fair_queue_note_left(queue, "http://b:80", 0);
    fair_queue_note_left(queue, "http://unknown:80", 100);
    assert_null(fair_queue_hungry(queue, &room, NOW_MS));
    assert_int_equal(next(queue, &ticket, NOW_MS), 'a');
    fair_queue_end(queue, &ticket, &success, NOW_MS + 5000);
    assert_string_equal(fair_queue_hungry(queue, &room, NOW_MS), "http://a:80");
    assert_int_equal(room, 1);
    assert_null(fair_queue_hungry(queue, &room, NOW_MS)); /* until the claim */
    fair_queue_note_left(queue, "http://a:80", SIZE_MAX);
    assert_non_null(fair_queue_hungry(queue, &room, NOW_MS));
    fair_queue_close(queue);
}

/* Opens host's breaker by failures. */
static void
bring_down(struct fair_queue *queue, const char *host)
{
    struct destination_ticket ticket;

    add(queue, host, CIRCUIT_BREAKER_IN_ROW, NOW_MS);
    for (int i = 0; i < CIRCUIT_BREAKER_IN_ROW; i++) {
        assert_int_equal(next(queue, &ticket, NOW_MS), host[0]);
        fair_queue_end(queue, &ticket, &failure, NOW_MS);
    }
}

static void
test_breaker(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);
    struct destination_ticket ticket;
    struct destination_ticket probe;
    struct job *job;
    int64_t now_ms = NOW_MS + CIRCUIT_BREAKER_OPEN_MS;
    int64_t retry_ms;

    (void)state;
    bring_down(queue, "a");
    assert_int_equal(room_of(queue, "a", NOW_MS), 0);
    add(queue, "a", 1, NOW_MS);
    job = fair_queue_return_expired(queue, &retry_ms, NOW_MS);
    assert_non_null(job);
    assert_int_equal(retry_ms, CIRCUIT_BREAKER_OPEN_MS);
    job_free(job);

    /* Half open: one job starts, the others wait for its result. */
    add(queue, "a", 3, now_ms);
    assert_int_equal(next(queue, &probe, now_ms), 'a');
    assert_true(probe.probe);
    assert_int_equal(next(queue, &ticket, now_ms), 0);
    assert_null(fair_queue_return_expired(queue, &retry_ms, now_ms));
    fair_queue_end(queue, &probe, &failure, now_ms);
    assert_int_equal(next(queue, &ticket, now_ms), 0);
    for (int i = 0; i < 2; i++) {
        job = fair_queue_return_expired(queue, &retry_ms, now_ms);
        assert_non_null(job);
        assert_in_range(retry_ms, 2 * CIRCUIT_BREAKER_OPEN_MS,
                        2 * CIRCUIT_BREAKER_OPEN_MS + 1000);
        job_free(job);
    }
    assert_null(fair_queue_return_expired(queue, &retry_ms, now_ms));

    now_ms += 2 * CIRCUIT_BREAKER_OPEN_MS;
    add(queue, "a", 2, now_ms);
    assert_int_equal(next(queue, &probe, now_ms), 'a');
    fair_queue_end(queue, &probe, &success, now_ms);
    assert_int_equal(next(queue, &ticket, now_ms), 'a');
    assert_false(ticket.probe);
    fair_queue_end(queue, &ticket, &success, now_ms);
    fair_queue_close(queue);
}

/* Retry-After: waiting jobs are returned until its end. */
static void
test_hold(void **state)
{
    static const struct retry_verdict hold = {
        .evidence = RETRY_EVIDENCE_OVERLOAD, .hold_ms = 7000};
    struct fair_queue *queue = fair_queue_open(&options, 1);
    struct destination_ticket ticket;
    int64_t retry_ms;

    (void)state;
    add(queue, "a", 3, NOW_MS);
    add(queue, "b", 1, NOW_MS);
    assert_int_equal(next(queue, &ticket, NOW_MS), 'a');
    fair_queue_end(queue, &ticket, &hold, NOW_MS);
    assert_string_equal(order(queue, 9, 0), "b");
    for (int i = 0; i < 2; i++) {
        struct job *job = fair_queue_return_expired(queue, &retry_ms, NOW_MS);

        assert_non_null(job);
        assert_in_range(retry_ms, 7000, 7100);
        job_free(job);
    }
    assert_null(fair_queue_return_expired(queue, &retry_ms, NOW_MS));

    /* A job that was not returned in time may start after all. */
    add(queue, "c", 2, NOW_MS);
    assert_int_equal(next(queue, &ticket, NOW_MS), 'c');
    fair_queue_end(queue, &ticket, &hold, NOW_MS);
    assert_null(fair_queue_return_expired(queue, &retry_ms, NOW_MS + 7000));
    assert_int_equal(next(queue, &ticket, NOW_MS + 7000), 'c');
    fair_queue_end(queue, &ticket, &success, NOW_MS + 7000);
    fair_queue_close(queue);
}

/* If too little of its lease is left, a job neither starts nor waits. */
static void
test_lease(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);
    struct destination_ticket tickets[DESTINATION_START_LIMIT];
    struct destination_ticket ticket;
    int64_t last_ms = NOW_MS + LEASE_MS - TIMEOUT_MS - FAIR_QUEUE_MARGIN_MS;
    struct job *job = make("b", NOW_MS);
    int64_t retry_ms;

    (void)state;
    assert_int_equal(fair_queue_add(queue, job, last_ms), 0);
    assert_int_equal(next(queue, &ticket, last_ms + 1), 0);
    assert_ptr_equal(fair_queue_return_expired(queue, &retry_ms, last_ms + 1),
                     job);
    job_free(job);

    /* Jobs that wait for a slot are found within a second. */
    add(queue, "a", DESTINATION_START_LIMIT + 1, NOW_MS);
    for (int i = 0; i < DESTINATION_START_LIMIT; i++) {
        assert_int_equal(next(queue, &tickets[i], NOW_MS), 'a');
    }
    assert_null(fair_queue_return_expired(queue, &retry_ms, last_ms));
    job = fair_queue_return_expired(queue, &retry_ms, last_ms + 1001);
    assert_non_null(job);
    job_free(job);
    for (int i = 0; i < DESTINATION_START_LIMIT; i++) {
        fair_queue_end(queue, &tickets[i], &success, NOW_MS);
    }
    fair_queue_close(queue);
}

static void
test_drain(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);
    struct destination_ticket ticket;
    struct job *job;
    int count = 0;

    (void)state;
    add(queue, "a", 5, NOW_MS);
    add(queue, "b", 1, NOW_MS);
    assert_int_equal(next(queue, &ticket, NOW_MS), 'a');
    while ((job = fair_queue_drain(queue)) != NULL) {
        job_free(job);
        count++;
    }
    assert_int_equal(count, 5);
    assert_int_equal(fair_queue_under_way(queue), 1);
    assert_int_equal(fair_queue_waiting(queue), 0);
    fair_queue_end(queue, &ticket, &success, NOW_MS);
    assert_int_equal(fair_queue_under_way(queue), 0);
    fair_queue_close(queue);
}

struct seen {
    size_t count;
    struct destination_status last; /* of host "a" */
};

static void
see(void *context, const struct destination_status *status)
{
    struct seen *seen = context;

    seen->count++;
    if (strcmp(status->origin, "http://a:80") == 0) {
        seen->last = *status;
    }
}

static void
test_status(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);
    struct destination_ticket ticket;
    struct seen seen = {0};

    (void)state;
    add(queue, "a", 3, NOW_MS);
    add(queue, "b", 1, NOW_MS);
    assert_int_equal(next(queue, &ticket, NOW_MS), 'a');
    fair_queue_each(queue, see, &seen, NOW_MS);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.last.waiting, 2);
    assert_int_equal(seen.last.under_way, 1);
    assert_int_equal(seen.last.limit, DESTINATION_START_LIMIT);
    assert_int_equal(seen.last.breaker, CIRCUIT_BREAKER_CLOSED);
    fair_queue_end(queue, &ticket, &success, NOW_MS);
    fair_queue_close(queue);

    queue = fair_queue_open(&options, 1);
    bring_down(queue, "a");
    fair_queue_each(queue, see, &seen, NOW_MS + 1000);
    assert_int_equal(seen.last.breaker, CIRCUIT_BREAKER_OPEN);
    assert_int_equal(seen.last.blocked_ms, CIRCUIT_BREAKER_OPEN_MS - 1000);
    fair_queue_close(queue);
}

/* Only so many idle destinations are kept; busy and blocked ones are. */
static void
test_eviction(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);
    struct destination_ticket ticket;
    struct seen seen = {0};

    (void)state;
    bring_down(queue, "a");
    add(queue, "b", 2, NOW_MS);
    assert_int_equal(next(queue, &ticket, NOW_MS), 'b');
    for (int i = 0; i < 3 * DESTINATIONS_IDLE_MAX; i++) {
        struct destination_ticket other;
        char host[32];

        snprintf(host, sizeof(host), "c%d", i);
        add(queue, host, 1, NOW_MS);
        while (next(queue, &other, NOW_MS) != 0) {
            fair_queue_end(queue, &other, &success, NOW_MS);
        }
    }
    fair_queue_each(queue, see, &seen, NOW_MS);
    assert_int_equal(seen.count, DESTINATIONS_IDLE_MAX + 1);
    assert_int_equal(seen.last.breaker, CIRCUIT_BREAKER_OPEN);
    fair_queue_end(queue, &ticket, &success, NOW_MS);
    fair_queue_close(queue);
}

/* Adds a job for a host that nobody knows. */
static void
add_stranger(struct fair_queue *queue, const char *host)
{
    assert_int_equal(fair_queue_add(queue, make(host, NOW_MS), NOW_MS), 0);
}

/* One attempt at a time, until it answers; then as many as for others. */
static void
test_an_answer_proves(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);
    struct destination_ticket ticket, other;
    int64_t kept_ms;

    (void)state;
    assert_int_equal(room_of_origin(queue, "http://a:80", false, NOW_MS), 1);
    add_stranger(queue, "a");
    add_stranger(queue, "a");
    assert_int_equal(next(queue, &ticket, NOW_MS), 'a');
    assert_int_equal(next(queue, &other, NOW_MS), 0);
    assert_int_equal(room_of_origin(queue, "http://a:80", false, NOW_MS), 0);
    assert_null(fair_queue_news(queue, &kept_ms, NOW_MS));
    fair_queue_end(queue, &ticket, &failure, NOW_MS);
    assert_string_equal(fair_queue_news(queue, &kept_ms, NOW_MS),
                        "http://a:80");
    assert_true(kept_ms > 0);
    assert_null(fair_queue_news(queue, &kept_ms, NOW_MS));
    assert_true(room_of_origin(queue, "http://a:80", false, NOW_MS) > 1);
    /* Redis did not know: it is news again. */
    assert_non_null(fair_queue_news(queue, &kept_ms, NOW_MS));
    assert_int_equal(next(queue, &ticket, NOW_MS), 'a');
    fair_queue_end(queue, &ticket, &success, NOW_MS);
    fair_queue_close(queue);
}

/* Three attempts in a row that do not reach it. */
static void
test_the_proof_is_lost(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);
    struct destination_ticket tickets[DESTINATION_LOST];
    struct destination_ticket ticket;
    int64_t kept_ms;

    (void)state;
    add(queue, "a", 8, NOW_MS);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < DESTINATION_LOST - 1; i++) {
            assert_int_equal(next(queue, &ticket, NOW_MS), 'a');
            fair_queue_end(queue, &ticket, &lost, NOW_MS);
        }
        assert_null(fair_queue_news(queue, &kept_ms, NOW_MS));
        if (round == 0) { /* an answer between them */
            assert_int_equal(next(queue, &ticket, NOW_MS), 'a');
            fair_queue_end(queue, &ticket, &failure, NOW_MS);
        }
    }
    assert_int_equal(next(queue, &tickets[0], NOW_MS), 'a');
    fair_queue_end(queue, &tickets[0], &lost, NOW_MS);
    assert_string_equal(fair_queue_news(queue, &kept_ms, NOW_MS),
                        "http://a:80");
    assert_int_equal(kept_ms, 0);
    assert_int_equal(next(queue, &ticket, NOW_MS), 'a');
    assert_int_equal(next(queue, &tickets[0], NOW_MS), 0);
    /* Another reporter reaches it, which changes nothing here. */
    assert_int_equal(room_of_origin(queue, "http://a:80", true, NOW_MS), 0);
    assert_null(fair_queue_news(queue, &kept_ms, NOW_MS));
    fair_queue_end(queue, &ticket, &success, NOW_MS);
    assert_non_null(fair_queue_news(queue, &kept_ms, NOW_MS));
    assert_true(kept_ms > 0);
    fair_queue_close(queue);
}

/* Those that answer once give their place in Redis up soon. */
static void
test_a_place_is_kept_for_those_that_last(void **state)
{
    enum { MINUTE_MS = 60000, HOUR_MS = 3600000 };
    static const struct {
        int64_t at_ms;   /* of an answer */
        int64_t kept_ms; /* -1: no news */
    } rows[] = {
        {0, MINUTE_MS},
        {MINUTE_MS / 2 - 1, -1},
        {MINUTE_MS / 2, 2 * HOUR_MS},
        {MINUTE_MS, -1},
        {HOUR_MS, -1},
        {HOUR_MS + MINUTE_MS, 2 * HOUR_MS},
    };
    struct fair_queue *queue = fair_queue_open(&options, 1);
    struct destination_ticket ticket;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t now_ms = NOW_MS + rows[i].at_ms;
        struct job *job = make("a", now_ms);
        int64_t kept_ms = -1;

        assert_int_equal(fair_queue_add(queue, job, now_ms), 0);
        assert_int_equal(next(queue, &ticket, now_ms), 'a');
        fair_queue_end(queue, &ticket, &success, now_ms);
        fair_queue_news(queue, &kept_ms, now_ms);
        if (kept_ms != rows[i].kept_ms) {
            fail_msg("row %zu: kept for %" PRId64 " ms", i, kept_ms);
        }
    }
    fair_queue_close(queue);
}

/* All strangers together have half of the slots. */
static void
test_strangers_have_half_of_the_slots(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);
    static struct destination_ticket tickets[1024];
    struct destination_ticket ticket;
    char host[16];
    int started = 0;

    (void)state;
    assert_int_equal(fair_queue_room_for_strangers(queue), 512);
    for (int i = 0; i < 600; i++) {
        snprintf(host, sizeof(host), "s%d", i);
        add_stranger(queue, host);
    }
    assert_int_equal(fair_queue_room_for_strangers(queue), 0);
    while (next(queue, &tickets[started], NOW_MS) == 's') {
        started++;
    }
    assert_int_equal(started, 512);
    add(queue, "a", 1, NOW_MS);
    assert_int_equal(next(queue, &ticket, NOW_MS), 'a');
    fair_queue_end(queue, &ticket, &success, NOW_MS);
    fair_queue_end(queue, &tickets[0], &lost, NOW_MS);
    assert_int_equal(next(queue, &tickets[0], NOW_MS), 's');
    while (started > 0) {
        fair_queue_end(queue, &tickets[--started], &lost, NOW_MS);
    }
    while (next(queue, &ticket, NOW_MS) != 0) {
        fair_queue_end(queue, &ticket, &lost, NOW_MS);
    }
    assert_int_equal(fair_queue_room_for_strangers(queue), 512);
    fair_queue_set_slots(queue, 1);
    assert_int_equal(fair_queue_room_for_strangers(queue), 1);
    fair_queue_close(queue);
}

/* Strangers who share an address have ADDRESS_LOAD_MAX attempts under way. */
static void
test_an_address_has_a_limit(void **state)
{
    static const char *const addresses[] = {"192.0.2.1", "192.0.2.1:80",
                                            "198.51.100.1,192.0.2.1",
                                            "[2001:db8::1],192.0.2.1"};
    struct fair_queue *queue = fair_queue_open(&options, 1);
    static struct destination_ticket tickets[ADDRESS_LOAD_MAX + 1];
    struct destination_ticket ticket;
    char host[16];

    (void)state;
    for (int i = 0; i <= ADDRESS_LOAD_MAX; i++) {
        snprintf(host, sizeof(host), "s%d", i);
        add_stranger(queue, host);
        assert_int_equal(next(queue, &tickets[i], NOW_MS), 's');
        assert_int_equal(
            fair_queue_permits(queue, &tickets[i], addresses[i % 4], NOW_MS),
            i < ADDRESS_LOAD_MAX);
    }
    fair_queue_end(queue, &tickets[ADDRESS_LOAD_MAX], &untried, NOW_MS);
    snprintf(host, sizeof(host), "http://s%d:80", ADDRESS_LOAD_MAX);
    assert_int_equal(room_of_origin(queue, host, false, NOW_MS), 0);
    assert_int_equal(room_of_origin(queue, host, false, NOW_MS + 5000), 0);

    /* Another address, and a destination that is proven. */
    add_stranger(queue, "t");
    assert_int_equal(next(queue, &ticket, NOW_MS), 't');
    assert_true(fair_queue_permits(queue, &ticket, "192.0.2.2", NOW_MS));
    fair_queue_end(queue, &ticket, &lost, NOW_MS);
    add(queue, "p", 1, NOW_MS);
    assert_int_equal(next(queue, &ticket, NOW_MS), 'p');
    assert_true(fair_queue_permits(queue, &ticket, "192.0.2.1", NOW_MS));
    fair_queue_end(queue, &ticket, &success, NOW_MS);

    for (int i = 0; i < ADDRESS_LOAD_MAX; i++) {
        fair_queue_end(queue, &tickets[i], &lost, NOW_MS);
    }
    assert_int_equal(room_of_origin(queue, host, false, NOW_MS + 5000), 1);
    fair_queue_close(queue);
}

/* Adds a job with another path. */
static void
add_path(struct fair_queue *queue, const char *path)
{
    struct job *job = make("a", NOW_MS);

    snprintf((char *)job->url, 64, "http://a/%s", path);
    assert_int_equal(fair_queue_add(queue, job, NOW_MS), 0);
}

/* The path of the next job to start, ended with the verdict. "": no job. */
static const char *
run(struct fair_queue *queue, const struct retry_verdict *verdict,
    int64_t now_ms)
{
    static char path[64];
    struct destination_ticket ticket;
    struct job *job = fair_queue_next(queue, &ticket, now_ms);

    path[0] = '\0';
    if (job != NULL) {
        snprintf(path, sizeof(path), "%s", job->url + strlen("http://a/"));
        job_free(job);
        fair_queue_end(queue, &ticket, verdict, now_ms);
    }
    return path;
}

/* If another path has answered, a path that fails stops only itself. */
static void
test_a_path_that_fails_stops_no_other(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);
    int64_t retry_ms;
    struct job *job;

    (void)state;
    room_of(queue, "a", NOW_MS);
    add_path(queue, "good");
    assert_string_equal(run(queue, &success, NOW_MS), "good");
    for (int i = 0; i < CIRCUIT_BREAKER_IN_ROW; i++) {
        add_path(queue, "bad?q");
        assert_string_equal(run(queue, &failure, NOW_MS), "bad?q");
    }
    add_path(queue, "bad?r");
    job = fair_queue_return_expired(queue, &retry_ms, NOW_MS);
    assert_non_null(job);
    assert_in_range(retry_ms, CIRCUIT_BREAKER_OPEN_MS,
                    2 * CIRCUIT_BREAKER_OPEN_MS);
    job_free(job);
    add_path(queue, "good");
    assert_string_equal(run(queue, &success, NOW_MS), "good");
    assert_string_equal(run(queue, &success, NOW_MS), "");

    /* Half open: one job of the path at a time. */
    job = make("a", NOW_MS + CIRCUIT_BREAKER_OPEN_MS);
    snprintf((char *)job->url, 64, "http://a/bad");
    assert_int_equal(
        fair_queue_add(queue, job, NOW_MS + CIRCUIT_BREAKER_OPEN_MS), 0);
    assert_string_equal(run(queue, &success, NOW_MS + CIRCUIT_BREAKER_OPEN_MS),
                        "bad");
    fair_queue_close(queue);
}

/* Retry-After of a path: jobs that wait are returned, those of others start. */
static void
test_a_path_is_held(void **state)
{
    static const struct retry_verdict hold = {.evidence =
                                                  RETRY_EVIDENCE_FAILURE,
                                              .reach = RETRY_REACH_ANSWERED,
                                              .hold_ms = 3600000};
    struct fair_queue *queue = fair_queue_open(&options, 1);
    int64_t retry_ms;
    struct job *job;

    (void)state;
    room_of(queue, "a", NOW_MS);
    add_path(queue, "good");
    assert_string_equal(run(queue, &success, NOW_MS), "good");
    add_path(queue, "bad");
    add_path(queue, "bad");
    add_path(queue, "good");
    assert_string_equal(run(queue, &hold, NOW_MS), "bad");
    assert_string_equal(run(queue, &success, NOW_MS), "good");
    job = fair_queue_return_expired(queue, &retry_ms, NOW_MS);
    assert_non_null(job);
    assert_in_range(retry_ms, 3600000, 3660000);
    job_free(job);
    assert_null(fair_queue_return_expired(queue, &retry_ms, NOW_MS));
    fair_queue_close(queue);
}

/* Without an answer for 30 s the destination is held, but not for long. */
static void
test_nobody_answers(void **state)
{
    static const struct retry_verdict hold = {.evidence =
                                                  RETRY_EVIDENCE_FAILURE,
                                              .reach = RETRY_REACH_ANSWERED,
                                              .hold_ms = 3600000};
    struct fair_queue *queue = fair_queue_open(&options, 1);
    bool stranger;
    int64_t wait_ms;

    (void)state;
    room_of(queue, "a", NOW_MS);
    add_path(queue, "bad");
    assert_string_equal(run(queue, &hold, NOW_MS), "bad");
    assert_int_equal(fair_queue_room_of(queue, "http://a:80", true, &stranger,
                                        &wait_ms, NOW_MS),
                     0);
    assert_int_not_equal(room_of(queue, "a", NOW_MS + DESTINATION_HOLD_MAX_MS),
                         0);
    fair_queue_close(queue);
}

/* The probe of a destination's breaker is not the path that opened it. */
static void
test_a_probe_uses_another_path(void **state)
{
    struct fair_queue *queue = fair_queue_open(&options, 1);
    struct destination_ticket probe, ticket;
    int64_t now_ms = NOW_MS + CIRCUIT_BREAKER_OPEN_MS;
    struct job *job;

    (void)state;
    room_of(queue, "a", NOW_MS);
    for (int i = 0; i < CIRCUIT_BREAKER_IN_ROW; i++) {
        char path[8];

        snprintf(path, sizeof(path), "b%d", i % 4);
        add_path(queue, path);
        assert_string_equal(run(queue, &failure, NOW_MS), path);
    }
    assert_true(room_of(queue, "a", now_ms) > 1);
    for (int i = 0; i < 3; i++) {
        job = make("a", now_ms);
        snprintf((char *)job->url, 64, "http://a/%s", i == 2 ? "good" : "b1");
        assert_int_equal(fair_queue_add(queue, job, now_ms), 0);
    }
    job = fair_queue_next(queue, &probe, now_ms);
    assert_string_equal(job->url, "http://a/good");
    assert_true(probe.probe);
    job_free(job);
    assert_null(fair_queue_next(queue, &ticket, now_ms));
    fair_queue_end(queue, &probe, &success, now_ms);
    assert_string_equal(run(queue, &success, now_ms), "b1");
    fair_queue_close(queue);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_robin),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_hungry),
        cmocka_unit_test(test_breaker),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_lease),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_an_answer_proves),
        cmocka_unit_test(test_the_proof_is_lost),
        cmocka_unit_test(test_a_place_is_kept_for_those_that_last),
        cmocka_unit_test(test_strangers_have_half_of_the_slots),
        cmocka_unit_test(test_an_address_has_a_limit),
        cmocka_unit_test(test_a_path_that_fails_stops_no_other),
        cmocka_unit_test(test_a_path_is_held),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_a_probe_uses_another_path),
    };

    return cmocka_run_group_tests_name("fair_queue", tests, NULL, NULL);
}
