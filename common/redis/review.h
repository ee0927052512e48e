/*
 * The reviews of a connection that is up: the questions of the handshake that
 * only read are asked again from time to time, because an operator may have
 * changed the eviction policy, the persistence or the rights. Private to this
 * room.
 *
 * Nobody waits for the replies: a script may be sent after the questions, and
 * its reply follows theirs.
 */
#ifndef REVIEW_H
#define REVIEW_H

#include <stdbool.h>

#include "redis.h"

/* Plans the next review. The connection is up. */
void review_plan(struct redis *redis);

/*
 * A script was refused: a review shows whether scripts can be run at all. It
 * follows at once, but at most once a second.
 */
void review_hasten(struct redis *redis);

/* Starts the review that is due, or gives up an overdue one. */
void review_step_due(struct redis *redis);

/*
 * Takes those replies of the review under way that have been read. False if the
 * connection cannot be used any more: it is closed.
 */
bool review_step(struct redis *redis);

#endif
