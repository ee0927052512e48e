/*
 * cluster_map: what nodes may say, true or not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#include "redis/cluster_map.h"

enum { SLOT = 13907 };

/* In the rows: ranges of slots by RESP, https://redis.io/docs/latest/develop/
   reference/protocol-spec/ */
#define TEXT(len, text) "$" #len "\r\n" text "\r\n"
#define ID TEXT(2, "id")
#define PORT ":7000\r\n"
#define ALL ":0\r\n:16383\r\n"
#define NAMED(len, name) "*4\r\n" TEXT(len, name) PORT ID "*0\r\n"
#define ONE(node) "*1\r\n*3\r\n" ALL node

static const struct {
    const char *reply;
    const char *master; /* "": the slot has none; NULL: no such reply */
    int masters;
    int nodes;
} rows[] = {
    {ONE(NAMED(9, "127.0.0.1")), "127.0.0.1:7000", 1, 1},
    {ONE(NAMED(3, "::1")), "::1:7000", 1, 1},
    {ONE(NAMED(6, "n1.lan")), "n1.lan:7000", 1, 1},
    /* The host that was asked. */
    {ONE(NAMED(0, "")), "asked:7000", 1, 1},
    {ONE("*4\r\n$-1\r\n" PORT ID "*0\r\n"), "asked:7000", 1, 1},
    {ONE("*4\r\n*-1\r\n" PORT ID "*0\r\n"), "asked:7000", 1, 1},
    /* No announced name: the address, if it is told. */
    {ONE("*4\r\n" TEXT(1, "?") PORT ID "*2\r\n" TEXT(2, "ip")
             TEXT(8, "10.0.0.7")),
     "10.0.0.7:7000", 1, 1},
    {ONE(NAMED(1, "?")), "", 0, 0},
    {ONE("*4\r\n" TEXT(1, "?") PORT ID "*1\r\n" TEXT(2, "ip")), "", 0, 0},
    /* Without metadata, as before Redis 7. */
    {ONE("*3\r\n" TEXT(2, "h1") PORT ID), "h1:7000", 1, 1},
    {ONE("*2\r\n" TEXT(2, "h1") PORT), "h1:7000", 1, 1},
    /* Three masters, a replica of the third, one master in two ranges. */
    {"*4\r\n"
     "*3\r\n:0\r\n:5\r\n" NAMED(2, "h1") "*3\r\n:6\r\n:13906\r\n" NAMED(
         2, "h2") "*4\r\n:13907\r\n:13907\r\n" NAMED(2, "h3")
         NAMED(2, "h4") "*3\r\n:13908\r\n:16383\r\n" NAMED(2, "h1"),
     "h3:7000", 3, 4},
    /* Nobody serves the slot. */
    {"*0\r\n", "", 0, 0},
    {"*1\r\n*3\r\n:0\r\n:13906\r\n" NAMED(2, "h1"), "", 1, 1},
    {"*1\r\n*3\r\n:13908\r\n:16383\r\n" NAMED(2, "h1"), "", 1, 1},
    /* No addresses. */
    {ONE(NAMED(10, "a host\x1b[2J")), "", 0, 0},

    {ONE("*4\r\n" TEXT(2, "h1") ":0\r\n" ID "*0\r\n"), "", 0, 0},
    {ONE("*4\r\n" TEXT(2, "h1") ":65536\r\n" ID "*0\r\n"), "", 0, 0},
    {ONE("*4\r\n" TEXT(2, "h1") TEXT(4, "7000") ID "*0\r\n"), "", 0, 0},
    {ONE("*0\r\n"), "", 0, 0},
    {ONE(":7\r\n"), "", 0, 0},
    {"*1\r\n*2\r\n" ALL, "", 0, 0},
    {"*1\r\n*3\r\n$-1\r\n$-1\r\n" NAMED(2, "h1"), "", 0, 0},
    {"*2\r\n:1\r\n$-1\r\n", "", 0, 0},
    {":7\r\n", NULL, 0, 0},
    {"$-1\r\n", NULL, 0, 0},
    {"+OK\r\n", NULL, 0, 0},
};

/* NULL: it is not Redis's protocol. */
static redisReply *
parse(const char *text, size_t len)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;

    redisReaderFeed(reader, text, len);
    redisReaderGetReply(reader, &reply);
    redisReaderFree(reader);
    return reply;
}

static void
print(char text[512], const struct server_address *address)
{
    snprintf(text, 512, "%s:%s", address->host, address->port);
}

static void
test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct guide_answer answer;
        redisReply *reply = parse(rows[i].reply, strlen(rows[i].reply));
        char master[512] = "";
        bool ok;

        print_message("row %zu\n", i);
        assert_non_null(reply);
        ok = cluster_map_read(&answer, reply, SLOT, "asked");
        freeReplyObject(reply);
        assert_int_equal(ok, rows[i].master != NULL);
        if (!ok) {
            continue;
        }
        if (answer.master.host[0] != '\0') {
            print(master, &answer.master);
        }
        assert_string_equal(master, rows[i].master);
        assert_int_equal(answer.masters, rows[i].masters);
        assert_int_equal(answer.node_count, rows[i].nodes);
    }
}

static void
test_nul(void **state)
{
    static const char text[] = ONE("*4\r\n$3\r\nh\0i\r\n" PORT ID "*0\r\n");
    struct guide_answer answer;
    redisReply *reply = parse(text, sizeof(text) - 1);

    (void)state;
    assert_non_null(reply);
    assert_true(cluster_map_read(&answer, reply, SLOT, "asked"));
    assert_string_equal(answer.master.host, "");
    freeReplyObject(reply);
}

/* A range for each slot, each with a master and a replica of its own. */
static void
test_many(void **state)
{
    static char text[4 << 20];
    size_t len = (size_t)sprintf(text, "*16384\r\n");
    struct guide_answer answer;
    redisReply *reply;

    (void)state;
    for (int i = 0; i < 16384; i++) {
        len += (size_t)sprintf(text + len,
                               "*4\r\n:%d\r\n:%d\r\n"
                               "*2\r\n$1\r\na\r\n:%d\r\n"
                               "*2\r\n$1\r\nb\r\n:%d\r\n",
                               i, i, i + 1, i + 1);
    }
    reply = parse(text, len);
    assert_non_null(reply);
    assert_true(cluster_map_read(&answer, reply, SLOT, "asked"));
    assert_string_equal(answer.master.port, "13908");
    assert_int_equal(answer.masters, GUIDE_NODES_MAX);
    assert_int_equal(answer.node_count, GUIDE_NODES_MAX);
    freeReplyObject(reply);
}

static void
test_moved(void **state)
{
    static const struct {
        const char *error;
        const char *to; /* NULL: to no node */
    } moved[] = {
        {"MOVED 13907 127.0.0.1:7001", "127.0.0.1:7001"},
        {"MOVED 13907 ::1:7001", "::1:7001"},
        {"MOVED 13907 n1.lan:7001", "n1.lan:7001"},
        {"MOVED 13907 :7001", "asked:7001"},
        {"MOVED 13907 ?:7001", NULL},
        {"MOVED 13907 h:", NULL},
        {"MOVED 13907 h:0", NULL},
        {"MOVED 13907 h:7001x", NULL},
        {"MOVED 13907 h", NULL},
        {"MOVED h:7001", NULL},
        {"MOVED ", NULL},
        {"MOVED", NULL},
        {"MOVED 13907 \x1b[2J:7001", NULL},
        {"ASK 13907 127.0.0.1:7001", NULL},
        {"", NULL},
    };
    struct server_address to;
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
        print_message("%s\n", moved[i].error);
        assert_int_equal(cluster_map_moved(&to, moved[i].error, "asked"),
                         moved[i].to != NULL);
        if (moved[i].to != NULL) {
            print(text, &to);
            assert_string_equal(text, moved[i].to);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_moved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
