/*
 * request: parsing in two steps. First the query is split into parameters, and
 * our two parameters are found and counted. Then their values are decoded and
 * checked: id first, so that the order of the parameters does not choose the
 * error.
 */
#define _GNU_SOURCE /* strcasestr */
#include "request.h"

#include <string.h>

#include "base/decimal.h"

/* A piece of the target, not decoded. */
struct slice {
    const char *start;
    size_t len;
};

/* A parameter: how often it is given, and its last value, not decoded. */
struct parameter {
    size_t count;
    struct slice value;
};

static const struct {
    const char *path;
    enum request_kind kind;
    enum request_file file;
} paths[] = {
    {"/api/verve/accept", REQUEST_ACCEPT, 0},
    {"/healthz", REQUEST_HEALTHZ, 0},
    {"/readyz", REQUEST_READYZ, 0},
    {"/metrics", REQUEST_METRICS, 0},
    {"/api/verve/stats", REQUEST_STATS, 0},
    {"/status/", REQUEST_STATUS, REQUEST_FILE_PAGE},
    {"/status/status.css", REQUEST_STATUS, REQUEST_FILE_STYLE},
    {"/status/status.js", REQUEST_STATUS, REQUEST_FILE_SCRIPT},
    {"/status/icon.svg", REQUEST_STATUS, REQUEST_FILE_ICON},
    {"/api/verve/openapi.json", REQUEST_OPENAPI, 0},
};

/* Sets kind and file by the path. */
static void
set_kind(struct request *request, const char *target, size_t path_len)
{
    request->kind = REQUEST_UNKNOWN;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (strlen(paths[i].path) == path_len &&
            memcmp(paths[i].path, target, path_len) == 0) {
            request->kind = paths[i].kind;
            request->file = paths[i].file;
            return;
        }
    }
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

/* The byte that the escape at text stands for; left: the bytes that are left.
   -1 if two hexadecimal digits do not follow. */
static int
escaped_byte(const char *text, size_t left)
{
    int high = left >= 3 ? hex_digit(text[1]) : -1;
    int low = left >= 3 ? hex_digit(text[2]) : -1;

    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/*
 * Decodes %XX once. False if an escape is wrong. *len is the decoded length; if
 * it is more than size, only the first size bytes were written to buffer.
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

/* True if a parameter's name, decoded, is name. */
static bool
is_named(struct slice raw, const char *name)
{
    char decoded[sizeof("endpoint") - 1];
    size_t len;

    return decode(raw, decoded, sizeof(decoded), &len) && len == strlen(name) &&
           memcmp(decoded, name, len) == 0;
}

/* Notes a parameter if it is id or endpoint. */
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

/* Splits the query at '&' and finds our two parameters. */
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

/* The error of a text that is no 64-bit integer. */
static enum error_code
number_error(const char *text, size_t len)
{
    size_t sign = len > 0 && (text[0] == '-' || text[0] == '+');
    size_t i = sign;

    while (i < len && text[i] >= '0' && text[i] <= '9') {
        i++;
    }
    return i == len && i > sign ? ERROR_CODE_ID_OUT_OF_RANGE
                                : ERROR_CODE_ID_NOT_AN_INTEGER;
}

/* Sets *value if there is no error. */
static enum error_code
read_id(const struct parameter *id, int64_t *value)
{
    char text[REQUEST_ID_MAX_BYTES];
    size_t len;

    if (id->count == 0) {
        return ERROR_CODE_ID_MISSING;
    }
    if (id->count > 1) {
        return ERROR_CODE_ID_REPEATED;
    }
    if (!decode(id->value, text, sizeof(text), &len)) {
        return ERROR_CODE_ID_BAD_ESCAPE;
    }
    if (len == 0) {
        return ERROR_CODE_ID_EMPTY;
    }
    if (len > sizeof(text)) {
        return ERROR_CODE_ID_TOO_LONG;
    }
    return decimal_parse(text, len, value) ? ERROR_CODE_NONE
                                           : number_error(text, len);
}

/* Sets the request's endpoint if there is one and there is no error. */
static enum error_code
read_endpoint(const struct parameter *endpoint, struct request *request)
{
    enum error_code error;
    size_t len;

    if (endpoint->count > 1) {
        return ERROR_CODE_ENDPOINT_REPEATED;
    }
    if (endpoint->value.len == 0) {
        return ERROR_CODE_NONE;
    }
    if (!decode(endpoint->value, request->buffer, ENDPOINT_URL_MAX_BYTES,
                &len)) {
        return ERROR_CODE_ENDPOINT_BAD_ESCAPE;
    }
    error = endpoint_url_check(request->buffer, &len);
    if (error == ERROR_CODE_NONE) {
        request->buffer[len] = '\0';
        request->endpoint = request->buffer;
        request->endpoint_len = len;
    }
    return error;
}

static enum error_code
read_query(const char *query, struct request *request)
{
    struct parameter id = {0};
    struct parameter endpoint = {0};
    enum error_code error;

    find_parameters(query, &id, &endpoint);
    error = read_id(&id, &request->id);
    return error != ERROR_CODE_NONE ? error : read_endpoint(&endpoint, request);
}

/* True if the query has the parameter, with a value or without. */
static bool
has_parameter(const char *query, const char *wanted)
{
    while (*query != '\0') {
        struct slice name = {query, strcspn(query, "=&")};

        if (is_named(name, wanted)) {
            return true;
        }
        query += strcspn(query, "&");
        query += *query == '&';
    }
    return false;
}

void
request_parse(struct request *request, const char *method, const char *target)
{
    size_t path_len = strcspn(target, "?");
    const char *query = target + path_len;
    bool is_get = strcmp(method, "GET") == 0;

    set_kind(request, target, path_len);
    request->head = !is_get && strcmp(method, "HEAD") == 0;
    request->status = 200;
    request->error = ERROR_CODE_NONE;
    request->id = 0;
    request->endpoint = NULL;
    request->endpoint_len = 0;
    request->verbose = false;
    request->json = false;

    if (request->kind == REQUEST_UNKNOWN) {
        request->status = 404;
    } else if (!is_get && !request->head) {
        request->status = 405;
    } else if (request->kind == REQUEST_ACCEPT) {
        request->error = read_query(query + (*query == '?'), request);
        request->status = request->error == ERROR_CODE_NONE ? 200 : 400;
    } else if (request->kind == REQUEST_READYZ) {
        request->verbose = has_parameter(query + (*query == '?'), "verbose");
    }
}

void
request_set_accept(struct request *request, const char *accept)
{
    request->json =
        accept != NULL && strcasestr(accept, "application/json") != NULL;
}

void
request_set_client(struct request *request, const char *address, bool forwarded)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    struct ip_address *client = &request->client;
    struct ip_block block = {0};

    request->forwarded = forwarded;
    *client = (struct ip_address){0};
    if (address == NULL || strchr(address, '/') != NULL ||
        ip_block_parse(address, strlen(address), &block) != NULL) {
        return;
    }
    *client = block.first;
    if (client->family == AF_INET6 &&
        memcmp(client->bytes, mapped, sizeof(mapped)) == 0) {
        memmove(client->bytes, client->bytes + sizeof(mapped), 4);
        memset(client->bytes + 4, 0, sizeof(client->bytes) - 4);
        client->family = AF_INET;
    }
}
