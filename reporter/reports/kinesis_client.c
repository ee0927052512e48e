/*
 * kinesis_client: the JSON of a PutRecord, and all that is asked of libcurl for
 * it. The same easy handle is used for every request, so that the connection is
 * kept.
 *
 * AWS refuses a signature if its time is minutes off AWS's clock. So the time
 * of a request is that of the last response's Date header, counted on by the
 * local clock: the local clock need not be right.
 */
#define _GNU_SOURCE /* asprintf */
#include "kinesis_client.h"

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "aws_sigv4.h"
#include "base/clock.h"
#include "base/rfc3339.h"
#include "base/util.h"
#include "base/version.h"
#include "net/kept_sockets.h"
#include "net/tls.h"
#include "record_format.h"
#include "ssrf/socket_guard.h"

#define TARGET "Kinesis_20131202.PutRecord"
#define CONTENT_TYPE "application/x-amz-json-1.1"

enum {
    CONNECT_TIMEOUT_MS = 5000,
    TIMEOUT_MS = 10000,
    SKEW_MIN_S = 60,      /* a smaller skew is not why a request was refused */
    RESPONSE_SIZE = 4096, /* of a response's body; the rest is not kept */
    HEADERS_MAX = 5,      /* signed headers of a request */
    DATE_SIZE = sizeof("20260102T030405Z"),
    BASE64_SIZE = (RECORD_FORMAT_SIZE + 2) / 3 * 4 + 1,
};

/* 9999-12-31T00:00:00Z: X-Amz-Date has a year of four digits. */
#define DATE_MAX_S INT64_C(253402214400)

struct kinesis_client {
    const struct options *options;
    CURL *easy;
    struct kept_sockets *kept; /* its connections */
    struct socket_guard guard;
    struct curl_slist *headers;
    char *url;
    char *host;     /* the Host header of a request to url */
    int64_t skew_s; /* how far AWS's clock is ahead of the local clock */
    bool skewed;    /* the last response changed skew_s by SKEW_MIN_S or more */
    char body[KINESIS_CLIENT_BODY_SIZE];
    char response[RESPONSE_SIZE];
    size_t response_len;
};

size_t
kinesis_client_body(char body[KINESIS_CLIENT_BODY_SIZE], const char *stream,
                    const struct window_record *record)
{
    char data[RECORD_FORMAT_SIZE], base64[BASE64_SIZE], start[RFC3339_SIZE];
    size_t len = record_format_json(data, record);
    json_t *json;

    if (len == 0) {
        return 0;
    }
    EVP_EncodeBlock((unsigned char *)base64, (const unsigned char *)data,
                    (int)len);
    rfc3339_format(start, record->start_s);
    json = json_pack("{s:s, s:s, s:s}", "StreamName", stream, "PartitionKey",
                     start, "Data", base64);
    len = json == NULL
              ? 0
              : json_dumpb(json, body, KINESIS_CLIENT_BODY_SIZE, JSON_COMPACT);
    json_decref(json);
    return len <= KINESIS_CLIENT_BODY_SIZE ? len : 0;
}

/* Reads the Date header of a response: AWS's clock. */
static size_t
read_header(char *bytes, size_t size, size_t count, void *context)
{
    static const char name[] = "Date:";
    struct kinesis_client *client = context;
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
        client->skewed = llabs(skew_s - client->skew_s) >= SKEW_MIN_S;
        client->skew_s = skew_s;
    }
    return size * count;
}

static size_t
read_body(char *bytes, size_t size, size_t count, void *context)
{
    struct kinesis_client *client = context;
    size_t room = sizeof(client->response) - client->response_len;
    size_t len = size * count < room ? size * count : room;

    memcpy(client->response + client->response_len, bytes, len);
    client->response_len += len;
    return size * count;
}

static int
add_header(struct kinesis_client *client, const char *name, const char *value)
{
    struct curl_slist *longer;
    char *text;

    if (asprintf(&text, "%s: %s", name, value) < 0) {
        return -1;
    }
    longer = curl_slist_append(client->headers, text);
    free(text);
    if (longer == NULL) {
        return -1;
    }
    client->headers = longer;
    return 0;
}

/* Adds the request's headers and the signature over them. 0, or -1: no memory,
   or libcrypto refuses. */
static int
add_signed(struct kinesis_client *client,
           const struct aws_sigv4_request *request,
           const struct aws_credentials *credentials)
{
    const struct aws_sigv4_signer signer = {
        .access_key = credentials->access_key,
        .secret_key = credentials->secret_key,
        .region = client->options->kinesis.region,
        .service = "kinesis",
    };
    char *authorization = aws_sigv4_authorization(request, &signer);
    int result = -1;

    if (authorization != NULL) {
        result = add_header(client, "authorization", authorization);
        free(authorization);
    }
    for (size_t i = 0; result == 0 && i < request->header_count; i++) {
        result = add_header(client, request->headers[i].name,
                            request->headers[i].value);
    }
    return result;
}

/* Writes the time by AWS's clock. 0, or -1 if its year has more than four
   digits. */
static int
write_date(const struct kinesis_client *client, char date[DATE_SIZE])
{
    time_t now = clock_wall_ms() / 1000 + client->skew_s;
    struct tm parts;

    if (gmtime_r(&now, &parts) == NULL ||
        strftime(date, DATE_SIZE, "%Y%m%dT%H%M%SZ", &parts) == 0) {
        return -1;
    }
    return 0;
}

/* Lists the signed headers, sorted by name. Host is among them, so that libcurl
   does not make one of its own. Returns how many there are. */
static size_t
list_headers(const struct kinesis_client *client, const char *date,
             const char *token, struct aws_sigv4_header headers[HEADERS_MAX])
{
    struct aws_sigv4_header *next = headers;

    *next++ = (struct aws_sigv4_header){"content-type", CONTENT_TYPE};
    *next++ = (struct aws_sigv4_header){"host", client->host};
    *next++ = (struct aws_sigv4_header){"x-amz-date", date};
    if (token[0] != '\0') {
        *next++ = (struct aws_sigv4_header){"x-amz-security-token", token};
    }
    *next++ = (struct aws_sigv4_header){"x-amz-target", TARGET};
    return (size_t)(next - headers);
}

/* Writes why add_signed failed: the oldest error of libcrypto is the cause. */
static void
explain_signing(char why[SINK_WHY_SIZE])
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    snprintf(why, SINK_WHY_SIZE, "cannot sign the request: %s",
             reason != NULL ? reason : "no memory");
    ERR_clear_error();
}

static int
make_headers(struct kinesis_client *client, size_t body_len,
             const struct aws_credentials *credentials, char why[SINK_WHY_SIZE])
{
    struct aws_sigv4_header headers[HEADERS_MAX];
    struct aws_sigv4_request request = {
        .method = "POST",
        .path = "/",
        .query = "",
        .headers = headers,
        .body = client->body,
        .body_len = body_len,
    };
    char date[DATE_SIZE];

    curl_slist_free_all(client->headers);
    client->headers = NULL;
    if (write_date(client, date) < 0) {
        snprintf(why, SINK_WHY_SIZE,
                 "cannot sign the request: the clock is "
                 "past the year 9999");
        return -1;
    }
    request.header_count =
        list_headers(client, date, credentials->session_token, headers);
    ERR_clear_error(); /* so that an error in its queue is of this request */
    if (add_signed(client, &request, credentials) < 0) {
        explain_signing(why);
        return -1;
    }
    return 0;
}

static bool
set_text(const struct kinesis_client *client, CURLoption option,
         const char *value)
{
    return curl_easy_setopt(client->easy, option, value) == CURLE_OK;
}

static bool
set_long(const struct kinesis_client *client, CURLoption option, long value)
{
    return curl_easy_setopt(client->easy, option, value) == CURLE_OK;
}

static bool
set_callbacks(struct kinesis_client *client)
{
    CURL *easy = client->easy;

    return curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, read_header) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, client) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, read_body) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, client) == CURLE_OK &&
           socket_guard_watch(&client->guard, easy) == 0;
}

/* Sets the options that all requests have in common. */
static bool
set_up(struct kinesis_client *client)
{
    return set_text(client, CURLOPT_URL, client->url) &&
           set_text(client, CURLOPT_USERAGENT, "verve/" VERVE_VERSION) &&
           set_long(client, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
           tls_set_up(client->easy, NULL, NULL) == 0 &&
           set_long(client, CURLOPT_POST, 1) &&
           set_long(client, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) &&
           set_long(client, CURLOPT_TIMEOUT_MS, TIMEOUT_MS) &&
           set_long(client, CURLOPT_NOSIGNAL, 1) && set_callbacks(client);
}

/* The URL is kinesis.endpoint, or AWS's endpoint of the region if that is not
   set: https://docs.aws.amazon.com/general/latest/gr/ak.html */
static int
make_url(struct kinesis_client *client)
{
    const char *region = client->options->kinesis.region;
    const char *country = starts_with(region, "cn-") ? ".cn" : "";

    if (client->options->kinesis.endpoint[0] != '\0') {
        client->url = strdup(client->options->kinesis.endpoint);
    } else if (asprintf(&client->url, "https://kinesis.%s.amazonaws.com%s/",
                        region, country) < 0) {
        client->url = NULL; /* undefined otherwise: asprintf(3) */
    }
    return client->url == NULL ? -1 : 0;
}

/* Copies a part of url, "" if it has none. NULL: no memory. The caller frees
   it. */
static char *
copy_part(CURLU *url, CURLUPart part)
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

/* The port is left out if it is the scheme's default: RFC 9112, 3.2. */
static int
make_host(struct kinesis_client *client)
{
    CURLU *url = curl_url();
    char *name = NULL, *port = NULL;

    if (url != NULL &&
        curl_url_set(url, CURLUPART_URL, client->url, 0) == CURLUE_OK) {
        name = copy_part(url, CURLUPART_HOST);
        port = copy_part(url, CURLUPART_PORT);
    }
    if (name == NULL || port == NULL ||
        asprintf(&client->host, "%s%s%s", name, port[0] != '\0' ? ":" : "",
                 port) < 0) {
        client->host = NULL; /* undefined otherwise: asprintf(3) */
    }
    free(name);
    free(port);
    curl_url_cleanup(url);
    return client->host == NULL ? -1 : 0;
}

struct kinesis_client *
kinesis_client_open(const struct options *options)
{
    struct kinesis_client *client = calloc(1, sizeof(*client));

    if (client == NULL) {
        return NULL;
    }
    client->options = options;
    client->easy = curl_easy_init();
    client->kept = kept_sockets_open();
    if (client->easy == NULL || client->kept == NULL || make_url(client) < 0 ||
        make_host(client) < 0 || !set_up(client)) {
        kinesis_client_close(client);
        return NULL;
    }
    return client;
}

void
kinesis_client_close(struct kinesis_client *client)
{
    if (client != NULL) {
        curl_easy_cleanup(client->easy);
        kept_sockets_close(client->kept);
        curl_slist_free_all(client->headers);
        free(client->url);
        free(client->host);
        free(client);
    }
}

int
kinesis_client_prepare(struct kinesis_client *client,
                       const struct window_record *record,
                       const struct aws_credentials *credentials,
                       char why[SINK_WHY_SIZE])
{
    size_t len = kinesis_client_body(client->body,
                                     client->options->kinesis.stream, record);

    client->response_len = 0;
    client->skewed = false;
    socket_guard_start(&client->guard, NULL, client->kept);
    snprintf(why, SINK_WHY_SIZE, "no memory to start");
    if (len == 0 || make_headers(client, len, credentials, why) < 0 ||
        curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, client->headers) !=
            CURLE_OK ||
        !set_long(client, CURLOPT_POSTFIELDSIZE, (long)len) ||
        !set_text(client, CURLOPT_POSTFIELDS, client->body)) {
        return -1;
    }
    return 0;
}

CURL *
kinesis_client_easy(const struct kinesis_client *client)
{
    return client->easy;
}

bool
kinesis_client_is_to_renew(struct kinesis_client *client, CURLcode code)
{
    return socket_guard_is_to_renew(&client->guard, code);
}

enum kinesis_result
kinesis_client_result(const struct kinesis_client *client, CURLcode code,
                      char why[SINK_WHY_SIZE])
{
    long status = 0;

    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK && status != 0) {
        snprintf(why, SINK_WHY_SIZE, "HTTP %ld: %s", status,
                 curl_easy_strerror(code));
        return KINESIS_RETRY;
    }
    if (code != CURLE_OK) {
        snprintf(why, SINK_WHY_SIZE, "%s", curl_easy_strerror(code));
        return KINESIS_RETRY;
    }
    return kinesis_answer_classify(status, client->response,
                                   client->response_len, why);
}

bool
kinesis_client_skewed(const struct kinesis_client *client)
{
    return client->skewed;
}

int64_t
kinesis_client_skew_s(const struct kinesis_client *client)
{
    return client->skew_s;
}
