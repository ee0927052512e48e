/*
 * Reads one HTTP/1.1 response out of a buffer. Pure: no socket, no memory.
 * Knows as much of RFC 9112 as a load generator needs: Content-Length,
 * chunked, Connection: close. Anything else is malformed, never guessed.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ANSWER_WINDOW_SIZE = 32, ANSWER_WORD_SIZE = 16 };

struct answer {
    int status;
    bool close;                      /* the connection ends with it */
    char window[ANSWER_WINDOW_SIZE]; /* Verve-Window, or "-" */
    char word[ANSWER_WORD_SIZE];     /* the body's first word, or "-" */
    size_t body_len;                 /* bytes of the body */
};

/*
 * Reads bytes[0..len). Returns the length of the response and fills *answer,
 * or 0 where more bytes are needed, or -1 where it is malformed.
 */
int64_t answer_parse(const char *bytes, size_t len, struct answer *answer);

#endif
