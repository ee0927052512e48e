/*
 * The address of a Redis, as redis.url names it. Pure text; connection.c
 * connects. Private to this room.
 */
#ifndef REDIS_URL_H
#define REDIS_URL_H

struct redis_url {
    char *path;     /* of a unix socket; NULL for TCP */
    char *host;     /* name or address without brackets; NULL for a socket */
    char *port;     /* decimal; NULL for a socket */
    char *user;     /* NULL: none */
    char *password; /* NULL: none */
    char *database; /* decimal; NULL: the server's default */
};

/*
 * Reads unix:///path or redis://[user:password@]host[:port][/database], the
 * form of redis-cli -u (its registration at IANA is provisional). Parts are
 * percent-decoded. Returns NULL, or what is wrong: static, and without any part
 * of the text, which may hold a password. Free url with redis_url_fini in both
 * cases.
 */
const char *redis_url_parse(const char *text, struct redis_url *url);

/* Frees what redis_url_parse allocated. A zeroed struct is fine. */
void redis_url_fini(struct redis_url *url);

#endif
