/*
 * error_code: the table of names.
 */
#include "error_code.h"

#include <stddef.h>

static const char *const names[ERROR_CODES_COUNT] = {
    [ERROR_CODE_NONE] = NULL,
    [ERROR_CODE_ID_MISSING] = "id-missing",
    [ERROR_CODE_ID_REPEATED] = "id-repeated",
    [ERROR_CODE_ID_BAD_ESCAPE] = "id-bad-escape",
    [ERROR_CODE_ID_EMPTY] = "id-empty",
    [ERROR_CODE_ID_TOO_LONG] = "id-too-long",
    [ERROR_CODE_ID_NOT_AN_INTEGER] = "id-not-an-integer",
    [ERROR_CODE_ID_OUT_OF_RANGE] = "id-out-of-range",
    [ERROR_CODE_ENDPOINT_REPEATED] = "endpoint-repeated",
    [ERROR_CODE_ENDPOINT_BAD_ESCAPE] = "endpoint-bad-escape",
    [ERROR_CODE_ENDPOINT_TOO_LONG] = "endpoint-too-long",
    [ERROR_CODE_ENDPOINT_BAD_BYTE] = "endpoint-bad-byte",
    [ERROR_CODE_ENDPOINT_NOT_ABSOLUTE] = "endpoint-not-absolute",
    [ERROR_CODE_ENDPOINT_BAD_SCHEME] = "endpoint-bad-scheme",
    [ERROR_CODE_ENDPOINT_NO_HOST] = "endpoint-no-host",
    [ERROR_CODE_ENDPOINT_BAD_HOST] = "endpoint-bad-host",
    [ERROR_CODE_ENDPOINT_CREDENTIALS] = "endpoint-credentials",
    [ERROR_CODE_ENDPOINT_BAD_PORT] = "endpoint-bad-port",
    [ERROR_CODE_ENDPOINT_ZONE_ID] = "endpoint-zone-id",
    [ERROR_CODE_ENDPOINT_MALFORMED] = "endpoint-malformed",
    [ERROR_CODE_ENDPOINT_NOT_ALLOWED] = "endpoint-not-allowed",
    [ERROR_CODE_CALLBACK_QUEUE_FULL] = "callback-queue-full",
    [ERROR_CODE_REDIS_UNAVAILABLE] = "redis-unavailable",
    [ERROR_CODE_METRICS_NOT_ALLOWED] = "metrics-not-allowed",
    [ERROR_CODE_REDIS_EVICTION_POLICY] = "redis-eviction-policy",
    [ERROR_CODE_REDIS_RIGHTS] = "redis-rights",
    [ERROR_CODE_SETTINGS_DIFFER] = "settings-differ",
    [ERROR_CODE_REDIS_FULL] = "redis-full",
    [ERROR_CODE_REDIS_REFUSES_WRITES] = "redis-refuses-writes",
    [ERROR_CODE_REPLICAS_MISSING] = "replicas-missing",
};

const char *
error_code_name(enum error_code code)
{
    return names[code];
}
