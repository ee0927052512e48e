/*
 * test_slots: all scripts of the store run on a node of a Redis Cluster, which
 * refuses a script with the keys of two slots (CROSSSLOT), and does not know a
 * script that it has refused.
 */
#include <jansson.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "shards_fixture.h"
#include "store/job_queue.h"
#include "store/presence.h"
#include "store/queue_state.h"
#include "store/schema.h"
#include "store/sink_lease.h"
#include "store/status.h"
#include "store/window_closer.h"

/*
 * Ports of a node. They are below those that the system gives to clients
 * (ip_local_port_range), so that only another node may be faster.
 */
enum { PORT_FIRST = 20000, PORTS = 6000 };

static bool
is_free(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

    close(fd);
    return bound;
}

/* A free port; the port for the cluster bus, PORTS above it, is free, too. */
static int
free_port(void)
{
    int port = PORT_FIRST + (int)getpid() % PORTS;

    while (!is_free(port) || !is_free(port + PORTS)) {
        port = PORT_FIRST + (port + 1 - PORT_FIRST) % PORTS;
    }
    return port;
}

/* A cluster of one node. */
static int
start_node(void **state)
{
    static char port[8], bus[8];
    int number = free_port();
    int result;

    (void)state;
    snprintf(port, sizeof(port), "%d", number % 100000);
    snprintf(bus, sizeof(bus), "%d", (number + PORTS) % 100000);
    server.args[0] = "--cluster-enabled";
    server.args[1] = "yes";
    server.args[2] = "--port";
    server.args[3] = port;
    server.args[4] = "--cluster-port";
    server.args[5] = bus;
    result = redis_server_start(&server);
    snprintf(server.url, sizeof(server.url), "redis+cluster://127.0.0.1:%s",
             port);
    return result;
}

static int
stop_node(void **state)
{
    char path[64];

    (void)state;
    snprintf(path, sizeof(path), "%s/nodes.conf", server.dir);
    redis_server_kill(&server);
    unlink(path);
    redis_server_stop(&server);
    return 0;
}

static int
set_up_node(void **state)
{
    for (int i = 0; i < 100; i++) {
        (void)!redis_server_administer(&server,
                                       "CLUSTER ADDSLOTSRANGE 0 16383");
        if (redis_server_administer(&server, "SET up 1") == 0) {
            return set_up(state);
        }
        usleep(100 * 1000);
    }
    return -1;
}

static void
count_and_sign_off(struct fixture *f, enum dedup_kind kind)
{
    f->options.dedup.strategy = (int)kind;
    redis_do(f->redis[0], "FLUSHALL", NULL);
    for (int i = 0; i < SHARDS; i++) {
        f->views[i].dedup.strategy = (int)kind;
    }
    close_counters(f->counters, f->news);
    assert_int_equal(open_counters(f, f->counters, &f->news), 0);
    count_in(f, 0, f->counters[0], NULL, 0);
    for (int i = 0; i < SHARDS; i++) {
        struct counter_request requests[2] = {request(id_of(i, 0), "http://h"),
                                              request(id_of(i, 9), NULL)};

        count_in(f, i, f->counters[i], requests, 2);
        assert_int_equal(requests[0].answer, COUNTER_COUNTED);
        for (int id = 0; id < 600; id++) { /* canaries */
            count_one(f, i, id);
        }
        assert_int_equal(probe_shard(f->redis[i], f->counters[i]).fault,
                         PROBE_READY);
        finish_run(f->redis[i], f->counters[i],
                   counter_start_sign_off(f->counters[i]));
    }
}

static void
close_windows(struct fixture *f)
{
    struct window_closer_shard shards[SHARDS];
    struct window_closer_settings settings = {
        .shards = shards, .count = SHARDS, .records = f->redis[0]};
    struct window_closer *closer;
    struct window_closer_sealed sealed;
    struct window_record record;
    char born[SCHEMA_BORN_SIZE];
    int64_t skipped;

    for (int i = 0; i < SHARDS; i++) {
        char key[64];

        shards[i] = (struct window_closer_shard){.options = &f->views[i],
                                                 .redis = f->redis[i]};
        snprintf(key, sizeof(key), "verve:{%lld}:born",
                 (long long)f->views[i].redis.tag);
        snprintf(born, sizeof(born), "%lld", (long long)time(NULL) - HOUR_S);
        redis_do(f->redis[0], "SET", key, born, NULL);
    }
    closer = window_closer_open(&settings);
    assert_int_not_equal(window_closer_seal(closer, 10, &sealed), -1);
    assert_int_equal(sealed.records, 1);
    assert_int_equal(window_closer_read(closer, 0, &record, 1, &skipped), 1);
    window_closer_close(closer);
}

static void
take(void *context, struct job *job)
{
    struct job **taken = context;

    *taken = job;
}

static void
found(void *context, const char *origin, bool proven)
{
    (void)context;
    (void)origin;
    (void)proven;
}

static void
deliver(struct fixture *f, int shard)
{
    struct job_queue *queue = job_queue_open(&f->views[shard], f->redis[shard]);
    struct job_queue_wish wish = {.origin = "http://h:80", .most = 1};
    struct job_queue_proof proof = {.origin = "http://h:80", .kept_ms = 60000};
    struct job_queue_looked looked;
    struct job_queue_claimed claimed;
    struct job_queue_flushed flushed;
    struct queue_state state;
    struct job *job = NULL;
    char key[64];

    snprintf(key, sizeof(key), "verve:{%lld}:callbacks",
             (long long)f->views[shard].redis.tag);
    redis_do(f->redis[0], "RPUSH", key,
             "{\"v\":1,\"id\":\"x\",\"url\":\"http://i/\",\"window\":60,"
             "\"count\":1}",
             NULL);
    assert_int_equal(job_queue_look(queue, 10, found, NULL, &looked), 0);
    assert_int_equal(job_queue_claim(queue, &wish, 1, take, &job, &claimed), 0);
    assert_non_null(job);
    assert_int_equal(job_queue_begin(queue, job), 0);
    usleep((JOB_QUEUE_MARK_MS + 100) * 1000);
    assert_int_equal(job_queue_mark(queue), 0);
    assert_int_equal(job_queue_prove(queue, &proof, 1), 0);
    job_queue_settle(queue, job, JOB_DELIVERED, 0, "");
    assert_int_equal(job_queue_flush(queue, &flushed), 0);
    assert_int_equal(job_queue_recount(queue), 0);
    assert_int_equal(
        queue_state_read(&f->views[shard], f->redis[shard], &state), 0);
    job_queue_close(queue);
}

static void
on_complaint(void *context, const char *complaint)
{
    (void)context;
    fail_msg("%s", complaint);
}

static void
tell_presence(struct fixture *f)
{
    static char *const no_environment[] = {NULL};
    struct options options;
    struct presence *presence;

    assert_int_equal(
        options_load(&options, NULL, no_environment, on_complaint, NULL), 0);
    presence = presence_open(&options, f->redis[0], PRESENCE_WEB, "part");
    assert_non_null(presence);
    presence_write(presence, json_object());
    presence_close(presence);
    options_fini(&options);
}

static void
look_and_tell(struct fixture *f)
{
    struct sink_lease *lease =
        sink_lease_open(&(struct sink_lease_options){.redis = f->redis[0],
                                                     .list = f->redis[1],
                                                     .prefix = "verve",
                                                     .name = "file:h:/{a}",
                                                     .owner = "us"});
    json_t *status;

    assert_int_equal(sink_lease_keep(lease), 0);
    assert_int_equal(sink_lease_advance(lease, 60, INT64_MAX), 0);
    assert_true(sink_lease_ours(lease));
    sink_lease_release(lease);
    sink_lease_close(lease);
    tell_presence(f);
    status = status_windows(&f->options, f->redis[0]);
    assert_int_equal(json_array_size(status), 1);
    json_decref(status);
    for (int i = 0; i < SHARDS; i++) {
        status = status_look(&f->views[i], f->redis[i]);
        assert_non_null(status);
        json_decref(status);
    }
}

static void
test_no_script_needs_two_slots(void **state)
{
    struct fixture *f = *state;
    const struct redis_script *const *scripts;
    size_t count;

    for (int kind = 0; kind < 3; kind++) {
        count_and_sign_off(f, (enum dedup_kind)kind);
        deliver(f, kind);
        close_windows(f);
        look_and_tell(f);
    }
    scripts = redis_scripts(&count);
    assert_true(count > 20);
    for (size_t i = 0; i < count; i++) {
        char words[128];

        /* rights.lua has no keys. The connection of this test does not run it.
         */
        if (strcmp(scripts[i]->name, "rights") == 0) {
            continue;
        }
        print_message("%s\n", scripts[i]->name);
        snprintf(words, sizeof(words), "SCRIPT EXISTS %s | grep -q 1",
                 scripts[i]->sha1);
        assert_int_equal(redis_server_administer(&server, words), 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_script_needs_two_slots,
                                        set_up_node, tear_down),
    };

    return cmocka_run_group_tests_name("slots", tests, start_node, stop_node);
}
