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
#include <time.h>

#include "aws_sigv4.h"
#include "base/clock.h"
#include "base/util.h"
#include "base/version.h"
#include "net/kept_sockets.h"
#include "net/tls.h"
#include "ssrf/socket_guard.h"

enum {
    CONNECT_TIMEOUT_MS = 5000,
    TIMEOUT_MS = 10000,
    SKEW_MIN_S = 60,    /* a clock that is less wrong is no error's cause */
    ANSWER_SIZE = 4096, /* of an answer's body; what is more is not read */
    HEADERS_MAX = 5,    /* those that are signed */
    DATE_SIZE = sizeof("20260102T030405Z"),
};

/* 9999-12-31T00:00:00Z: X-Amz-Date has a year of four digits. */
#define DATE_MAX_S INT64_C(253402214400)

#define ACCESS_KEY "AWS_ACCESS_KEY_ID"
#define SECRET_KEY "AWS_SECRET_ACCESS_KEY"
#define SESSION_TOKEN "AWS_SESSION_TOKEN"

struct kinesis_request {
    const struct options *options;
    CURL *easy;
    struct kept_sockets *kept; /* its connections */
    struct socket_guard guard;
    struct curl_slist *headers;
    char *url;
    char *host;     /* the header Host of a request to url */
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
    if (date != -1 && date <= DATE_MAX_S) {
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

/* Sends the request's headers and the signature over them. */
static int
add_signed(struct kinesis_request *kinesis,
           const struct aws_sigv4_request *request)
{
    const struct aws_sigv4_signer signer = {
        .access_key = getenv(ACCESS_KEY),
        .secret_key = getenv(SECRET_KEY),
        .region = kinesis->options->kinesis.region,
        .service = "kinesis",
    };
    char *authorization = aws_sigv4_authorization(request, &signer);
    int result = -1;

    if (authorization != NULL) {
        result = add_header(kinesis, "authorization", authorization);
        free(authorization);
    }
    for (size_t i = 0; result == 0 && i < request->header_count; i++) {
        result = add_header(kinesis, request->headers[i].name,
                            request->headers[i].value);
    }
    return result;
}

/* Writes AWS's time. 0, or -1: its year does not have four digits. */
static int
write_date(const struct kinesis_request *kinesis, char date[DATE_SIZE])
{
    time_t now = clock_wall_ms() / 1000 + kinesis->skew_s;
    struct tm parts;

    if (gmtime_r(&now, &parts) == NULL ||
        strftime(date, DATE_SIZE, "%Y%m%dT%H%M%SZ", &parts) == 0) {
        return -1;
    }
    return 0;
}

/* Lists what is signed, by name. Host is among it so that what libcurl would
   make of it does not matter. Returns how many there are. */
static size_t
list_headers(const struct kinesis_request *kinesis, const char *date,
             struct aws_sigv4_header headers[HEADERS_MAX])
{
    const char *token = getenv(SESSION_TOKEN);
    struct aws_sigv4_header *next = headers;

    *next++ = (struct aws_sigv4_header){"content-type", KINESIS_CONTENT_TYPE};
    *next++ = (struct aws_sigv4_header){"host", kinesis->host};
    *next++ = (struct aws_sigv4_header){"x-amz-date", date};
    if (token != NULL && token[0] != '\0') {
        *next++ = (struct aws_sigv4_header){"x-amz-security-token", token};
    }
    *next++ = (struct aws_sigv4_header){"x-amz-target", KINESIS_TARGET};
    return (size_t)(next - headers);
}

static int
make_headers(struct kinesis_request *kinesis, size_t body_len)
{
    struct aws_sigv4_header headers[HEADERS_MAX];
    struct aws_sigv4_request request = {
        .method = "POST",
        .path = "/",
        .query = "",
        .headers = headers,
        .body = kinesis->body,
        .body_len = body_len,
    };
    char date[DATE_SIZE];

    curl_slist_free_all(kinesis->headers);
    kinesis->headers = NULL;
    if (write_date(kinesis, date) < 0) {
        return -1;
    }
    request.header_count = list_headers(kinesis, date, headers);
    return add_signed(kinesis, &request);
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
           socket_guard_watch(&kinesis->guard, easy) == 0;
}

/* What all requests have in common. */
static bool
set_up(struct kinesis_request *kinesis)
{
    return set_text(kinesis, CURLOPT_URL, kinesis->url) &&
           set_text(kinesis, CURLOPT_USERAGENT, "verve/" VERVE_VERSION) &&
           set_text(kinesis, CURLOPT_PROTOCOLS_STR, "http,https") &&
           set_long(kinesis, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
           tls_set_up(kinesis->easy) == 0 &&
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

/* The part of url, "" if it has none. NULL: no memory. The caller frees it. */
static char *
part_of(CURLU *url, CURLUPart part)
{
    char *text = NULL, *copy;
    CURLUcode code = curl_url_get(url, part, &text, CURLU_NO_DEFAULT_PORT);

    if (code == CURLUE_OUT_OF_MEMORY) {
        return NULL;
    }
    copy = strdup(code == CURLUE_OK ? text : "");
    curl_free(text);
    return copy;
}

/* RFC 9112, 3.2: without the port if it is the scheme's own. */
static int
make_host(struct kinesis_request *kinesis)
{
    CURLU *url = curl_url();
    char *name = NULL, *port = NULL;

    if (url != NULL &&
        curl_url_set(url, CURLUPART_URL, kinesis->url, 0) == CURLUE_OK) {
        name = part_of(url, CURLUPART_HOST);
        port = part_of(url, CURLUPART_PORT);
    }
    if (name == NULL || port == NULL ||
        asprintf(&kinesis->host, "%s%s%s", name, port[0] != '\0' ? ":" : "",
                 port) < 0) {
        kinesis->host = NULL; /* else it is undefined: asprintf(3) */
    }
    free(name);
    free(port);
    curl_url_cleanup(url);
    return kinesis->host == NULL ? -1 : 0;
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
    kinesis->kept = kept_sockets_open();
    if (kinesis->easy == NULL || kinesis->kept == NULL ||
        make_url(kinesis) < 0 || make_host(kinesis) < 0 || !set_up(kinesis)) {
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
        kept_sockets_close(kinesis->kept);
        curl_slist_free_all(kinesis->headers);
        free(kinesis->url);
        free(kinesis->host);
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
    socket_guard_start(&kinesis->guard, NULL, kinesis->kept);
    if (len == 0 || make_headers(kinesis, len) < 0 ||
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

bool
kinesis_client_is_to_renew(struct kinesis_request *kinesis, CURLcode code)
{
    return socket_guard_is_to_renew(&kinesis->guard, code);
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

/* All of it is visible ASCII: it can be sent in a header. */
static bool
is_visible(const char *text)
{
    while (*text > 0x20 && *text < 0x7f) {
        text++;
    }
    return *text == '\0';
}

static int
check_credential(const char *name, bool needed, char why[SINK_WHY_SIZE])
{
    const char *value = getenv(name);

    if (value == NULL || value[0] == '\0') {
        snprintf(why, SINK_WHY_SIZE,
                 "kinesis: " ACCESS_KEY " and " SECRET_KEY
                 " have to be in the environment");
        return needed ? -1 : 0;
    }
    if (!is_visible(value)) {
        snprintf(why, SINK_WHY_SIZE,
                 "kinesis: %s has a blank, a newline or a byte outside ASCII",
                 name);
        return -1;
    }
    return 0;
}

static bool
part_is(CURLU *url, CURLUPart part, const char *wanted)
{
    char *text = part_of(url, part);
    bool result = text != NULL && strcmp(text, wanted) == 0;

    free(text);
    return result;
}

/* Kinesis has no path, and all credentials are in the environment. */
static bool
is_endpoint(const char *text)
{
    CURLU *url = curl_url();
    bool result = url != NULL && is_visible(text) &&
                  curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) ==
                      CURLUE_OK &&
                  (part_is(url, CURLUPART_SCHEME, "http") ||
                   part_is(url, CURLUPART_SCHEME, "https")) &&
                  part_is(url, CURLUPART_PATH, "/") &&
                  part_is(url, CURLUPART_QUERY, "") &&
                  part_is(url, CURLUPART_FRAGMENT, "");

    curl_url_cleanup(url);
    return result;
}

int
kinesis_client_check(const struct options *options, char why[SINK_WHY_SIZE])
{
    const char *endpoint = options->kinesis.endpoint;

    if (check_credential(ACCESS_KEY, true, why) < 0 ||
        check_credential(SECRET_KEY, true, why) < 0 ||
        check_credential(SESSION_TOKEN, false, why) < 0) {
        return -1;
    }
    if (endpoint[0] != '\0' && !is_endpoint(endpoint)) {
        snprintf(why, SINK_WHY_SIZE,
                 "kinesis.endpoint: \"%.200s\" is no http or https URL of "
                 "host and port alone",
                 endpoint);
        return -1;
    }
    return 0;
}
