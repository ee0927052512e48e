/*
 * test_fairness: a simulation of the fair queue with lists of jobs as in Redis,
 * a worker with a turn every 5 ms, and hosts that answer soon or never. Neither
 * a flood for one host nor hosts that hang may delay the other hosts. The time
 * is simulated too.
 */
#include "base/util.h"
#include "callbacks/wishes.h"
#include "fair_queue_fixture.h"

enum { TURN_MS = 5, SLOTS = 256, HOSTS_MAX = 12000 };

struct host { /* its list in Redis */
    char name[12];
    size_t jobs;
    int64_t turn_ms; /* its score */
    bool proven;     /* as Redis knows it */
};

struct slot { /* an attempt under way */
    int64_t at_ms;
    char host[12];
    struct destination_ticket ticket;
};

struct world {
    struct fair_queue *destinations;
    struct host hosts[HOSTS_MAX];
    size_t host_count;
    struct slot slots[SLOTS];
    size_t busy;
    int64_t now_ms;
    int64_t last_ms[128]; /* when a host's last job was delivered, by letter */
    int delivered[128];
    int claimed;
    int wishes; /* destinations of all claims */
    int returned;
};

/* The duration of an attempt; a host that hangs runs into the time limit. */
static int64_t
takes_ms(const char *host)
{
    return host[0] == 'h' ? TIMEOUT_MS : 5;
}

static void
enqueue(struct world *world, const char *letter, int number, size_t jobs)
{
    struct host *host = &world->hosts[world->host_count++];

    assert_true(world->host_count <= HOSTS_MAX);
    snprintf(host->name, sizeof(host->name), "%s%d", letter, number);
    host->jobs = jobs;
    host->turn_ms = world->now_ms;
    host->proven = letter[0] != 'h';
}

static int
compare(const void *a, const void *b)
{
    const struct host *const *x = a;
    const struct host *const *y = b;

    return ((*x)->turn_ms > (*y)->turn_ms) - ((*x)->turn_ms < (*y)->turn_ms);
}

/* As jobs-look.lua. */
static void
look(struct world *world, struct wishes *wishes)
{
    static struct host *due[HOSTS_MAX];
    size_t count = 0;
    size_t proven = JOB_QUEUE_FOUND_MAX;
    size_t strangers = size_min(wishes->strangers, JOB_QUEUE_FOUND_MAX);

    for (size_t i = 0; i < world->host_count; i++) {
        struct host *host = &world->hosts[i];

        if (host->jobs > 0 && host->turn_ms <= world->now_ms) {
            due[count++] = host;
        }
    }
    qsort(due, count, sizeof(due[0]), compare);
    for (size_t i = 0; i < count; i++) {
        char origin[32];
        size_t *left = due[i]->proven ? &proven : &strangers;

        if (*left == 0) {
            continue;
        }
        (*left)--;

        snprintf(origin, sizeof(origin), "http://%s:80", due[i]->name);
        wishes_found(wishes, origin, due[i]->proven);
    }
}

static struct host *
host_of(struct world *world, const char *origin)
{
    char name[12] = "";

    sscanf(origin, "http://%11[^:/]", name);
    for (size_t i = 0; i < world->host_count; i++) {
        if (strcmp(world->hosts[i].name, name) == 0) {
            return &world->hosts[i];
        }
    }
    fail();
    return NULL;
}

/* As jobs-claim.lua. */
static void
claim(struct world *world)
{
    struct wishes wishes;
    size_t room = fair_queue_room(world->destinations);

    wishes_init(&wishes, world->destinations, world->now_ms);
    look(world, &wishes);
    wishes_complete(&wishes, room);
    world->wishes += (int)wishes.count;
    for (size_t i = 0; i < wishes.count; i++) {
        struct job_queue_wish *wish = &wishes.list[i];
        struct host *host = host_of(world, wish->origin);

        for (size_t n = 0; n < wish->most && host->jobs > 0; n++) {
            host->jobs--;
            world->claimed++;
            assert_int_equal(fair_queue_add(world->destinations,
                                            make(host->name, world->now_ms),
                                            world->now_ms),
                             0);
        }
        wish->left = host->jobs;
        host->turn_ms = world->now_ms + wish->wait_ms;
    }
    wishes_note_left(&wishes);
    wishes_fini(&wishes);
}

static void
end_attempts(struct world *world)
{
    for (size_t i = 0; i < world->busy;) {
        struct slot *slot = &world->slots[i];
        bool hangs = slot->host[0] == 'h';

        if (slot->at_ms > world->now_ms) {
            i++;
            continue;
        }
        fair_queue_end(world->destinations, &slot->ticket,
                       hangs ? &lost : &success, world->now_ms);
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
        struct slot *slot = &world->slots[world->busy];

        job =
            fair_queue_next(world->destinations, &slot->ticket, world->now_ms);
        if (job == NULL) {
            break;
        }
        assert_true(job->leased_ms - world->now_ms >= TIMEOUT_MS);
        sscanf(job->url, "http://%11[^/]", slot->host);
        slot->at_ms = world->now_ms + takes_ms(slot->host);
        world->busy++;
        job_free(job);
    }
    while ((job = fair_queue_return_expired(world->destinations, &retry_ms,
                                            world->now_ms)) != NULL) {
        host_of(world, job->url)->jobs++;
        world->returned++;
        job_free(job);
    }
    world->now_ms += TURN_MS;
}

static struct world *
open_world(void)
{
    struct world *world = calloc(1, sizeof(*world));

    world->destinations = fair_queue_open(&options, 1);
    fair_queue_set_slots(world->destinations, SLOTS);
    world->now_ms = NOW_MS;
    return world;
}

static void
close_world(struct world *world)
{
    for (size_t i = 0; i < world->busy; i++) {
        fair_queue_end(world->destinations, &world->slots[i].ticket, &lost,
                       world->now_ms);
    }
    fair_queue_close(world->destinations);
    free(world);
}

/*
 * A flood for one host, which can take 64 jobs in 5 ms, with jobs for other
 * hosts behind it: the others are delivered at once, and the flood takes little
 * longer than alone.
 */
static void
test_flood(void **state)
{
    struct world *world = open_world();
    int64_t best_ms = 20000 / 64 * 5;

    (void)state;
    enqueue(world, "a", 0, 20000);
    for (int i = 0; i < 100; i++) {
        enqueue(world, "b", i, 1);
    }
    while (world->delivered['a'] < 20000 &&
           world->now_ms < NOW_MS + 10 * best_ms) {
        turn(world);
    }
    assert_int_equal(world->delivered['b'], 100);
    assert_true(world->last_ms['b'] - NOW_MS < 100);
    assert_int_equal(world->delivered['a'], 20000);
    assert_true(world->last_ms['a'] - NOW_MS < best_ms * 5 / 4);
    assert_int_equal(world->claimed, 20100);
    assert_int_equal(world->returned, 0);
    close_world(world);
}

/*
 * Hundreds of thousands of jobs for hosts that hang, with jobs for other hosts
 * behind them: the others are as fast as alone, and hardly a job is claimed in
 * vain.
 */
static void
test_hung(void **state)
{
    struct world *world = open_world();

    (void)state;
    for (int i = 0; i < 6; i++) {
        enqueue(world, "h", i, 50000);
    }
    for (int i = 0; i < 50; i++) {
        enqueue(world, "b", i, 100);
    }
    while (world->delivered['b'] < 5000 && world->now_ms < NOW_MS + 60000) {
        turn(world);
    }
    assert_int_equal(world->delivered['b'], 5000);
    assert_true(world->last_ms['b'] - NOW_MS < 500);
    while (world->now_ms < NOW_MS + 60000) {
        turn(world);
    }
    assert_true(world->returned < 6 * 64);
    close_world(world);
}

/*
 * Many hosts with many jobs each: a claim serves only some of them, with
 * several jobs each, and yet all are done at the same time.
 */
static void
test_many(void **state)
{
    enum { HOSTS = 300, JOBS = 100 };
    struct world *world = open_world();

    (void)state;
    for (int i = 0; i < HOSTS; i++) {
        enqueue(world, "b", i, JOBS);
    }
    while (world->delivered['b'] < HOSTS * JOBS / 2 &&
           world->now_ms < NOW_MS + 60000) {
        turn(world);
    }
    for (size_t i = 0; i < HOSTS; i++) {
        assert_in_range(world->hosts[i].jobs, JOBS / 5, JOBS * 4 / 5);
    }
    assert_true(world->claimed >= 4 * world->wishes);
    close_world(world);
}

/*
 * Ten thousand hosts that never answer, one job each: they get half of the
 * slots, and a host that is known is as fast as ever.
 */
static void
test_strangers(void **state)
{
    struct world *world = open_world();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        enqueue(world, "h", i, 1);
    }
    turn(world);
    for (int i = 0; i < 50; i++) {
        turn(world);
    }
    assert_int_equal(world->busy, SLOTS / 2);
    enqueue(world, "b", 0, 500);
    while (world->delivered['b'] < 500 && world->now_ms < NOW_MS + 60000) {
        turn(world);
    }
    assert_int_equal(world->delivered['b'], 500);
    assert_true(world->last_ms['b'] - NOW_MS < 1500);
    assert_int_equal(world->returned, 0);
    close_world(world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_hung),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_strangers),
    };

    return cmocka_run_group_tests_name("fairness", tests, NULL, NULL);
}
