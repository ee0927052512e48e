/*
 * Follows the master: the sentinels are asked on while a connection is up,
 * while it is being made and during a run. Private to this room. Only for a
 * struct redis with sentinels.
 */
#ifndef FOLLOW_H
#define FOLLOW_H

#include <stdbool.h>

#include "redis.h"

/*
 * Goes on with the question to the sentinels. False if another master is named:
 * the server of before is left, and an attempt at the new master has begun.
 */
bool follow_step(struct redis *redis);

#endif
