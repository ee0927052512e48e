/*
 * Follows the master: the guide asks on while a connection is up,
 * while it is being made and during a run. Private to this room. Only for a
 * struct redis with a guide.
 */
#ifndef FOLLOW_H
#define FOLLOW_H

#include <stdbool.h>

#include "redis.h"

/*
 * Goes on with the question of the guide. False if another master is named:
 * the server of before is left, and an attempt at the new master has begun.
 */
bool follow_step(struct redis *redis);

#endif
