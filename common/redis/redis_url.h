/*
 * The address of a Redis, as redis.url names it. Pure text; redis.c connects.
 */
#ifndef REDIS_URL_H
#define REDIS_URL_H

struct redis_url {
    char *path;     /* of a unix socket; NULL for TCP */
    char *host;     /* name or address without brackets; NULL for a socket */
    char *port;     /* decimal */
    char *user;     /* NULL: none */
    char *password; /* NULL: none */
    char *database; /* decimal; NULL: that of the server */
};

/*
 * Reads unix:///path or redis://[user:password@]host[:port][/database], parts
 * percent-decoded (the scheme's registration at IANA is provisional; the form
 * is that of redis-cli -u). Returns NULL, or what is wrong, static and without
 * any part of the text, which may hold a password. redis_url_fini frees it
 * either way.
 */
const char *redis_url_parse(const char *text, struct redis_url *url);

/* Frees what redis_url_parse allocated. A zeroed struct is fine. */
void redis_url_fini(struct redis_url *url);

#endif
