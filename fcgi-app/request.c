/*
 * request: what a client asks for. The query is first cut into parameters and
 * those of ours are found and counted; only then are values decoded and
 * judged, so that the order of the parameters does not choose the error.
 */
#include "request.h"

#include <string.h>

#include "base/decimal.h"

/* A piece of the target as it came. */
struct slice {
    const char *start;
    size_t len;
};

/* A parameter as it came: how often, and its last value. */
struct parameter {
    size_t count;
    struct slice value;
};

static const struct {
    const char *path;
    enum request_kind kind;
} paths[] = {
    {"/api/verve/accept", REQUEST_ACCEPT},
    {"/healthz", REQUEST_HEALTHZ},
    {"/readyz", REQUEST_READYZ},
};

static enum request_kind
find_kind(const char *target, size_t path_len)
{
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (strlen(paths[i].path) == path_len &&
            memcmp(paths[i].path, target, path_len) == 0) {
            return paths[i].kind;
        }
    }
    return REQUEST_UNKNOWN;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte behind a '%' at text, which has left bytes; -1: no escape. */
static int
escaped_byte(const char *text, size_t left)
{
    int high = left >= 3 ? hex_digit(text[1]) : -1;
    int low = left >= 3 ? hex_digit(text[2]) : -1;

    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/*
 * Decodes %XX once, as much as fits into buffer. Returns false for an escape
 * that is none; else *len is the length of all that was decoded, which is more
 * than size where it did not fit.
 */
static bool
decode(struct slice raw, char *buffer, size_t size, size_t *len)
{
    size_t decoded = 0;

    for (size_t i = 0; i < raw.len; i++) {
        int byte = (unsigned char)raw.start[i];

        if (byte == '%') {
            byte = escaped_byte(raw.start + i, raw.len - i);
            if (byte < 0) {
                return false;
            }
            i += 2;
        }
        if (decoded < size) {
            buffer[decoded] = (char)byte;
        }
        decoded++;
    }
    *len = decoded;
    return true;
}

/* True where a parameter's name, decoded, is name. */
static bool
is_named(struct slice raw, const char *name)
{
    char decoded[sizeof("endpoint") - 1];
    size_t len;

    return decode(raw, decoded, sizeof(decoded), &len) && len == strlen(name) &&
           memcmp(decoded, name, len) == 0;
}

/* Notes one parameter, if it is one of ours. */
static void
note_parameter(struct slice raw, struct parameter *id,
               struct parameter *endpoint)
{
    const char *equals = memchr(raw.start, '=', raw.len);
    struct slice name = raw;
    struct slice value = {raw.start + raw.len, 0};
    struct parameter *ours;

    if (equals != NULL) {
        name.len = (size_t)(equals - raw.start);
        value.start = equals + 1;
        value.len = raw.len - name.len - 1;
    }
    if (is_named(name, "id")) {
        ours = id;
    } else if (is_named(name, "endpoint")) {
        ours = endpoint;
    } else {
        return;
    }
    ours->count++;
    ours->value = value;
}

/* Cuts the query at '&' and finds our two parameters. */
static void
find_parameters(const char *query, struct parameter *id,
                struct parameter *endpoint)
{
    struct slice raw = {query, strcspn(query, "&")};

    note_parameter(raw, id, endpoint);
    while (raw.start[raw.len] == '&') {
        raw.start += raw.len + 1;
        raw.len = strcspn(raw.start, "&");
        note_parameter(raw, id, endpoint);
    }
}

/* Text that is not in range, or not even an integer: which one. */
static const char *
number_rule(const char *text, size_t len)
{
    size_t sign = len > 0 && (text[0] == '-' || text[0] == '+');
    size_t i = sign;

    while (i < len && text[i] >= '0' && text[i] <= '9') {
        i++;
    }
    return i == len && i > sign ? "id-out-of-range" : "id-not-an-integer";
}

/* Returns the broken rule, or NULL with *value set. */
static const char *
read_id(const struct parameter *id, int64_t *value)
{
    char text[REQUEST_ID_MAX_BYTES];
    size_t len;

    if (id->count == 0) {
        return "id-missing";
    }
    if (id->count > 1) {
        return "id-repeated";
    }
    if (!decode(id->value, text, sizeof(text), &len)) {
        return "id-bad-escape";
    }
    if (len == 0) {
        return "id-empty";
    }
    if (len > sizeof(text)) {
        return "id-too-long";
    }
    return decimal_parse(text, len, value) ? NULL : number_rule(text, len);
}

/* Returns the broken rule, or NULL with the request's endpoint set. */
static const char *
read_endpoint(const struct parameter *endpoint, struct request *request)
{
    const char *broken;
    size_t len;

    if (endpoint->count > 1) {
        return "endpoint-repeated";
    }
    if (endpoint->value.len == 0) {
        return NULL;
    }
    if (!decode(endpoint->value, request->buffer, ENDPOINT_URL_MAX_BYTES,
                &len)) {
        return "endpoint-bad-escape";
    }
    broken = endpoint_url_check(request->buffer, &len);
    if (broken == NULL) {
        request->buffer[len] = '\0';
        request->endpoint = request->buffer;
        request->endpoint_len = len;
    }
    return broken;
}

/* Returns the broken rule, or NULL. */
static const char *
read_query(const char *query, struct request *request)
{
    struct parameter id = {0};
    struct parameter endpoint = {0};
    const char *broken;

    find_parameters(query, &id, &endpoint);
    broken = read_id(&id, &request->id);
    return broken != NULL ? broken : read_endpoint(&endpoint, request);
}

void
request_parse(struct request *request, const char *method, const char *target)
{
    size_t path_len = strcspn(target, "?");
    const char *query = target + path_len;

    request->kind = find_kind(target, path_len);
    request->head = strcmp(method, "HEAD") == 0;
    request->status = 200;
    request->error = NULL;
    request->id = 0;
    request->endpoint = NULL;
    request->endpoint_len = 0;

    if (request->kind == REQUEST_UNKNOWN) {
        request->status = 404;
    } else if (!request->head && strcmp(method, "GET") != 0) {
        request->status = 405;
    } else if (request->kind == REQUEST_ACCEPT) {
        request->error = read_query(query + (*query == '?'), request);
        request->status = request->error == NULL ? 200 : 400;
    }
}
