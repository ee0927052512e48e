/*
 * The connection below redis.h: from its address to a socket on which a Redis
 * that can be used has answered, again and again. Private to redis*.c.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "redis.h"

struct redisContext;
struct connection;

/* As redis_open, _close, _fd, _step, _state, _error and _wait. */
struct connection *connection_open(const struct redis_options *options);
void connection_close(struct connection *connection);
int connection_fd(const struct connection *connection);
void connection_step(struct connection *connection);
enum redis_state connection_state(const struct connection *connection);
const char *connection_error(const struct connection *connection);
enum redis_state connection_wait(struct connection *connection);

/* As redis_connection. */
uint64_t connection_check(struct connection *connection);

/* The socket, where the state is REDIS_STATE_UP; non-blocking. */
struct redisContext *connection_context(const struct connection *connection);

/* Keeps "what (address): why" as the error. */
void connection_note(struct connection *connection, const char *what,
                     const char *why);

/* The connection broke: worth one attempt at once before it counts as away. */
void connection_lose(struct connection *connection, const char *why);

/* Ends the connection, and rests before the next attempt. */
void connection_give_up(struct connection *connection, const char *why);

/*
 * The TCP port of this host where a Redis that is connected by a unix socket
 * listens, too; 0: it does not, or does not say.
 */
int64_t connection_tcp_port(const struct connection *connection);

#endif
