/*
 * aws_source: what each source makes of variables, files and answers, step by
 * step, without a network.
 */
#define _GNU_SOURCE /* mkdtemp, clearenv, asprintf */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "reports/aws_chain.h"
#include "reports/aws_source.h"

#define FULL "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define RELATIVE "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"

static char folder[] = "/tmp/verve-unit-XXXXXX";
static char path[sizeof(folder) + sizeof("/credentials")];

static int
make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/credentials", folder);
    return 0;
}

static int
remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void
write_file(const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Sets variables: "NAME=value" each, up to NULL. No others are set. */
static void
set_variables(const char *const *variables)
{
    clearenv();
    for (; *variables != NULL; variables++) {
        char *copy = strdup(*variables);
        char *value = strchr(copy, '=');

        *value = '\0';
        assert_int_equal(setenv(copy, value + 1, 1), 0);
        free(copy);
    }
}

/* "KEY SECRET TOKEN", or why not. */
static void
assert_found(const struct aws_lookup *lookup, enum aws_source_result result,
             enum aws_source_result wanted, const char *text)
{
    char found[512] = "";

    if (result == AWS_SOURCE_FOUND) {
        snprintf(found, sizeof(found), "%s %s %s", lookup->found.access_key,
                 lookup->found.secret_key, lookup->found.session_token);
    } else if (result == AWS_SOURCE_ASK) {
        snprintf(found, sizeof(found), "%s %s %s",
                 lookup->request.put ? "PUT" : "GET", lookup->request.url,
                 lookup->request.header == NULL ? "-" : lookup->request.header);
    } else {
        snprintf(found, sizeof(found), "%s", lookup->why);
    }
    if (result != wanted || strstr(found, text) == NULL) {
        fail_msg("result %d: %s\nnot %d: %s", (int)result, found, (int)wanted,
                 text);
    }
}

static const struct environment_row {
    const char *variables[4];
    enum aws_source_result result;
    const char *text;
} environments[] = {
    {{NULL}, AWS_SOURCE_NONE, "AWS_ACCESS_KEY_ID is not set"},
    {{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY="},
     AWS_SOURCE_NONE,
     "AWS_ACCESS_KEY_ID is not set"},
    {{"AWS_SESSION_TOKEN=t"}, AWS_SOURCE_NONE, "AWS_ACCESS_KEY_ID is not set"},
    {{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"},
     AWS_SOURCE_FOUND,
     "a b "},
    {{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_SESSION_TOKEN=c"},
     AWS_SOURCE_FOUND,
     "a b c"},
    {{"AWS_ACCESS_KEY_ID=a"},
     AWS_SOURCE_BAD,
     "AWS_SECRET_ACCESS_KEY is missing"},
    {{"AWS_SECRET_ACCESS_KEY=b"},
     AWS_SOURCE_BAD,
     "AWS_ACCESS_KEY_ID is missing"},
    {{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b c"},
     AWS_SOURCE_BAD,
     "AWS_SECRET_ACCESS_KEY has a blank"},
    {{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b",
      "AWS_SESSION_TOKEN=c\n"},
     AWS_SOURCE_BAD,
     "AWS_SESSION_TOKEN has a blank"},
};

static void
test_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(environments) / sizeof(*environments); i++) {
        const struct environment_row *row = &environments[i];
        struct aws_lookup lookup = {0};

        set_variables(row->variables);
        assert_found(&lookup, aws_environment.step(&lookup), row->result,
                     row->text);
        aws_lookup_fini(&lookup);
    }
}

#define KEYS "aws_access_key_id=a\naws_secret_access_key=b\n"
#define NAME_49 "n2345678901234567890123456789012345678901234567x9"

static const struct profile_row {
    const char *text;    /* of the file; NULL: there is none */
    const char *profile; /* NULL: not set */
    enum aws_source_result result;
    const char *wanted;
} profiles[] = {
    {NULL, NULL, AWS_SOURCE_NONE, "/credentials: No such file"},
    {"", NULL, AWS_SOURCE_NONE, "has no keys in profile \"default\""},
    {"[default]\n" KEYS, NULL, AWS_SOURCE_FOUND, "a b "},
    {"[default]\n" KEYS "aws_session_token = c", NULL, AWS_SOURCE_FOUND,
     "a b c"},
    {"\xEF\xBB\xBF[default]\n" KEYS, NULL, AWS_SOURCE_FOUND, "a b "},
    {"[other]\n" KEYS, NULL, AWS_SOURCE_NONE, "has no keys"},
    {"[other]\n" KEYS, "other", AWS_SOURCE_FOUND, "a b "},
    {"[other]\n" KEYS, "othe", AWS_SOURCE_BAD, "no keys in profile \"othe\""},
    {"[othe]\n" KEYS, "other", AWS_SOURCE_BAD, "no keys in profile \"other\""},
    {"[ other\t]\r\n" KEYS, "other", AWS_SOURCE_FOUND, "a b "},
    {"[x]\n" KEYS "[other]\nAWS_ACCESS_KEY_ID =  k # is\n"
     "aws_secret_access_key=s=/+ ; a comment\n",
     "other", AWS_SOURCE_FOUND, "k s=/+ "},
    {"[default]\n" KEYS "[default]\naws_secret_access_key=c\n", NULL,
     AWS_SOURCE_FOUND, "a c "},
    {"[default]\nrole_arn = x\ns3 =\n  a = b\nno value\n" KEYS, NULL,
     AWS_SOURCE_FOUND, "a b "},
    {"[default]\naws_access_key_id=a\n", NULL, AWS_SOURCE_BAD,
     "profile \"default\": aws_secret_access_key is missing"},
    {"[default]\n" KEYS "aws_session_token=\xC3\xA9\n", NULL, AWS_SOURCE_BAD,
     "profile \"default\": aws_session_token has a blank"},
    {"[" NAME_49 "]\n" KEYS, NAME_49, AWS_SOURCE_FOUND, "a b "},
    {"[" NAME_49 "0]\n" KEYS, NAME_49 "0", AWS_SOURCE_BAD,
     "AWS_PROFILE is longer than 49 bytes"},
};

static void
test_profile(void **state)
{
    static const char *const none[] = {NULL};

    (void)state;
    set_variables(none);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    for (size_t i = 0; i < sizeof(profiles) / sizeof(*profiles); i++) {
        const struct profile_row *row = &profiles[i];
        struct aws_lookup lookup = {0};

        if (row->text != NULL) {
            write_file(row->text);
        }
        setenv("AWS_PROFILE", row->profile == NULL ? "" : row->profile, 1);
        assert_found(&lookup, aws_profile.step(&lookup), row->result,
                     row->wanted);
        aws_lookup_fini(&lookup);
    }
    assert_int_equal(unlink(path), 0);
}

/* A FIFO, which is never waited for; a device; and the file of HOME. */
static void
test_files(void **state)
{
    static const char *const none[] = {NULL};
    struct aws_lookup lookup = {0};

    (void)state;
    set_variables(none);
    assert_found(&lookup, aws_profile.step(&lookup), AWS_SOURCE_NONE,
                 "/.aws/credentials: ");
    setenv("HOME", folder, 1);
    assert_found(&lookup, aws_profile.step(&lookup), AWS_SOURCE_NONE, folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    assert_found(&lookup, aws_profile.step(&lookup), AWS_SOURCE_NONE,
                 "no regular file");
    assert_int_equal(unlink(path), 0);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
    assert_found(&lookup, aws_profile.step(&lookup), AWS_SOURCE_NONE,
                 "no regular file");
    aws_lookup_fini(&lookup);
}

/* A home that a service may not look into is no source; a file that somebody
   named is. */
static void
test_forbidden_files(void **state)
{
    static const char *const none[] = {NULL};
    struct aws_lookup lookup = {0};
    bool root = geteuid() == 0;

    (void)state;
    set_variables(none);
    setenv("HOME", folder, 1);
    assert_int_equal(chmod(folder, 0), 0);
    assert_true(!root || seteuid(65534) == 0);
    assert_found(&lookup, aws_profile.step(&lookup), AWS_SOURCE_NONE,
                 "/.aws/credentials: Permission denied");
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    assert_found(&lookup, aws_profile.step(&lookup), AWS_SOURCE_BAD,
                 "/credentials: Permission denied");
    assert_true(!root || seteuid(0) == 0);
    assert_int_equal(chmod(folder, 0700), 0);
    aws_lookup_fini(&lookup);
}

static const struct environment_row containers[] = {
    {{NULL}, AWS_SOURCE_NONE, "neither " RELATIVE " nor " FULL " is set"},
    {{RELATIVE "=/v2/x?id=1"},
     AWS_SOURCE_ASK,
     "GET http://169.254.170.2/v2/x?id=1 -"},
    {{RELATIVE "=/v2/x", FULL "=http://127.0.0.1/"},
     AWS_SOURCE_ASK,
     "GET http://169.254.170.2/v2/x -"},
    {{RELATIVE "=@example.com/"}, AWS_SOURCE_BAD, "begin with a slash"},
    {{FULL "=http://127.0.0.1:80/x",
      "AWS_CONTAINER_AUTHORIZATION_TOKEN=Basic x"},
     AWS_SOURCE_ASK,
     "GET http://127.0.0.1:80/x Authorization: Basic x"},
    {{FULL "=http://localhost/x"}, AWS_SOURCE_ASK, "GET http://localhost/x"},
    {{FULL "=http://[::1]:8080/x"}, AWS_SOURCE_ASK, "GET http://[::1]:8080/x"},
    {{FULL "=http://169.254.170.23/v1/credentials"}, AWS_SOURCE_ASK, "GET "},
    {{FULL "=http://[fd00:ec2::23]/v1/credentials"}, AWS_SOURCE_ASK, "GET "},
    {{FULL "=https://example.com/x"}, AWS_SOURCE_ASK, "GET https://example"},
    {{FULL "=http://example.com/x"}, AWS_SOURCE_BAD, "neither https nor"},
    {{FULL "=http://128.0.0.1/x"}, AWS_SOURCE_BAD, "neither https nor"},
    {{FULL "=http://169.254.169.254/x"}, AWS_SOURCE_BAD, "neither https nor"},
    {{FULL "=http://[fd00:ec2::254]/x"}, AWS_SOURCE_BAD, "neither https nor"},
    {{FULL "=http://127.0.0.1.example.com/x"},
     AWS_SOURCE_BAD,
     "neither https nor"},
    {{FULL "=http://127.0.0.1@example.com/x"},
     AWS_SOURCE_BAD,
     "neither https nor"},
    {{FULL "=https://u:p@h/"}, AWS_SOURCE_BAD, "neither https nor"},
    {{FULL "=ftp://127.0.0.1/x"}, AWS_SOURCE_BAD, "neither https nor"},
    {{FULL "=x"}, AWS_SOURCE_BAD, "neither https nor"},
    {{FULL "=http://127.0.0.1/", "AWS_CONTAINER_AUTHORIZATION_TOKEN=a\r\nb"},
     AWS_SOURCE_BAD,
     "AWS_CONTAINER_AUTHORIZATION_TOKEN has a newline"},
    {{FULL "=http://127.0.0.1/",
      "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/nowhere"},
     AWS_SOURCE_BAD,
     "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: No such file"},
};

static void
test_container(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(containers) / sizeof(*containers); i++) {
        const struct environment_row *row = &containers[i];
        struct aws_lookup lookup = {0};

        set_variables(row->variables);
        assert_found(&lookup, aws_container.step(&lookup), row->result,
                     row->text);
        aws_lookup_fini(&lookup);
    }
}

static const struct answer_row {
    long status;
    const char *body;
    enum aws_source_result result;
    const char *text;
} answers[] = {
    {200, "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\"}", AWS_SOURCE_FOUND,
     "a b "},
    {200,
     "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"Token\":\"c\","
     "\"Expiration\":\"2026-01-02T03:04:00Z\"}",
     AWS_SOURCE_FOUND, "a b c"},
    {200,
     "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\",\"Token\":\"c\","
     "\"Expiration\":\"2026-01-02T03:04:00.123456Z\"}",
     AWS_SOURCE_FOUND, "a b c"},
    {200,
     "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\","
     "\"Expiration\":\"soon\"}",
     AWS_SOURCE_BAD, "the expiration is no time"},
    {200, "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":7}", AWS_SOURCE_BAD,
     "SecretAccessKey of the answer is missing"},
    {200, "{\"AccessKeyId\":\"a\\nb\",\"SecretAccessKey\":\"b\"}",
     AWS_SOURCE_BAD, "AccessKeyId of the answer has a blank"},
    {200, "{\"AccessKeyId\":\"secret", AWS_SOURCE_BAD,
     "the answer is no JSON object"},
    {200, "[]", AWS_SOURCE_BAD, "the answer is no JSON object"},
    {200, "", AWS_SOURCE_BAD, "the answer is no JSON object"},
    {403, "{\"code\":\"x\"}", AWS_SOURCE_BAD, "HTTP 403"},
    {302, "", AWS_SOURCE_BAD, "HTTP 302"},
};

static void
check_answers(const struct aws_source *source, const struct answer_row *rows,
              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct answer_row *row = &rows[i];
        struct aws_lookup lookup = {
            .step = 1, .status = row->status, .body = row->body};

        assert_found(&lookup, source->step(&lookup), row->result, row->text);
        if (strstr(row->body, "2026") != NULL) {
            assert_true(lookup.found.expires_s == 1767323040);
        }
        aws_lookup_fini(&lookup);
    }
}

static void
test_answers(void **state)
{
    (void)state;
    check_answers(&aws_container, answers, sizeof(answers) / sizeof(*answers));
}

#define TOKEN_FILE "AWS_WEB_IDENTITY_TOKEN_FILE"
#define FORM                                                                   \
    "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn="             \
    "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx&RoleSessionName="

static const struct web_identity_row {
    const char *variables[5];
    enum aws_source_result result;
    const char *text;
    const char *form;
} web_identities[] = {
    {{NULL}, AWS_SOURCE_NONE, TOKEN_FILE " is not set", NULL},
    {{TOKEN_FILE "=FILE"}, AWS_SOURCE_BAD, "AWS_ROLE_ARN is not set", NULL},
    {{TOKEN_FILE "=/nowhere", "AWS_ROLE_ARN=x"},
     AWS_SOURCE_BAD,
     TOKEN_FILE ": No such file",
     NULL},
    {{TOKEN_FILE "=FILE", "AWS_ROLE_ARN=arn:aws:iam::1:role/x"},
     AWS_SOURCE_ASK,
     "GET https://sts.amazonaws.com/ -",
     FORM "verve&WebIdentityToken=a.b%2Bc"},
    {{TOKEN_FILE "=FILE", "AWS_ROLE_ARN=arn:aws:iam::1:role/x",
      "AWS_ROLE_SESSION_NAME=a b", "AWS_REGION=eu-west-1"},
     AWS_SOURCE_ASK,
     "GET https://sts.eu-west-1.amazonaws.com/ -",
     FORM "a%20b&WebIdentityToken=a.b%2Bc"},
    {{TOKEN_FILE "=FILE", "AWS_ROLE_ARN=x", "AWS_DEFAULT_REGION=cn-north-1"},
     AWS_SOURCE_ASK,
     "GET https://sts.cn-north-1.amazonaws.com.cn/ -",
     NULL},
    {{TOKEN_FILE "=FILE", "AWS_ROLE_ARN=x", "AWS_REGION=eu-west-1",
      "AWS_ENDPOINT_URL_STS=https://sts.example.com/"},
     AWS_SOURCE_ASK,
     "GET https://sts.example.com/ -",
     NULL},
};

static void
test_web_identity(void **state)
{
    (void)state;
    write_file("a.b+c\n");
    for (size_t i = 0; i < sizeof(web_identities) / sizeof(*web_identities);
         i++) {
        const struct web_identity_row *row = &web_identities[i];
        struct aws_lookup lookup = {0};

        set_variables(row->variables);
        if (getenv(TOKEN_FILE) != NULL &&
            strcmp(getenv(TOKEN_FILE), "FILE") == 0) {
            setenv(TOKEN_FILE, path, 1);
        }
        assert_found(&lookup, aws_web_identity.step(&lookup), row->result,
                     row->text);
        if (row->form != NULL) {
            assert_string_equal(lookup.request.form, row->form);
        }
        aws_lookup_fini(&lookup);
    }
    assert_int_equal(unlink(path), 0);
}

/* The example of AWS's reference, shortened. */
#define STS(expiration)                                                        \
    "<AssumeRoleWithWebIdentityResponse>\n <Credentials>\n"                    \
    "  <SessionToken>AQo/p+IE</SessionToken>\n"                                \
    "  <SecretAccessKey>wJalr/KEY</SecretAccessKey>\n"                         \
    "  <Expiration>" expiration "</Expiration>\n"                              \
    "  <AccessKeyId>ASgeIAI</AccessKeyId>\n </Credentials>\n"

static const struct answer_row answers_of_sts[] = {
    {200, STS("2026-01-02T03:04:00Z"), AWS_SOURCE_FOUND,
     "ASgeIAI wJalr/KEY AQo/p+IE"},
    {200, STS("soon"), AWS_SOURCE_BAD, "the expiration is no time"},
    {200, "<html>", AWS_SOURCE_BAD, "AccessKeyId of the answer is missing"},
    {400, "<Error><Code>ExpiredTokenException</Code><Message>x</Message>",
     AWS_SOURCE_BAD, "HTTP 400 ExpiredTokenException"},
    {503, "", AWS_SOURCE_BAD, "HTTP 503 "},
};

static void
test_answers_of_sts(void **state)
{
    (void)state;
    check_answers(&aws_web_identity, answers_of_sts,
                  sizeof(answers_of_sts) / sizeof(*answers_of_sts));
}

#define ROLES "/latest/meta-data/iam/security-credentials/"
#define PASS " X-aws-ec2-metadata-token: t=="

/* One pass, and what is left of it. */
static const struct instance_row {
    int step;
    long status;
    const char *body;
    enum aws_source_result result;
    const char *text;
} instances[] = {
    {0, 0, NULL, AWS_SOURCE_ASK,
     "PUT http://h/latest/api/token "
     "X-aws-ec2-metadata-token-ttl-seconds: 21600"},
    {1, 200, "t==", AWS_SOURCE_ASK, "GET http://h" ROLES PASS},
    {2, 200, "a-role\n", AWS_SOURCE_ASK, "GET http://h" ROLES "a-role" PASS},
    {3, 200, "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"b\"}",
     AWS_SOURCE_FOUND, "a b "},
    {1, 403, "", AWS_SOURCE_BAD, "no session token: HTTP 403"},
    {1, 200, "", AWS_SOURCE_BAD, "the answer is no session token"},
    {1, 200, "a\r\nb", AWS_SOURCE_BAD, "the answer is no session token"},
    {2, 404, "", AWS_SOURCE_BAD, "the instance has no role"},
    {2, 401, "", AWS_SOURCE_BAD, "no role: HTTP 401"},
    {2, 200, "", AWS_SOURCE_BAD, "the answer is no name of a role"},
    {2, 200, "../x", AWS_SOURCE_BAD, "the answer is no name of a role"},
    {2, 200, "<html>", AWS_SOURCE_BAD, "the answer is no name of a role"},
    {3, 500, "", AWS_SOURCE_BAD, "no credentials of the role: HTTP 500"},
};

static void
test_instance(void **state)
{
    static const char *const variables[] = {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://h/", NULL};
    struct aws_lookup lookup = {0};

    (void)state;
    set_variables(variables);
    for (size_t i = 0; i < sizeof(instances) / sizeof(*instances); i++) {
        const struct instance_row *row = &instances[i];

        lookup.step = row->step;
        lookup.status = row->status;
        lookup.body = row->body;
        assert_found(&lookup, aws_instance.step(&lookup), row->result,
                     row->text);
    }
    aws_lookup_fini(&lookup);
}

static void
test_where_the_instance_is_asked(void **state)
{
    static const struct environment_row rows[] = {
        {{NULL}, AWS_SOURCE_ASK, "PUT http://169.254.169.254/latest/api/token"},
        {{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=ipv6"},
         AWS_SOURCE_ASK,
         "PUT http://[fd00:ec2::254]/latest/api/token"},
        {{"AWS_EC2_METADATA_DISABLED=false"}, AWS_SOURCE_ASK, "PUT "},
        {{"AWS_EC2_METADATA_DISABLED=True"},
         AWS_SOURCE_NONE,
         "AWS_EC2_METADATA_DISABLED is set"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct aws_lookup lookup = {0};

        set_variables(rows[i].variables);
        assert_found(&lookup, aws_instance.step(&lookup), rows[i].result,
                     rows[i].text);
        aws_lookup_fini(&lookup);
    }
}

/* The order: the first source that is set up decides. */
static void
test_check(void **state)
{
    static const struct {
        const char *variables[4];
        int result;
        const char *why;
    } rows[] = {
        {{NULL}, 0, "container: neither"},
        {{"AWS_EC2_METADATA_DISABLED=true"},
         -1,
         "; instance metadata: AWS_EC2_METADATA_DISABLED is set"},
        {{"AWS_ACCESS_KEY_ID=a", FULL "=x"},
         -1,
         "environment: AWS_SECRET_ACCESS_KEY is missing"},
        {{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", FULL "=x"}, 0, ""},
        {{FULL "=x"}, -1, "; container: " FULL " is neither"},
        {{"AWS_PROFILE=x", "AWS_SHARED_CREDENTIALS_FILE=/etc/hostname"},
         -1,
         "credentials file: /etc/hostname has no keys in profile \"x\""},
    };
    char why[AWS_CHAIN_WHY_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        set_variables(rows[i].variables);
        if (aws_chain_check(why) != rows[i].result ||
            strstr(why, rows[i].why) == NULL) {
            fail_msg("row %zu: %s", i, why);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_profile),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_forbidden_files),
        cmocka_unit_test(test_container),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_web_identity),
        cmocka_unit_test(test_answers_of_sts),
        cmocka_unit_test(test_instance),
        cmocka_unit_test(test_where_the_instance_is_asked),
        cmocka_unit_test(test_check),
    };

    return cmocka_run_group_tests_name("aws_sources", tests, make_folder,
                                       remove_folder);
}
