/*
 * test_digest: which settings change the digest of the configuration.
 */
#include "config/digest.h"
#include "options_loaded.h"

/* The digest with one more line in the file; "" for the defaults. */
static void
digest_of(const char *text, char digest[CONFIG_DIGEST_SIZE])
{
    struct loaded loaded;

    load_text(&loaded, text);
    assert_string_equal(loaded.complaints, "");
    assert_int_equal(config_digest(&loaded.options, digest), 0);
    options_fini(&loaded.options);
}

static const struct {
    const char *text;
    bool differs; /* from the defaults */
} rows[] = {
    {"[window]\nseconds = 10\n", true},
    {"[window]\nseconds = 60\n", false}, /* the default */
    {"[redis]\nprefix = other\n", true},
    {"[redis]\ntimeout_ms = 251\n", true},
    {"[dedup]\nstrategy = hll\n", true},
    {"[accept]\nmax_batch = 64\n", true},
    {"[callbacks]\nmax_queue = 5\n", true},
    {"[callbacks]\nretry_delays_s = 5,30\n", true},
    {"[callbacks]\nhosts = a.example\n", true},
    {"[kafka]\ntopic = other\n", true},
    /* Of the host: */
    {"[redis]\nurl = redis://u:p@10.0.0.1\n", false},
    {"[stats]\npath = /x\n", false},
    {"[file]\npath = /x\n", false},
    {"[log]\nlevel = debug\n", false},
    {"[metrics]\nallow = 10.0.0.0/8\n", false},
    {"[callbacks]\nlog = /x\n", false},
    {"[callbacks]\nca_file = /x\n", false},
    /* What the host does: */
    {"[callbacks]\nworkers = 0\n", false},
    {"[report]\nsinks = kafka\n", false},
    {"[sink]\nname = x\n", false},
    /* Secrets: */
    {"[redis]\npassword = x\n", false},
    {"[callbacks]\nsecret = whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\n", false},
    {"[kafka]\nsasl.password = x\n", false},
};

static void
test_which_settings_count(void **state)
{
    char defaults[CONFIG_DIGEST_SIZE];
    int failed = 0;

    (void)state;
    digest_of("", defaults);
    assert_int_equal(strspn(defaults, "0123456789abcdef"), 8);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char digest[CONFIG_DIGEST_SIZE];

        digest_of(rows[i].text, digest);
        if ((strcmp(digest, defaults) != 0) != rows[i].differs) {
            print_error("%s: %s, the defaults: %s\n", rows[i].text, digest,
                        defaults);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_settings_count),
    };

    return cmocka_run_group_tests_name("digest", tests, make_directory,
                                       remove_directory);
}
