/*
 * FastCGI records (specification 1.0, sections 3.3 and 5), checked before
 * libfcgi reads them. libfcgi blocks if a request is not complete, and some
 * malformed requests make it abort. Pure.
 */
#ifndef FCGI_RECORD_H
#define FCGI_RECORD_H

#include <stddef.h>
#include <stdint.h>

enum fcgi_record_extent {
    FCGI_RECORD_PARTIAL, /* right so far, but not complete */
    FCGI_RECORD_WHOLE,   /* a responder request with all of its parameters */
    FCGI_RECORD_BROKEN,  /* malformed, or not a responder request */
};

/* Checks the bytes that a connection has sent so far, from the first on. */
enum fcgi_record_extent fcgi_record_scan(const uint8_t *bytes, size_t len);

#endif
