/*
 * The address of a Redis, as redis.url names it. Pure text; connection.c
 * connects. Private to this room.
 */
#ifndef REDIS_URL_H
#define REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>

enum { REDIS_HOSTS_MAX = 16 };

struct redis_host {
    char *host; /* name or address without brackets */
    char *port; /* decimal */
};

/* There is either a path, or a host, or a master and hosts, or a cluster and
   hosts. */
struct redis_url {
    bool tls;       /* to Redis and to the sentinels */
    char *path;     /* of a unix socket; else NULL */
    char *host;     /* name or address without brackets; else NULL */
    char *port;     /* decimal; NULL without a host */
    char *user;     /* NULL: Redis's "default" */
    char *password; /* NULL: none */
    char *database; /* decimal; NULL: the server's default */
    char *master;   /* its name, as the sentinels know it; else NULL */
    bool cluster;   /* the hosts are nodes of a Redis Cluster */
    /* Sentinels or nodes: those who know the master. */
    struct redis_host hosts[REDIS_HOSTS_MAX];
    size_t host_count;
};

/*
 * Reads unix://[[user]:password@]/path[?db=number] or
 * redis://[[user]:password@]host[:port][/database], the forms of redis-py and
 * of redis-cli -u (the registration of the second at IANA is provisional), or
 * redis+sentinel://[[user]:password@]host[:port],.../master[?db=number], the
 * form of Lettuce with the name in the path, or
 * redis+cluster://[[user]:password@]host[:port],... . The login is that of
 * Redis, not of the sentinels. With TLS the schemes begin with rediss.
 * Parts are percent-decoded (RFC 3986, 2.1) to any byte but NUL. A part that
 * means nothing is an error. Returns NULL, or what is wrong: static, and
 * without any part of the text, which may hold a password. Free url with
 * redis_url_fini in both cases.
 */
const char *redis_url_parse(const char *text, struct redis_url *url);

/* Frees what redis_url_parse allocated. A zeroed struct is fine. */
void redis_url_fini(struct redis_url *url);

#endif
