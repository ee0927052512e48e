/*
 * FastCGI records (specification 1.0, sections 3.3 and 5), looked at before
 * libfcgi reads them: it blocks on a request that is not all there, and can be
 * made to abort by one that is malformed. Pure.
 */
#ifndef FCGI_RECORD_H
#define FCGI_RECORD_H

#include <stddef.h>
#include <stdint.h>

enum fcgi_record_extent {
    FCGI_RECORD_PARTIAL, /* more has to come */
    FCGI_RECORD_WHOLE,   /* a responder request with all of its parameters */
    FCGI_RECORD_BROKEN,  /* never going to be one */
};

/* Judges what a connection has sent so far, from its first byte on. */
enum fcgi_record_extent fcgi_record_scan(const uint8_t *bytes, size_t len);

#endif
