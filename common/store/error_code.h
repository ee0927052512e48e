/*
 * Every code of the response header Verve-Error, in one table. docs/http.md
 * says what each code means; a test compares its table with this one.
 */
#ifndef ERROR_CODE_H
#define ERROR_CODE_H

enum error_code {
    ERROR_CODE_NONE, /* no error, no header */
    ERROR_CODE_ID_MISSING,
    ERROR_CODE_ID_REPEATED,
    ERROR_CODE_ID_BAD_ESCAPE,
    ERROR_CODE_ID_EMPTY,
    ERROR_CODE_ID_TOO_LONG,
    ERROR_CODE_ID_NOT_AN_INTEGER,
    ERROR_CODE_ID_OUT_OF_RANGE,
    ERROR_CODE_ENDPOINT_REPEATED,
    ERROR_CODE_ENDPOINT_BAD_ESCAPE,
    ERROR_CODE_ENDPOINT_TOO_LONG,
    ERROR_CODE_ENDPOINT_BAD_BYTE,
    ERROR_CODE_ENDPOINT_NOT_ABSOLUTE,
    ERROR_CODE_ENDPOINT_BAD_SCHEME,
    ERROR_CODE_ENDPOINT_NO_HOST,
    ERROR_CODE_ENDPOINT_CREDENTIALS,
    ERROR_CODE_ENDPOINT_BAD_PORT,
    ERROR_CODE_ENDPOINT_ZONE_ID,
    ERROR_CODE_ENDPOINT_MALFORMED,
    ERROR_CODE_ENDPOINT_NOT_ALLOWED,
    ERROR_CODE_CALLBACK_QUEUE_FULL,
    ERROR_CODE_REDIS_UNAVAILABLE,
    ERROR_CODES_COUNT,
};

/* The name, as the header shows it; static. NULL for ERROR_CODE_NONE. */
const char *error_code_name(enum error_code code);

#endif
