/*
 * redis_url: which URLs can be read, and that no error text has a part of the
 * URL, which may hold a password.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "redis/redis.h"
#include "redis/redis_url.h"

#define UNIX_FORM "unix://[[user]:password@]/path[?db=number]"
#define TCP_FORM "redis://[[user]:password@]host[:port][/database]"
#define SENTINEL_FORM                                                          \
    "redis+sentinel://[[user]:password@]host[:port],.../master[?db=number]"

struct good {
    const char *text;
    struct redis_url url;
};

#define S(text) (char *)text

static const struct good goods[] = {
    {"unix:///run/r.sock", {.path = S("/run/r.sock")}},
    {"unix:////a/../b@c:d//e", {.path = S("//a/../b@c:d//e")}},
    {"unix:///a b%20c%3F%23%25%0a", {.path = S("/a b c?#%\n")}},
    {"unix://:p@/s", {.path = S("/s"), .password = S("p")}},
    {"unix://me:p@/s", {.path = S("/s"), .user = S("me"), .password = S("p")}},
    {"unix://m%3Ae:%2F%3F%23%40%25%3A@/s?db=15",
     {.path = S("/s"),
      .user = S("m:e"),
      .password = S("/?#@%:"),
      .database = S("15")}},
    {"unix://:a:b@/s", {.path = S("/s"), .password = S("a:b")}},
    {"unix:///s?db=0", {.path = S("/s"), .database = S("0")}},
    {"redis://h", {.host = S("h"), .port = S("6379")}},
    {"redis://h/", {.host = S("h"), .port = S("6379")}},
    {"redis://h:/", {.host = S("h"), .port = S("6379")}},
    {"redis://my_redis.example.",
     {.host = S("my_redis.example."), .port = S("6379")}},
    {"redis://10.0.0.1:7000/3",
     {.host = S("10.0.0.1"), .port = S("7000"), .database = S("3")}},
    {"redis://h/007", {.host = S("h"), .port = S("6379"), .database = S("7")}},
    {"redis://h/2147483647",
     {.host = S("h"), .port = S("6379"), .database = S("2147483647")}},
    {"redis://[::1]:1", {.host = S("::1"), .port = S("1")}},
    {"redis://me@h", {.host = S("h"), .port = S("6379"), .user = S("me")}},
    {"unix://me@/s", {.path = S("/s"), .user = S("me")}},
    {"redis://:p%40ss@h",
     {.host = S("h"), .port = S("6379"), .password = S("p@ss")}},
    {"redis://:a%01b@h",
     {.host = S("h"),
      .port = S("6379"),
      .password = S("a\x01"
                    "b")}},
    {"redis://%7F:%0D%0A%09%ff@h",
     {.host = S("h"),
      .port = S("6379"),
      .user = S("\x7f"),
      .password = S("\r\n\t\xff")}},
    {"unix://:a%01b%1f@/s",
     {.path = S("/s"),
      .password = S("a\x01"
                    "b\x1f")}},
    {"redis://me:p%3A%2F@h:1/0",
     {.host = S("h"),
      .port = S("1"),
      .user = S("me"),
      .password = S("p:/"),
      .database = S("0")}},
    {"redis+sentinel://a/my.Master-1_",
     {.master = S("my.Master-1_"),
      .hosts = {{S("a"), S("26379")}},
      .host_count = 1}},
    {"redis+sentinel://me:p%40%2C@10.0.0.1:7,[::1]:8,c.example./m?db=3",
     {.user = S("me"),
      .password = S("p@,"),
      .database = S("3"),
      .master = S("m"),
      .hosts = {{S("10.0.0.1"), S("7")},
                {S("::1"), S("8")},
                {S("c.example."), S("26379")}},
      .host_count = 3}},
    {"rediss://me:p%40@redis.example:6380/2",
     {.tls = true,
      .host = S("redis.example"),
      .port = S("6380"),
      .user = S("me"),
      .password = S("p@"),
      .database = S("2")}},
    {"rediss://[::1]", {.tls = true, .host = S("::1"), .port = S("6379")}},
    {"rediss+sentinel://:p@a,[::1]:7/m?db=1",
     {.tls = true,
      .password = S("p"),
      .database = S("1"),
      .master = S("m"),
      .hosts = {{S("a"), S("26379")}, {S("::1"), S("7")}},
      .host_count = 2}},
    {"redis+sentinel://me@a/m",
     {.user = S("me"),
      .master = S("m"),
      .hosts = {{S("a"), S("26379")}},
      .host_count = 1}},
    {"redis+cluster://a",
     {.cluster = true, .hosts = {{S("a"), S("6379")}}, .host_count = 1}},
    {"rediss+cluster://a",
     {.tls = true,
      .cluster = true,
      .hosts = {{S("a"), S("6379")}},
      .host_count = 1}},
    {"redis+cluster://me:p%40%2C@10.0.0.1:7,[::1]:8,c.example.",
     {.user = S("me"),
      .password = S("p@,"),
      .cluster = true,
      .hosts = {{S("10.0.0.1"), S("7")},
                {S("::1"), S("8")},
                {S("c.example."), S("6379")}},
      .host_count = 3}},
};

static const struct bad {
    const char *text;
    const char *word; /* in the error */
} bads[] = {
    {"", UNIX_FORM " nor " TCP_FORM},
    {"h", TCP_FORM},
    {"h:6379", TCP_FORM},
    {"tcp://h", TCP_FORM},
    {"http://h", TCP_FORM},
    {"Redis://h", TCP_FORM},
    {"/run/r.sock", UNIX_FORM},
    {"rediss+cluster://h/0", "no database"},
    {"rediss:///run/r.sock", "no host"},
    {"rediss://:hunter2@", "no host"},
    {"rediss://h?ssl=true", "after a ? nothing"},
    {"rediss+sentinel://h:1", "names no master"},
    {"rediss", "rediss://"},
    {"unixs:///s", "rediss://"},
    {"redis+sentinel://", "host[:port]"},
    {"redis+sentinel:///m", "host[:port]"},
    {"redis+sentinel://a", "names no master"},
    {"redis+sentinel://a/", "names no master"},
    {"redis+sentinel://a,b:7?db=1", "names no master"},
    {"redis+sentinel://a,/m", "host[:port]"},
    {"redis+sentinel://,a/m", "host[:port]"},
    {"redis+sentinel://a,,b/m", "host[:port]"},
    {"redis+sentinel://a:0/m", "1 to 65535"},
    {"redis+sentinel://a:x/m", "host[:port]"},
    {"redis+sentinel://a b/m", "host[:port]"},
    {"redis+sentinel://[fe80::1%25eth0]/m", "zone"},
    {"redis+sentinel://a/m/1", "only letters"},
    {"redis+sentinel://a/m%41", "only letters"},
    {"redis+sentinel://a/m?ssl=true", "?db=number"},
    {"redis+sentinel://a/m?db=x", "not a whole number"},
    {"redis+sentinel://a/m#x", "a # and what"},
    {"redis+sentinel://:@a/m", "no password"},
    {"redis+sentinel://:hunter2@/m", "host[:port]"},
    {"redis+sentinel://:hun/ter2@a/m", "host[:port]"},
    {"redis+sentinel://:hun@ter2@a/m", "%40"},
    {"redis+sentinel://:hunter2%zz@a/m", "hexadecimal"},
    {"redis+sentinel://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17/m",
     "more than 16"},
    {"redis+cluster://", "a node is not host[:port]"},
    {"redis+cluster://a,", "a node is not host[:port]"},
    {"redis+cluster://,a", "a node is not host[:port]"},
    {"redis+cluster://a:x", "a node is not host[:port]"},
    {"redis+cluster://[::1", "a node is not host[:port]"},
    {"redis+cluster://a:0", "1 to 65535"},
    {"redis+cluster://a/0", "no database"},
    {"redis+cluster://a?db=1", "no database"},
    {"redis+cluster://a/verve", "no database"},
    {"redis+cluster://:@a", "no password"},
    {"redis+cluster://:hun/ter2@a", "no database"},
    {"redis+cluster://:hun@ter2@a", "%40"},
    {"redis+cluster://a#b", "a # and what"},
    {"redis+cluster://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
     "more than 16"},

    {"unix://", "whole path"},
    {"unix://run/r.sock", "whole path"},
    {"unix://hunter2/r.sock", "whole path"},
    {"unix://:hunter2@", "whole path"},
    {"unix://:hunter2@?db=1", "whole path"},
    {"unix://:hun/ter2@/s", "%2F"},
    {"unix://:hun@ter2@/s", "%40"},
    {"unix:///1234567890123456789012345678901234567890123456789012345678901"
     "2345678901234567890123456789012345678901234567",
     "107 bytes"},
    {"unix:///s?", "?db=number"},
    {"unix:///s?db", "?db=number"},
    {"unix:///s?DB=1", "?db=number"},
    {"unix:///s?ssl=true", "?db=number"},
    {"unix:///s?password=hunter2", "?db=number"},
    {"unix:///s?db=", "not a whole number"},
    {"unix:///s?db=x", "not a whole number"},
    {"unix:///s?db=-1", "not a whole number"},
    {"unix:///s?db=+1", "not a whole number"},
    {"unix:///s?db=1&db=2", "not a whole number"},
    {"unix:///s?db=1?db=2", "not a whole number"},
    {"unix:///s?db=1&ssl=true", "not a whole number"},
    {"unix:///s?db=2147483648", "not a whole number"},
    {"unix:///s#x", "a # and what"},
    {"unix:///s?db=1#x", "a # and what"},
    {"unix:///s%", "hexadecimal"},
    {"unix:///s%zz", "hexadecimal"},
    {"unix:///s%00", "%00"},
    {"unix://@/s", "no password"},
    {"unix://:@/s", "no password"},
    {"unix://hunter2:@/s", "no password"},
    {"unix://:hunter2%@/s", "hexadecimal"},
    {"unix://:hunter2%00@/s", "%00"},

    {"redis://", "no host"},
    {"redis:///", "no host"},
    {"redis:///1", "no host"},
    {"redis://:6379", "no host"},
    {"redis://:hunter2@", "no host"},
    {"redis://:hunter2@/1", "no host"},
    {"redis://h:0", "1 to 65535"},
    {"redis://h:65536", "1 to 65535"},
    {"redis://h:x", "1 to 65535"},
    {"redis://:hun/ter2@h", "%2F"},
    {"redis://:hun@ter2@h", "%40"},
    {"redis://h/x", "not a whole number"},
    {"redis://h/-1", "not a whole number"},
    {"redis://h/+1", "not a whole number"},
    {"redis://h/1/2", "not a whole number"},
    {"redis://h/1/", "not a whole number"},
    {"redis://h/a/../1", "not a whole number"},
    {"redis://h//1", "not a whole number"},
    {"redis://h/2147483648", "not a whole number"},
    {"redis://h/9223372036854775808", "not a whole number"},
    {"redis://h/%00", "%00"},
    {"redis://h?db=1", "the database follows the host"},
    {"redis://h/2?db=1", "the database follows the host"},
    {"redis://h?ssl=true", "after a ? nothing"},
    {"redis://h/1?", "after a ? nothing"},
    {"redis://:hun?ter2@h", "%3F"},
    {"redis://h#x", "a # and what"},
    {"redis://h/1#", "a # and what"},
    {"redis://:hun#ter2@h", "%23"},
    {"redis://@h", "no password"},
    {"redis://:@h", "no password"},
    {"redis://hunter2:@h", "no password"},
    {"redis://:hunter2%@h", "hexadecimal"},
    {"redis://:hunter2%4@h", "hexadecimal"},
    {"redis://hunter2%zz:p@h", "hexadecimal"},
    {"redis://:hunter2%00@h", "%00"},
    {"redis://[fe80::1%25eth0]", "zone"},
    {"redis://a|b", "neither a name nor an address"},
    {"redis://a%7Cb", "neither a name nor an address"},
    {"redis://a..b", "neither a name nor an address"},
    {"redis://a%", "neither a name nor an address"},
    {"redis://a,b", "neither a name nor an address"},
    {"redis://a%20b", "neither a name nor an address"},
    {"redis://[h]", "neither a name nor an address"},
    {"redis://a%01b", "neither a name nor an address"},
    {"redis://hunter2 :p@h", ""},
};

static int
same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static int
same_hosts(const struct redis_url *a, const struct redis_url *b)
{
    size_t i = 0;

    while (i < a->host_count && same(a->hosts[i].host, b->hosts[i].host) &&
           same(a->hosts[i].port, b->hosts[i].port)) {
        i++;
    }
    return i == a->host_count && i == b->host_count;
}

static void
test_good(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
        const struct redis_url *want = &goods[i].url;
        struct redis_url got;
        const char *problem = redis_url_parse(goods[i].text, &got);

        if (problem != NULL || got.tls != want->tls ||
            redis_url_has_tls(goods[i].text) != want->tls ||
            !same(got.path, want->path) || !same(got.host, want->host) ||
            !same(got.port, want->port) || !same(got.user, want->user) ||
            !same(got.password, want->password) ||
            !same(got.database, want->database) ||
            !same(got.master, want->master) || got.cluster != want->cluster ||
            !same_hosts(&got, want)) {
            fail_msg("%s: %s", goods[i].text, problem ? problem : "differs");
        }
        redis_url_fini(&got);
    }
}

static void
test_bad(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        struct redis_url got;
        const char *problem = redis_url_parse(bads[i].text, &got);

        if (problem == NULL || strstr(problem, bads[i].word) == NULL ||
            strstr(problem, "hunter2") != NULL) {
            fail_msg("%s: %s", bads[i].text, problem ? problem : "accepted");
        }
        redis_url_fini(&got);
    }
}

/* The parts without percent-encoding; no others. */
static void
test_print(void **state)
{
    static const struct {
        const char *url;
        const char *part;
        const char *text; /* NULL: there is no such part */
    } rows[] = {
        {"unix://m%25e:%0a@/s?db=07", "socket", "/s"},
        {"unix://m%25e:%0a@/s?db=07", "user", "m%e"},
        {"unix://m%25e:%0a@/s?db=07", "password", "\n"},
        {"unix://m%25e:%0a@/s?db=07", "database", "7"},
        {"unix://m%25e:%0a@/s?db=07", "host", ""},
        {"redis://[::1]", "host", "::1"},
        {"redis://[::1]", "tls", ""},
        {"rediss://[::1]", "tls", "yes"},
        {"rediss://[::1]", "sentinels", ""},
        {"rediss+sentinel://a/m", "tls", "yes"},
        {"rediss+sentinel://a/m", "sentinels", "a 26379"},
        {"unix:///s", "tls", ""},
        {"redis://[::1]", "port", "6379"},
        {"redis://[::1]", "socket", ""},
        {"redis://[::1]", "database", ""},
        {"redis://[::1]", "sentinels", ""},
        {"redis+sentinel://a,[::1]:7/m?db=2", "sentinels", "a 26379\n::1 7"},
        {"redis+sentinel://a,[::1]:7/m?db=2", "master", "m"},
        {"redis+sentinel://a,[::1]:7/m?db=2", "database", "2"},
        {"redis+sentinel://a,[::1]:7/m?db=2", "host", ""},
        {"redis+sentinel://a,[::1]:7/m?db=2", "nodes", ""},
        {"redis+cluster://a,[::1]:7", "nodes", "a 6379\n::1 7"},
        {"redis+cluster://a,[::1]:7", "sentinels", ""},
        {"redis+cluster://a,[::1]:7", "host", ""},
        {"redis+cluster://a,[::1]:7", "master", ""},
        {"redis://[::1]", "path", NULL},
        {"redis://[::1]", "", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[24] = "";
        FILE *out = fmemopen(text, sizeof(text), "w");
        bool found;

        assert_non_null(out);
        found = redis_url_print(out, rows[i].url, rows[i].part);
        fclose(out);
        if (found != (rows[i].text != NULL) ||
            (found && strcmp(text, rows[i].text) != 0)) {
            fail_msg("%s of %s: %s", rows[i].part, rows[i].url, text);
        }
    }
}

static void
test_login(void **state)
{
    static const struct {
        const char *url;
        struct redis_login login;
    } rows[] = {
        {"redis://u:p@h", {.has_user = true, .has_password = true}},
        {"unix://u:p@/s", {.has_user = true, .has_password = true}},
        {"redis://:p@h", {.has_password = true}},
        {"redis://u@h", {.has_user = true}},
        {"redis+sentinel://u@h/m", {.has_user = true}},
        {"unix://u@/s", {.has_user = true}},
        {"redis://h", {.has_user = false}},
        {"unix:///s", {.has_user = false}},
        {"redis://u:p@h:x", {.has_user = false}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct redis_login login = redis_login_of(rows[i].url);

        if (login.has_user != rows[i].login.has_user ||
            login.has_password != rows[i].login.has_password) {
            fail_msg("%s: wrong login", rows[i].url);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_login),
    };

    return cmocka_run_group_tests_name("redis_url", tests, NULL, NULL);
}
