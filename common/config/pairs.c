/*
 * pairs: keys that contradict each other. If one of two values was refused, the
 * two are not compared. A complaint is about a key that is set.
 */
#include "pairs.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "redis/redis.h"
#include "source.h"

enum { WAITING_LEAST_MS = 200, TEXT_SIZE = PLACE_SIZE + 512 };

struct check {
    const struct options *options;
    option_complaint *complain;
    void *context;
    int result;
};

/* The text begins with the key that is complained about. */
static void __attribute__((format(printf, 2, 3)))
complain(struct check *check, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    options_complain(check->options, text, check->complain, check->context);
    check->result = -1;
}

/* True if the user's values of both keys were accepted. */
static bool
are_right(const struct check *check, const char *one, const char *other)
{
    return !source_of(check->options, one)->wrong &&
           !source_of(check->options, other)->wrong;
}

/*
 * An attempt starts only if its time limit and 1 s of the lease are left. If
 * both keys are set, the complaint is about the lease.
 */
static void
check_lease(struct check *check)
{
    int64_t timeout_ms = check->options->callbacks.timeout_ms;
    int64_t lease_s = check->options->callbacks.lease_s;
    int64_t attempt_s = (timeout_ms + 999) / 1000;
    int64_t least_s = int64_max(attempt_s + 2, 2 * attempt_s);

    if (lease_s >= least_s ||
        !are_right(check, "callbacks.lease_s", "callbacks.timeout_ms")) {
        return;
    }
    if (options_is_set(check->options, "callbacks.lease_s")) {
        complain(check,
                 "callbacks.lease_s: %" PRId64
                 " is too short for callbacks.timeout_ms = %" PRId64
                 "; make it at least %" PRId64,
                 lease_s, timeout_ms, least_s);
    } else {
        complain(check,
                 "callbacks.timeout_ms: %" PRId64
                 " is too long for callbacks.lease_s = %" PRId64
                 "; make that at least %" PRId64,
                 timeout_ms, lease_s, least_s);
    }
}

/* WAIT's answer may come 100 ms late if replicas are missing: see redis.c. */
static void
check_waiting(struct check *check)
{
    int64_t timeout_ms = check->options->redis.timeout_ms;
    int64_t replicas = check->options->redis.wait_replicas;

    if (replicas > 0 && timeout_ms < WAITING_LEAST_MS &&
        are_right(check, "redis.timeout_ms", "redis.wait_replicas")) {
        complain(check,
                 "redis.timeout_ms: %" PRId64
                 " is too short for redis.wait_replicas = %" PRId64
                 "; make it at least %d",
                 timeout_ms, replicas, WAITING_LEAST_MS);
    }
}

/* The default of per_host_concurrency is above a small concurrency, which hides
   nothing that a user has set. */
static void
check_concurrency(struct check *check)
{
    int64_t all = check->options->callbacks.concurrency;
    int64_t per_host = check->options->callbacks.per_host_concurrency;

    if (per_host > all &&
        options_is_set(check->options, "callbacks.per_host_concurrency") &&
        are_right(check, "callbacks.concurrency",
                  "callbacks.per_host_concurrency")) {
        complain(check,
                 "callbacks.per_host_concurrency: %" PRId64
                 " is more than callbacks.concurrency = %" PRId64
                 "; make it at most %" PRId64,
                 per_host, all, all);
    }
}

/*
 * The password stands either in redis.url or in a key of its own, and a user
 * needs one of them. redis.url itself was checked by the table.
 */
static void
check_login(struct check *check)
{
    const struct options *options = check->options;
    struct redis_login login = redis_login_of(options->redis.url);
    char place[PLACE_SIZE];
    const char *key = options->redis.password[0] != '\0' ? "redis.password"
                      : options->redis.password_file[0] != '\0'
                          ? "redis.password_file"
                          : NULL;

    if (source_of(options, "redis.url")->wrong) {
        return;
    }
    if (login.has_password && key != NULL) {
        source_write(place, options, "redis.url");
        complain(check, "%s: %s has a password, too; set only one", key, place);
    } else if (login.has_user && !login.has_password && key == NULL) {
        complain(
            check,
            "redis.url: there is no password before the @: write :password@ or "
            "user:password@, or set redis.password or redis.password_file");
    }
}

/* Sentinel has no login by a user alone. */
static void
check_sentinel_login(struct check *check)
{
    const struct options *options = check->options;
    const char *user = options->redis.sentinel_user;
    const char *password = options->redis.sentinel_password;
    const char *file = options->redis.sentinel_password_file;
    const char *key = user[0] != '\0'       ? "redis.sentinel_user"
                      : password[0] != '\0' ? "redis.sentinel_password"
                      : file[0] != '\0'     ? "redis.sentinel_password_file"
                                            : NULL;

    if (key == NULL || source_of(options, "redis.url")->wrong) {
        return;
    }
    if (!redis_url_has_sentinels(options->redis.url)) {
        complain(check,
                 "%s: it would not be used, as redis.url names no sentinels: "
                 "write redis+sentinel://host,host/master there, or remove "
                 "this key",
                 key);
    } else if (password[0] == '\0' && file[0] == '\0') {
        complain(check, "redis.sentinel_user: it needs a password: set "
                        "redis.sentinel_password or "
                        "redis.sentinel_password_file");
    }
}

/*
 * A file that would not be read is a mistake: the connection may be meant to
 * have TLS. The key is in a file of its own, as for redis-cli.
 */
static void
check_tls(struct check *check)
{
    const struct options *options = check->options;
    const struct {
        const char *key;
        const char *value;
    } files[] = {{"redis.ca_file", options->redis.ca_file},
                 {"redis.client_cert", options->redis.client_cert},
                 {"redis.client_key", options->redis.client_key}};
    bool has_cert = options->redis.client_cert[0] != '\0';
    bool has_key = options->redis.client_key[0] != '\0';

    if (source_of(options, "redis.url")->wrong) {
        return;
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i].value[0] != '\0' &&
            !redis_url_has_tls(options->redis.url)) {
            complain(check,
                     "%s: it would not be used, as redis.url has no TLS: write "
                     "a scheme that begins with rediss there, or remove this "
                     "key",
                     files[i].key);
            return;
        }
    }
    if (has_cert && !has_key) {
        complain(check, "redis.client_cert: set redis.client_key, too, the "
                        "file of its private key");
    } else if (has_key && !has_cert) {
        complain(check, "redis.client_key: set redis.client_cert, too, the "
                        "file of its certificate");
    }
}

int
pairs_check(const struct options *options, option_complaint *complain_to,
            void *context)
{
    struct check check = {
        .options = options, .complain = complain_to, .context = context};

    check_lease(&check);
    check_waiting(&check);
    check_concurrency(&check);
    check_login(&check);
    check_sentinel_login(&check);
    check_tls(&check);
    return check.result;
}
