/*
 * The parts of redis.url. Each function returns NULL, or what is wrong: static,
 * and without any part of the url, which may hold a password. Private to this
 * room.
 */
#ifndef URL_PART_H
#define URL_PART_H

#include <curl/curl.h>

#include "redis_url.h"

#define REDIS_URL_UNIX_FORM "unix://[[user]:password@]/path[?db=number]"
#define REDIS_URL_TCP_FORM "redis://[[user]:password@]host[:port][/database]"
#define REDIS_URL_SENTINEL_FORM                                                \
    "redis+sentinel://[[user]:password@]host[:port],.../master[?db=number]"
#define REDIS_URL_CLUSTER_FORM                                                 \
    "redis+cluster://[[user]:password@]host[:port],..."
#define REDIS_URL_ENCODED                                                      \
    "in a user or a password, / ? # @ : % are %2F %3F %23 %40 %3A %25"

/*
 * Splits a url with a host. *problem is NULL if that succeeded. Free the result
 * with curl_url_cleanup in any case; NULL: no memory.
 */
CURLU *url_part_split(const char *text, const char **problem);

/* Sets *part to text without its percent-encoding. */
const char *url_part_decode(const char *text, char **part);

/* Sets *part to a part, decoded; leaves it if there is none. */
const char *url_part_take(CURLU *parsed, CURLUPart which, char **part);

/* The host, a name or an address without brackets. */
const char *url_part_host(CURLU *parsed, char **part);

/* The port in decimal; fallback if there is none. */
const char *url_part_port(CURLU *parsed, const char *fallback, char **part);

/* Sets user and password. A user without a name is Redis's "default". */
const char *url_part_login(CURLU *parsed, struct redis_url *url);

/* Sets the database from text, its number. */
const char *url_part_database(const char *text, struct redis_url *url);

#endif
