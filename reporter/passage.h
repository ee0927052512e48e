/*
 * The way of one attempt to its receiver: the guard is asked for each address
 * that libcurl is about to connect to, and for the one of a connection that is
 * used again; and whether we had a socket to go there with.
 */
#ifndef PASSAGE_H
#define PASSAGE_H

#include <curl/curl.h>
#include <stdbool.h>

#include "guard.h"

/* Zeroed: not started. In the memory of who makes the attempt. */
struct passage {
    struct guard *guard;          /* borrowed */
    int starved;                  /* errno: there was no socket; 0: there was */
    bool permitted;               /* by the guard: some address of it */
    char refusal[GUARD_WHY_SIZE]; /* why the last one was not; "": it was */
};

/* Has easy ask passage, which must outlive it. 0, or -1. */
int passage_watch(struct passage *passage, CURL *easy);

/* Before each attempt. */
void passage_start(struct passage *passage, struct guard *guard);

/* Why the guard refused the address; "" where it did not. */
const char *passage_refusal(const struct passage *passage);

/*
 * After the transfer ended with code: errno of what we had none of, a socket
 * or a port of our own for it; 0 where that was not the reason.
 */
int passage_starved(const struct passage *passage, CURL *easy, CURLcode code);

#endif
