/*
 * test_marks: what a responder remembers of confirmed batches. The replies of
 * marks-confirm.lua come from a real Redis.
 */
#include "redis_fixture.h"
#include "store/marks.h"

/* Replies what it is given. */
static const struct redis_script echo = {
    .name = "echo",
    .sha1 = "4cf2342858f27cba86b2b790280b0ba54885a7d0",
    .body = "return ARGV",
};

static struct redis *redis;

static void
confirm(struct marks *marks, int64_t window_s, int64_t jobs)
{
    marks_add_batch(marks, redis_call(redis, &echo), window_s);
    marks_confirm_batch(marks, window_s, jobs);
}

/* Takes a reply {1, recorded, kept, lost, late}. */
static struct marks_loss
take(struct marks *marks, int64_t recorded, int64_t kept, int64_t lost,
     int64_t late)
{
    struct command *call = redis_call(redis, &echo);
    const struct redis_reply *reply;

    redis_arg_int(call, 1);
    redis_arg_int(call, recorded);
    redis_arg_int(call, kept);
    redis_arg_int(call, lost);
    redis_arg_int(call, late);
    assert_int_equal(redis_run(redis, &reply), REDIS_DONE);
    return marks_take_reply(marks, reply);
}

static void
test_names_differ(void **state)
{
    struct marks one, other;

    (void)state;
    marks_init(&one);
    marks_init(&other);
    assert_int_equal(strlen(one.name), 16);
    assert_int_equal(strspn(one.name, "0123456789abcdef"), 16);
    assert_string_not_equal(one.name, other.name);
    assert_string_equal(one.confirmed, "");
    assert_false(marks_is_needed(&one));
}

static void
test_what_is_recorded_is_forgotten(void **state)
{
    struct marks marks;

    (void)state;
    marks_init(&marks);
    confirm(&marks, 60, 0);
    confirm(&marks, 60, 0);
    confirm(&marks, 120, 0);
    assert_string_equal(marks.confirmed, "3 120");
    assert_int_equal(marks.count, 2);
    assert_int_equal(take(&marks, 60, 3, 0, 0).lost, 0);
    assert_int_equal(marks.count, 1);
    take(&marks, 120, 3, 0, 0);
    assert_false(marks_is_needed(&marks));
}

/* A batch without a reply, or with too few replicas, is not confirmed. */
static void
test_a_batch_that_was_not_confirmed(void **state)
{
    struct marks marks;

    (void)state;
    marks_init(&marks);
    confirm(&marks, 60, 0);
    marks_add_batch(&marks, redis_call(redis, &echo), 60);
    assert_string_equal(marks.confirmed, "1 60");
    assert_string_equal(marks.pending, "2 60");
    confirm(&marks, 60, 0);
    assert_string_equal(marks.confirmed, "3 60");
}

/* What is lost begins with the batch after the one that Redis has. */
static void
test_a_loss_names_windows_and_callbacks(void **state)
{
    struct marks marks;
    struct marks_loss loss;

    (void)state;
    marks_init(&marks);
    confirm(&marks, 60, 5);
    confirm(&marks, 120, 1);
    confirm(&marks, 180, 2);
    loss = take(&marks, 0, 1, 2, 0);
    assert_int_equal(loss.first_s, 120);
    assert_int_equal(loss.last_s, 180);
    assert_int_equal(loss.lost, 2);
    assert_int_equal(loss.jobs, 3);
    assert_int_equal(marks.count, 3); /* Redis may lose `lost`, too */
}

/* The oldest windows are joined. Their last batch counts for all of them. */
static void
test_many_windows(void **state)
{
    struct marks marks;
    struct marks_loss loss;
    int64_t most = MARKS_RANGES + 10;

    (void)state;
    marks_init(&marks);
    for (int64_t i = 1; i <= most; i++) {
        confirm(&marks, 60 * i, 1);
    }
    assert_int_equal(marks.count, MARKS_RANGES);
    assert_int_equal(marks.ranges[0].first_s, 60);
    assert_int_equal(marks.ranges[0].last_s, 11 * 60);
    loss = take(&marks, 0, -1, most, 0);
    assert_int_equal(loss.first_s, 60);
    assert_int_equal(loss.last_s, 60 * most);
    assert_int_equal(loss.jobs, most);
}

static int
set_up(void **state)
{
    (void)state;
    redis = connect_to_empty();
    return redis == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    (void)state;
    redis_close(redis);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names_differ),
        TEST(test_what_is_recorded_is_forgotten),
        TEST(test_a_batch_that_was_not_confirmed),
        TEST(test_a_loss_names_windows_and_callbacks),
        TEST(test_many_windows),
    };

    return cmocka_run_group_tests_name("marks", tests, start_server,
                                       stop_server);
}
