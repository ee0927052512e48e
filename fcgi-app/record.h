/*
 * FastCGI records (specification 1.0, sections 3.3 and 5), looked at before
 * libfcgi reads them: it blocks on a request that is not all there, and can be
 * made to abort by one that is malformed. Pure.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stddef.h>
#include <stdint.h>

enum record_extent {
    RECORD_PARTIAL, /* more has to come */
    RECORD_WHOLE,   /* a responder request with all of its parameters */
    RECORD_BROKEN,  /* never going to be one */
};

/* Judges what a connection has sent so far, from its first byte on. */
enum record_extent record_scan(const uint8_t *bytes, size_t len);

#endif
