/*
 * How long the phases of a transfer took, as libcurl measured them.
 */
#ifndef CALL_PHASES_H
#define CALL_PHASES_H

#include <curl/curl.h>
#include <stdint.h>

/* -1: there was no such phase, as with a kept connection, or it did not end. */
struct call_phases {
    int64_t connect_us;
    int64_t tls_us;
    int64_t answer_us; /* from the request to the first byte of its answer */
};

/* At the end of a transfer, or once the head of its response has come. */
struct call_phases call_phases_read(CURL *easy);

#endif
