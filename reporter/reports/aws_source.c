/*
 * aws_source: the table of all sources, and what several of them need.
 */
#define _GNU_SOURCE /* vasprintf, O_CLOEXEC */
#include "aws_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct aws_source *const aws_sources[AWS_SOURCES] = {
    &aws_environment, &aws_web_identity, &aws_profile,
    &aws_container,   &aws_instance,
};

static void
free_request(struct aws_request *request)
{
    free(request->url);
    free(request->header);
    aws_wipe(request->form);
    memset(request, 0, sizeof(*request));
}

void
aws_lookup_fini(struct aws_lookup *lookup)
{
    free_request(&lookup->request);
    free(lookup->pass);
    aws_credentials_fini(&lookup->found);
    memset(lookup, 0, sizeof(*lookup));
}

enum aws_source_result
aws_lookup_ask(struct aws_lookup *lookup, bool put, char *header,
               const char *format, ...)
{
    va_list arguments;
    char *url;
    int len;

    va_start(arguments, format);
    len = vasprintf(&url, format, arguments);
    va_end(arguments);
    free_request(&lookup->request);
    lookup->request.header = header;
    if (len < 0) {
        snprintf(lookup->why, sizeof(lookup->why), "no memory");
        return AWS_SOURCE_BAD;
    }
    lookup->request.put = put;
    lookup->request.url = url;
    return AWS_SOURCE_ASK;
}

enum aws_source_result
aws_lookup_end(struct aws_lookup *lookup, enum aws_source_result result,
               const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(lookup->why, sizeof(lookup->why), format, arguments);
    va_end(arguments);
    return result;
}

const char *
aws_variable(const char *name)
{
    const char *value = getenv(name);

    return value == NULL || value[0] == '\0' ? NULL : value;
}

/* The text of an open file; errno as aws_file_read. */
static char *
read_all(int fd)
{
    struct stat info;
    char *text;
    ssize_t len;

    if (fstat(fd, &info) < 0) {
        return NULL;
    }
    if (!S_ISREG(info.st_mode) || info.st_size > AWS_FILE_MAX_BYTES) {
        errno = S_ISREG(info.st_mode) ? EFBIG : ENOTSUP;
        return NULL;
    }
    text = malloc((size_t)info.st_size + 1);
    if (text == NULL) {
        return NULL;
    }
    len = read(fd, text, (size_t)info.st_size);
    if (len < 0) {
        free(text);
        return NULL;
    }
    text[len] = '\0';
    return text;
}

char *
aws_file_read(const char *path)
{
    /* O_NONBLOCK: to open a FIFO would wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *text;
    int reason;

    if (fd < 0) {
        return NULL;
    }
    text = read_all(fd);
    reason = errno;
    close(fd);
    errno = reason;
    return text;
}
