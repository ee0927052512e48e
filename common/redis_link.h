/*
 * The connection below redis.h: from its address to a socket on which a Redis
 * that can be used has answered, again and again. Private to redis*.c.
 */
#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include "redis.h"

struct redisContext;
struct redis_link;

/* As redis_open, _close, _fd, _step, _state, _error and _wait. */
struct redis_link *redis_link_open(const struct redis_options *options);
void redis_link_close(struct redis_link *link);
int redis_link_fd(const struct redis_link *link);
void redis_link_step(struct redis_link *link);
enum redis_state redis_link_state(const struct redis_link *link);
const char *redis_link_error(const struct redis_link *link);
enum redis_state redis_link_wait(struct redis_link *link);

/* As redis_connection. */
uint64_t redis_link_look(struct redis_link *link);

/* The socket, where the state is REDIS_STATE_UP; non-blocking. */
struct redisContext *redis_link_context(const struct redis_link *link);

/* Keeps "what (address): why" as the error. */
void redis_link_note(struct redis_link *link, const char *what,
                     const char *why);

/* The connection broke: worth one attempt at once before it counts as away. */
void redis_link_lose(struct redis_link *link, const char *why);

/* Ends the connection, and rests before the next attempt. */
void redis_link_give_up(struct redis_link *link, const char *why);

/*
 * The TCP port of this host where a Redis that is connected by a unix socket
 * listens, too; 0: it does not, or does not say.
 */
int64_t redis_link_tcp_port(const struct redis_link *link);

#endif
