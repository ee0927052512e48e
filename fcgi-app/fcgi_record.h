/*
 * The FastCGI protocol (specification 1.0) as bytes: a parser of what a web
 * server sends on one connection, fed piece by piece, and the records of an
 * answer. Pure: no sockets; the only memory is that of the parameters.
 *
 * Requests come one after the other. The parser hands a request out as soon as
 * its parameters have ended, and passes over its body. It is stricter than the
 * specification in three points that no web server needs: no multiplexing, no
 * management records, and the parameters' names and values end at the end of
 * their stream.
 */
#ifndef FCGI_RECORD_H
#define FCGI_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FCGI_RECORD_HEADER_BYTES = 8,
    /* The parameters of one request; web servers stay far below. */
    FCGI_RECORD_PARAMS_MAX_BYTES = 64 * 1024,
    /* What fcgi_record_frame adds to a text, at most. */
    FCGI_RECORD_FRAME_BYTES = 5 * FCGI_RECORD_HEADER_BYTES,
};

enum fcgi_record_result {
    FCGI_RECORD_MORE,    /* all bytes were taken; the request is not whole */
    FCGI_RECORD_REQUEST, /* the parameters of a request are whole */
    FCGI_RECORD_NEXT,    /* a next request begins before this one's answer */
    FCGI_RECORD_BROKEN,  /* not this protocol: close the connection */
};

/* What is known of the request whose records come in. */
enum fcgi_record_phase {
    FCGI_RECORD_BETWEEN, /* none, or its body has ended, too */
    FCGI_RECORD_PARAMS,  /* its parameters have begun */
    FCGI_RECORD_BODY,    /* its parameters have ended */
};

/* Zeroed: at the start of a connection. */
struct fcgi_record_parser {
    enum fcgi_record_phase phase;
    uint16_t id;         /* of the request, or of the last one */
    bool open;           /* the request was handed out and is not answered */
    bool keep;           /* FCGI_KEEP_CONN */
    uint8_t header_held; /* bytes of the record's header that are there */
    uint8_t padding;     /* bytes of padding that are still to come */
    uint16_t content;    /* bytes of content that are still to come */
    uint8_t header[FCGI_RECORD_HEADER_BYTES];
    uint8_t begin[FCGI_RECORD_HEADER_BYTES]; /* body of FCGI_BEGIN_REQUEST */
    char *params;       /* their stream, malloc'd; NULL if there is none */
    size_t params_len;  /* bytes that are there */
    size_t params_size; /* bytes that have room */
};

/*
 * Takes bytes[0..len), up to the end of a request's parameters. Sets *used to
 * how many were taken; the others are for the next call. After
 * FCGI_RECORD_REQUEST parser->params and ->keep belong to that request. After
 * FCGI_RECORD_NEXT the next call has to wait for fcgi_record_answered. No
 * memory is FCGI_RECORD_BROKEN.
 */
enum fcgi_record_result fcgi_record_feed(struct fcgi_record_parser *parser,
                                         const uint8_t *bytes, size_t len,
                                         size_t *used);

/* The request that was handed out last is answered. */
void fcgi_record_answered(struct fcgi_record_parser *parser);

/* True if a request has begun and its parameters have not ended. */
bool fcgi_record_is_partial(const struct fcgi_record_parser *parser);

/* The parameters as FCGX_GetParam of libfcgi takes them. */
struct fcgi_record_environment {
    char **strings; /* "NAME=VALUE" each, NULL behind the last */
    size_t strings_size;
    char *bytes;
    size_t bytes_size;
};

/*
 * Reads the parser's parameters into the environment, whose memory is used
 * again for the next request. 0, or -1: the stream ends within a pair
 * (section 3.4), or there is no memory.
 */
int fcgi_record_read_params(const struct fcgi_record_parser *parser,
                            struct fcgi_record_environment *environment);
void fcgi_record_environment_fini(struct fcgi_record_environment *environment);

/*
 * Makes the records of a whole answer around its text (CGI headers and body),
 * which stands at records + FCGI_RECORD_HEADER_BYTES and has len bytes, at most
 * 65,535: the text as FCGI_STDOUT, the end of that stream, FCGI_END_REQUEST.
 * records has room for FCGI_RECORD_FRAME_BYTES more. Returns the length of all.
 */
size_t fcgi_record_frame(const struct fcgi_record_parser *parser,
                         uint8_t *records, size_t len);

#endif
