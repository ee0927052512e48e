/*
 * error_code: the table.
 */
#include "error_code.h"

#include <stddef.h>

static const struct {
    const char *name;
    const char *meaning;
} rows[ERROR_CODES_COUNT] = {
    [ERROR_CODE_NONE] = {NULL, NULL},
    [ERROR_CODE_ID_MISSING] = {"id-missing", "there is no parameter id"},
    [ERROR_CODE_ID_REPEATED] = {"id-repeated",
                                "the parameter id is given more than once"},
    [ERROR_CODE_ID_BAD_ESCAPE] =
        {"id-bad-escape", "the id has a % without two hexadecimal digits"},
    [ERROR_CODE_ID_EMPTY] = {"id-empty", "the id is empty"},
    [ERROR_CODE_ID_TOO_LONG] = {"id-too-long",
                                "the id is longer than 64 characters"},
    [ERROR_CODE_ID_NOT_AN_INTEGER] = {"id-not-an-integer",
                                      "the id is not a decimal integer"},
    [ERROR_CODE_ID_OUT_OF_RANGE] = {"id-out-of-range",
                                    "the id does not fit into 64 bits, signed"},
    [ERROR_CODE_ENDPOINT_REPEATED] =
        {"endpoint-repeated", "the parameter endpoint is given more than once"},
    [ERROR_CODE_ENDPOINT_BAD_ESCAPE] =
        {"endpoint-bad-escape",
         "the endpoint has a % without two hexadecimal digits"},
    [ERROR_CODE_ENDPOINT_TOO_LONG] = {"endpoint-too-long",
                                      "the endpoint is longer than 2048 bytes"},
    [ERROR_CODE_ENDPOINT_BAD_BYTE] =
        {"endpoint-bad-byte",
         "the endpoint has a byte outside of 0x21 to 0x7E"},
    [ERROR_CODE_ENDPOINT_NOT_ABSOLUTE] =
        {"endpoint-not-absolute",
         "the endpoint has no scheme, or no // after the scheme"},
    [ERROR_CODE_ENDPOINT_BAD_SCHEME] =
        {"endpoint-bad-scheme", "the endpoint's scheme is not http or https"},
    [ERROR_CODE_ENDPOINT_NO_HOST] = {"endpoint-no-host",
                                     "the endpoint has no host"},
    [ERROR_CODE_ENDPOINT_CREDENTIALS] =
        {"endpoint-credentials",
         "the endpoint has a user or a password before its host"},
    [ERROR_CODE_ENDPOINT_BAD_PORT] = {"endpoint-bad-port",
                                      "the endpoint's port is not 1 to 65535"},
    [ERROR_CODE_ENDPOINT_ZONE_ID] = {"endpoint-zone-id",
                                     "the endpoint's IPv6 address has a zone"},
    [ERROR_CODE_ENDPOINT_MALFORMED] = {"endpoint-malformed",
                                       "the endpoint is not a URL"},
    [ERROR_CODE_CALLBACK_QUEUE_FULL] =
        {"callback-queue-full",
         "the callback queue has callbacks.max_queue jobs; nothing was "
         "counted"},
    [ERROR_CODE_REDIS_UNAVAILABLE] =
        {"redis-unavailable",
         "Redis did not confirm the id: away, too slow or refusing"},
};

const char *
error_code_name(enum error_code code)
{
    return rows[code].name;
}

const char *
error_code_meaning(enum error_code code)
{
    return rows[code].meaning;
}
