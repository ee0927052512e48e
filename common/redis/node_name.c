/*
 * node_name: reads the parts of the url.
 */
#include "node_name.h"

#include <stdio.h>
#include <string.h>

#include "redis.h"

/* Writes a part of redis.url, without the newline; "" if it has none. */
static void
read_part(char *text, size_t size, const char *url, const char *part)
{
    FILE *out = fmemopen(text, size, "w");

    text[0] = '\0';
    if (out != NULL) {
        redis_url_print(out, url, part);
        fclose(out);
    }
    text[size - 1] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

void
redis_node_name(const char *url, char name[REDIS_NODE_SIZE])
{
    char host[REDIS_NODE_SIZE - 16];
    char port[8];

    read_part(name, REDIS_NODE_SIZE, url, "socket");
    if (name[0] == '\0') {
        read_part(name, REDIS_NODE_SIZE, url, "master");
    }
    if (name[0] == '\0' && redis_url_is_cluster(url)) {
        snprintf(name, REDIS_NODE_SIZE, "cluster");
    }
    if (name[0] == '\0') {
        read_part(host, sizeof(host), url, "host");
        read_part(port, sizeof(port), url, "port");
        snprintf(name, REDIS_NODE_SIZE,
                 strchr(host, ':') == NULL ? "%s:%s" : "[%s]:%s", host, port);
    }
    for (; *name != '\0'; name++) {
        if (*name < ' ' || *name > '~') {
            *name = '?';
        }
    }
}
