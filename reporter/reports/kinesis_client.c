/*
 * kinesis_request: all that we ask of libcurl, in one place. One easy handle,
 * used again and again, so that connections are kept.
 *
 * AWS refuses a signature that is minutes off its clock. So that ours need not
 * be right, the time is that of the last answer's Date, counted on here.
 */
#define _GNU_SOURCE /* asprintf */
#include "kinesis_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/util.h"
#include "base/version.h"

enum {
    CONNECT_TIMEOUT_MS = 5000,
    TIMEOUT_MS = 10000,
    SKEW_MIN_S = 60,    /* a clock that is less wrong is no error's cause */
    ANSWER_SIZE = 4096, /* of an answer's body; what is more is not read */
};

struct kinesis_request {
    const struct options *options;
    CURL *easy;
    struct curl_slist *headers;
    char *url;
    char *signing;  /* CURLOPT_AWS_SIGV4 */
    int64_t skew_s; /* what AWS's clock is ahead of ours */
    bool skewed;    /* the last answer changed that by SKEW_MIN_S or more */
    char body[KINESIS_BODY_SIZE];
    char answer[ANSWER_SIZE];
    size_t answer_len;
};

static size_t
take_header(char *bytes, size_t size, size_t count, void *context)
{
    static const char name[] = "Date:";
    struct kinesis_request *kinesis = context;
    char text[64];
    int64_t skew_s;
    time_t date;

    if (count >= sizeof(text) || count < strlen(name) ||
        strncasecmp(bytes, name, strlen(name)) != 0) {
        return size * count;
    }
    snprintf(text, sizeof(text), "%.*s", (int)(count - strlen(name)),
             bytes + strlen(name));
    date = curl_getdate(text, NULL);
    if (date != -1) {
        skew_s = date - clock_wall_ms() / 1000;
        kinesis->skewed = llabs(skew_s - kinesis->skew_s) >= SKEW_MIN_S;
        kinesis->skew_s = skew_s;
    }
    return size * count;
}

static size_t
take_answer(char *bytes, size_t size, size_t count, void *context)
{
    struct kinesis_request *kinesis = context;
    size_t room = sizeof(kinesis->answer) - kinesis->answer_len;
    size_t len = size * count < room ? size * count : room;

    memcpy(kinesis->answer + kinesis->answer_len, bytes, len);
    kinesis->answer_len += len;
    return size * count;
}

static int
add_header(struct kinesis_request *kinesis, const char *name, const char *value)
{
    struct curl_slist *longer;
    char *text;

    if (asprintf(&text, "%s: %s", name, value) < 0) {
        return -1;
    }
    longer = curl_slist_append(kinesis->headers, text);
    free(text);
    if (longer == NULL) {
        return -1;
    }
    kinesis->headers = longer;
    return 0;
}

/* All of them are signed. */
static int
make_headers(struct kinesis_request *kinesis)
{
    const char *token = getenv("AWS_SESSION_TOKEN");
    time_t now = clock_wall_ms() / 1000 + kinesis->skew_s;
    struct tm parts;
    char date[32];

    curl_slist_free_all(kinesis->headers);
    kinesis->headers = NULL;
    if (gmtime_r(&now, &parts) == NULL) {
        return -1;
    }
    strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &parts);
    if (add_header(kinesis, "Content-Type", KINESIS_CONTENT_TYPE) < 0 ||
        add_header(kinesis, "X-Amz-Target", KINESIS_TARGET) < 0 ||
        add_header(kinesis, "X-Amz-Date", date) < 0) {
        return -1;
    }
    if (token != NULL && token[0] != '\0') {
        return add_header(kinesis, "X-Amz-Security-Token", token);
    }
    return 0;
}

/* As libcurl would, but close-on-exec. */
static curl_socket_t
open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)context;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

static bool
set_text(const struct kinesis_request *kinesis, CURLoption option,
         const char *value)
{
    return curl_easy_setopt(kinesis->easy, option, value) == CURLE_OK;
}

static bool
set_long(const struct kinesis_request *kinesis, CURLoption option, long value)
{
    return curl_easy_setopt(kinesis->easy, option, value) == CURLE_OK;
}

static bool
set_callbacks(struct kinesis_request *kinesis)
{
    CURL *easy = kinesis->easy;

    return curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, kinesis) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, kinesis) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) ==
               CURLE_OK;
}

/* What all requests have in common. */
static bool
set_up(struct kinesis_request *kinesis)
{
    return set_text(kinesis, CURLOPT_URL, kinesis->url) &&
           set_text(kinesis, CURLOPT_AWS_SIGV4, kinesis->signing) &&
           set_text(kinesis, CURLOPT_USERNAME, getenv("AWS_ACCESS_KEY_ID")) &&
           set_text(kinesis, CURLOPT_PASSWORD,
                    getenv("AWS_SECRET_ACCESS_KEY")) &&
           set_text(kinesis, CURLOPT_USERAGENT, "verve/" VERVE_VERSION) &&
           set_text(kinesis, CURLOPT_PROTOCOLS_STR, "http,https") &&
           set_long(kinesis, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
           set_long(kinesis, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) &&
           set_long(kinesis, CURLOPT_POST, 1) &&
           set_long(kinesis, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) &&
           set_long(kinesis, CURLOPT_TIMEOUT_MS, TIMEOUT_MS) &&
           set_long(kinesis, CURLOPT_NOSIGNAL, 1) &&
           /* Else a name that does not resolve stalls the whole loop. */
           set_long(kinesis, CURLOPT_QUICK_EXIT, 1) && set_callbacks(kinesis);
}

/* Where the stream is, unless kinesis.endpoint says otherwise.
   https://docs.aws.amazon.com/general/latest/gr/ak.html */
static int
make_url(struct kinesis_request *kinesis)
{
    const char *region = kinesis->options->kinesis.region;
    const char *country = starts_with(region, "cn-") ? ".cn" : "";

    if (kinesis->options->kinesis.endpoint[0] != '\0') {
        kinesis->url = strdup(kinesis->options->kinesis.endpoint);
    } else if (asprintf(&kinesis->url, "https://kinesis.%s.amazonaws.com%s/",
                        region, country) < 0) {
        kinesis->url = NULL; /* else it is undefined: asprintf(3) */
    }
    return kinesis->url == NULL ? -1 : 0;
}

struct kinesis_request *
kinesis_client_open(const struct options *options)
{
    struct kinesis_request *kinesis = calloc(1, sizeof(*kinesis));

    if (kinesis == NULL) {
        return NULL;
    }
    kinesis->options = options;
    kinesis->easy = curl_easy_init();
    if (asprintf(&kinesis->signing, "aws:amz:%s:kinesis",
                 options->kinesis.region) < 0) {
        kinesis->signing = NULL; /* else it is undefined: asprintf(3) */
    }
    if (kinesis->easy == NULL || kinesis->signing == NULL ||
        make_url(kinesis) < 0 || !set_up(kinesis)) {
        kinesis_client_close(kinesis);
        return NULL;
    }
    return kinesis;
}

void
kinesis_client_close(struct kinesis_request *kinesis)
{
    if (kinesis != NULL) {
        curl_easy_cleanup(kinesis->easy);
        curl_slist_free_all(kinesis->headers);
        free(kinesis->url);
        free(kinesis->signing);
        free(kinesis);
    }
}

int
kinesis_client_prepare(struct kinesis_request *kinesis,
                       const struct window_record *record)
{
    size_t len =
        kinesis_body(kinesis->body, kinesis->options->kinesis.stream, record);

    kinesis->answer_len = 0;
    kinesis->skewed = false;
    if (len == 0 || make_headers(kinesis) < 0 ||
        curl_easy_setopt(kinesis->easy, CURLOPT_HTTPHEADER, kinesis->headers) !=
            CURLE_OK ||
        curl_easy_setopt(kinesis->easy, CURLOPT_POSTFIELDSIZE, (long)len) !=
            CURLE_OK) {
        return -1;
    }
    return set_text(kinesis, CURLOPT_POSTFIELDS, kinesis->body) ? 0 : -1;
}

CURL *
kinesis_client_easy(const struct kinesis_request *kinesis)
{
    return kinesis->easy;
}

enum kinesis_verdict
kinesis_client_verdict(const struct kinesis_request *kinesis, CURLcode code,
                       char why[KINESIS_WHY_SIZE])
{
    long status = 0;

    if (code != CURLE_OK) {
        snprintf(why, KINESIS_WHY_SIZE, "%s", curl_easy_strerror(code));
        return KINESIS_BUSY;
    }
    curl_easy_getinfo(kinesis->easy, CURLINFO_RESPONSE_CODE, &status);
    return kinesis_classify(status, kinesis->answer, kinesis->answer_len, why);
}

bool
kinesis_client_skewed(const struct kinesis_request *kinesis)
{
    return kinesis->skewed;
}

static bool
is_set(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0';
}

static bool
is_web_url(const char *text)
{
    CURLU *url = curl_url();
    char *scheme = NULL;
    bool result =
        url != NULL && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

    curl_free(scheme);
    curl_url_cleanup(url);
    return result;
}

int
kinesis_client_check(const struct options *options, char why[SINK_WHY_SIZE])
{
    const char *endpoint = options->kinesis.endpoint;

    if (!is_set("AWS_ACCESS_KEY_ID") || !is_set("AWS_SECRET_ACCESS_KEY")) {
        snprintf(why, SINK_WHY_SIZE,
                 "kinesis: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY have to "
                 "be in the environment");
        return -1;
    }
    if (endpoint[0] != '\0' && !is_web_url(endpoint)) {
        snprintf(why, SINK_WHY_SIZE,
                 "kinesis.endpoint: \"%.200s\" is no http or https URL",
                 endpoint);
        return -1;
    }
    return 0;
}
