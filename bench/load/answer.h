/*
 * Parses one HTTP/1.1 response in a buffer. Pure: no socket, no memory. It
 * knows the parts of RFC 9112 that a load generator needs: Content-Length,
 * chunked, Connection: close. If a response has anything else, it is malformed.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANSWER_WINDOW_SIZE = 32, ANSWER_WORD_SIZE = 16 };

struct answer {
    int status;
    bool close;                      /* the server closes after it */
    char window[ANSWER_WINDOW_SIZE]; /* Verve-Window, or "-" */
    char word[ANSWER_WORD_SIZE];     /* the body's first word, or "-" */
    size_t body_len;                 /* bytes of the body */
};

/*
 * Parses bytes[0..len). Returns the length of the response and fills *answer; 0
 * if more bytes are needed; -1 if the response is malformed.
 */
int64_t answer_parse(const char *bytes, size_t len, struct answer *answer);

#endif
