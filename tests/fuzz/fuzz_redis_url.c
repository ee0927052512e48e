/*
 * fuzz_redis_url: libFuzzer over the parser of redis.url. Checked for any
 * input: what a struct redis_url promises, and that an accepted address, with
 * each byte of its parts escaped, is read as the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"
#include "redis/redis.h"
#include "redis/redis_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_promises(const struct redis_url *url)
{
    MUST((url->path != NULL) + (url->host != NULL) + (url->master != NULL) +
             url->cluster ==
         1);
    MUST((url->host_count > 0) == (url->master != NULL || url->cluster));
    MUST(!url->tls || url->path == NULL);
    for (size_t i = 0; i < url->host_count; i++) {
        MUST(url->hosts[i].host[0] != '\0');
        MUST(url->hosts[i].port[0] != '\0');
    }
    MUST((url->port == NULL) == (url->host == NULL));
    MUST(url->path == NULL || url->path[0] == '/');
    MUST(url->host == NULL || url->host[0] != '\0');
    MUST(url->user == NULL || url->user[0] != '\0');
    MUST(url->password == NULL || url->password[0] != '\0');
    MUST(url->database == NULL ||
         url->database[strspn(url->database, "0123456789")] == '\0');
}

/* Writes each byte as %XX, but the bytes of kept as they are. */
static void
write_escaped(FILE *out, const char *text, const char *kept)
{
    for (; text != NULL && *text != '\0'; text++) {
        if (strchr(kept, *text) != NULL) {
            fputc(*text, out);
        } else {
            fprintf(out, "%%%02X", (unsigned char)*text);
        }
    }
}

static void
write_host(FILE *out, const char *host, const char *port)
{
    fprintf(out, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
}

static const char *
scheme_of(const struct redis_url *url)
{
    return url->path != NULL ? "unix://"
           : url->cluster
               ? (url->tls ? "rediss+cluster://" : "redis+cluster://")
           : url->master != NULL
               ? (url->tls ? "rediss+sentinel://" : "redis+sentinel://")
               : (url->tls ? "rediss://" : "redis://");
}

/* Writes the address again; free it. */
static char *
write_again(const struct redis_url *url)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    MUST(out != NULL);
    fputs(scheme_of(url), out);
    write_escaped(out, url->user, "");
    if (url->password != NULL) {
        fputc(':', out);
        write_escaped(out, url->password, "");
    }
    if (url->user != NULL || url->password != NULL) {
        fputc('@', out);
    }
    if (url->path != NULL) {
        write_escaped(out, url->path, "/");
    } else if (url->host != NULL) {
        write_host(out, url->host, url->port);
    }
    for (size_t i = 0; i < url->host_count; i++) {
        fputs(i > 0 ? "," : "", out);
        write_host(out, url->hosts[i].host, url->hosts[i].port);
    }
    if (url->master != NULL) {
        fprintf(out, "/%s", url->master);
    }
    if (url->database != NULL) {
        fprintf(out, url->host == NULL ? "?db=%s" : "/%s", url->database);
    }
    fclose(out);
    return text;
}

static void
check_same(const char *a, const char *b)
{
    MUST((a == NULL) == (b == NULL));
    MUST(a == NULL || strcmp(a, b) == 0);
}

static void
check_again(const struct redis_url *url)
{
    char *text = write_again(url);
    struct redis_url again;

    MUST(redis_url_parse(text, &again) == NULL);
    check_same(again.path, url->path);
    check_same(again.host, url->host);
    check_same(again.port, url->port);
    check_same(again.user, url->user);
    check_same(again.password, url->password);
    check_same(again.database, url->database);
    check_same(again.master, url->master);
    MUST(again.tls == url->tls);
    MUST(again.cluster == url->cluster);
    MUST(again.host_count == url->host_count);
    for (size_t i = 0; i < url->host_count; i++) {
        check_same(again.hosts[i].host, url->hosts[i].host);
        check_same(again.hosts[i].port, url->hosts[i].port);
    }
    redis_url_fini(&again);
    free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    struct redis_url url;

    MUST(text != NULL);
    if (redis_url_parse(text, &url) == NULL) {
        MUST(redis_url_problem(text) == NULL);
        check_promises(&url);
        check_again(&url);
    }
    redis_url_fini(&url);
    free(text);
    return 0;
}
