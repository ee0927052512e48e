/*
 * The rights on Redis. A user who may not run one of the commands of a script
 * stops it halfway, and what it has written stays. Therefore each connection
 * first looks whether its user may run all commands of all scripts that are
 * linked into the program.
 */
#ifndef RIGHTS_H
#define RIGHTS_H

#include "config/options.h"
#include "redis/redis.h"

/*
 * The check for redis_options.rights. Its error names the rights that are
 * missing. options is borrowed for the life of the connection.
 */
struct redis_check rights_check(const struct options *options);

#endif
