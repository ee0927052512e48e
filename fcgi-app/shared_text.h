/*
 * A text that the processes of a pool share, so that only one of them has to
 * make it: a file beside stats.path. If the file cannot be used, each process
 * has a text of its own.
 */
#ifndef SHARED_TEXT_H
#define SHARED_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shared_text;

enum { SHARED_TEXT_MAX = 32768 }; /* bytes of a text */

/* The file is path with ".page" added; it is made if it does not exist. NULL:
   no memory. */
struct shared_text *shared_text_open(const char *path);
void shared_text_close(struct shared_text *shared);

/*
 * The last text that any process wrote, borrowed until the next call, and its
 * age; NULL: there is none.
 */
const char *shared_text_read(struct shared_text *shared, int64_t *age_ms);

/* True if this process is to make the next text, and no other does; then
   shared_text_write follows. Does not block. */
bool shared_text_claim(struct shared_text *shared);

/* Writes the next text, which ends the claim. */
void shared_text_write(struct shared_text *shared, const char *text);

#endif
