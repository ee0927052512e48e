/*
 * The credentials that are in use: fetched from the sources of aws_source.h in
 * their order, on the event loop, and renewed before they expire. The first
 * source with credentials is used. Does not log.
 */
#ifndef AWS_CHAIN_H
#define AWS_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "aws_credentials.h"
#include "net/event_loop.h"

/* A list of why each source has no credentials. */
enum { AWS_CHAIN_WHY_SIZE = 1024 };

struct aws_chain;

enum aws_chain_state {
    AWS_CHAIN_NONE, /* no credentials, or they have expired: fetch some */
    AWS_CHAIN_OLD,  /* to be used, and to be renewed: fetch others */
    AWS_CHAIN_GOOD,
};

/* Called at the end of a fetch. After a failure the old credentials are still
   there. */
typedef void aws_chain_ended(void *context, bool fetched);

/* NULL: no memory. */
struct aws_chain *aws_chain_open(struct event_loop *loop,
                                 aws_chain_ended *ended, void *context);

/* Stops a fetch under way. */
void aws_chain_close(struct aws_chain *chain);

/*
 * Fetches credentials anew, and stops a fetch under way, whose end is not told.
 * ended is called at the end: before this returns if no source asks over HTTP,
 * and after 15 s at the latest. skew_s is how far AWS's clock is ahead of the
 * local clock, as far as it is known.
 */
void aws_chain_fetch(struct aws_chain *chain, int64_t skew_s);

bool aws_chain_is_fetching(const struct aws_chain *chain);

/*
 * Credentials are to be renewed 5 minutes before they expire, or when half of
 * their time is over if that is later; after a fetch that failed, when half of
 * the rest is over, but 1 to 60 s later.
 */
enum aws_chain_state aws_chain_state(const struct aws_chain *chain);

/* Valid until the next fetch ends; its parts are NULL before the first that
   succeeds. */
const struct aws_credentials *
aws_chain_credentials(const struct aws_chain *chain);

/* Whether the last fetch that succeeded has brought other credentials. */
bool aws_chain_has_changed(const struct aws_chain *chain);

/* The name of the source of the credentials. */
const char *aws_chain_source(const struct aws_chain *chain);

/* Why the last fetch has failed, by source. Without secrets. */
const char *aws_chain_why(const struct aws_chain *chain);

/*
 * Checks the sources up to the first that is set up, without sending a request.
 * 0, or -1 and why: there is none, or it is of no use.
 */
int aws_chain_check(char why[AWS_CHAIN_WHY_SIZE]);

#endif
