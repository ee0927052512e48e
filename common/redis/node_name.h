/*
 * The name of a Redis for people and for metrics: the path of its socket,
 * host:port ([host]:port if the host has colons), the name that sentinels know
 * the master by, or "cluster".
 */
#ifndef NODE_NAME_H
#define NODE_NAME_H

enum { REDIS_NODE_SIZE = 1280 };

/* Writes the name of the Redis at a url that redis_url_problem accepts, as
   printable ASCII: other bytes become question marks. */
void redis_node_name(const char *url, char name[REDIS_NODE_SIZE]);

#endif
