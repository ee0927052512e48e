/*
 * fuzz_request: libFuzzer over the request parser. The first byte of the input
 * chooses the method and whether the rest is a query to the accept path or a
 * whole target. Checked for any input: what a
 * struct request promises, and that an accepted request, written out again in
 * full, is read as the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/host_name.h"
#include "must.h"
#include "request.h"

enum { TARGET_SIZE = 3 * ENDPOINT_URL_MAX_BYTES + 128 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_endpoint(const struct request *request)
{
    size_t len = request->endpoint_len;
    char host[ENDPOINT_URL_MAX_BYTES];

    MUST(request->endpoint == request->buffer);
    MUST(len > strlen("http://") && len <= ENDPOINT_URL_MAX_BYTES);
    MUST(strlen(request->endpoint) == len);
    for (size_t i = 0; i < len; i++) {
        MUST(request->endpoint[i] > 0x20 && request->endpoint[i] < 0x7f);
        MUST(request->endpoint[i] != '#');
    }
    MUST(endpoint_url_check(request->endpoint, &len) == ERROR_CODE_NONE);
    MUST(len == request->endpoint_len);
    MUST(endpoint_url_host(request->endpoint, host, sizeof(host)));
    MUST(host[0] == '[' || host_name_is_valid(host, strlen(host)));
}

static void
check_promises(const struct request *request, const char *method)
{
    MUST(request->status == 200 || request->status == 400 ||
         request->status == 404 || request->status == 405);
    MUST((request->status == 404) == (request->kind == REQUEST_UNKNOWN));
    MUST((request->status == 400) == (request->error != ERROR_CODE_NONE));
    MUST(request->head == (strcmp(method, "HEAD") == 0));
    MUST(request->status != 405 ||
         (!request->head && strcmp(method, "GET") != 0));
    if (request->error != ERROR_CODE_NONE) {
        const char *name = error_code_name(request->error);

        MUST(strncmp(name, "id-", 3) == 0 ||
             strncmp(name, "endpoint-", 9) == 0);
    }
    if (request->endpoint == NULL) {
        MUST(request->endpoint_len == 0);
    } else {
        MUST(request->kind == REQUEST_ACCEPT && request->status == 200);
        check_endpoint(request);
    }
}

/* Writes an accepted request as a target with every byte escaped. */
static void
write_again(const struct request *request, char target[TARGET_SIZE])
{
    int len = snprintf(target, TARGET_SIZE, "/api/verve/accept?id=%" PRId64,
                       request->id);

    if (request->endpoint != NULL) {
        len += snprintf(target + len, TARGET_SIZE - (size_t)len, "&endpoint=");
    }
    for (size_t i = 0; i < request->endpoint_len; i++) {
        len += snprintf(target + len, TARGET_SIZE - (size_t)len, "%%%02x",
                        (unsigned char)request->endpoint[i]);
    }
}

static void
check_again(const struct request *request)
{
    char target[TARGET_SIZE];
    struct request again;

    write_again(request, target);
    request_parse(&again, "GET", target);
    MUST(again.status == 200);
    MUST(again.id == request->id);
    MUST(again.endpoint_len == request->endpoint_len);
    MUST((again.endpoint == NULL) == (request->endpoint == NULL));
    MUST(memcmp(again.buffer, request->buffer, again.endpoint_len) == 0);
}

/* A NUL-terminated target of just its size, so that ASan sees each step off. */
static char *
make_target(const char *path, const uint8_t *rest, size_t rest_len)
{
    size_t path_len = strlen(path);
    char *target = calloc(1, path_len + rest_len + 1);

    MUST(target != NULL);
    memcpy(target, path, path_len);
    if (rest_len > 0) {
        memcpy(target + path_len, rest, rest_len);
    }
    return target;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", ""};
    static const char *const paths[] = {"", "/api/verve/accept?"};
    uint8_t choice = size > 0 ? data[0] : 0;
    const char *method = methods[choice & 3];
    struct request request;
    char *target;

    target = make_target(paths[choice >> 2 & 1], size > 0 ? data + 1 : data,
                         size > 0 ? size - 1 : 0);
    memset(&request, 0xA5, sizeof(request));
    request_parse(&request, method, target);
    check_promises(&request, method);
    if (request.kind == REQUEST_ACCEPT && request.status == 200) {
        check_again(&request);
    }
    free(target);
    return 0;
}
