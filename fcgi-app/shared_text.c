/*
 * shared_text: two locks on bytes of the file, between processes. Who has that
 * of byte 0 makes the next text. That of byte 1 is held for the microseconds of
 * a read or write; if it cannot be had, the process goes on with its own copy.
 */
#define _GNU_SOURCE /* asprintf */
#include "shared_text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "stats/stats_lock.h"

enum { LOCK_MAKE, LOCK_CONTENT, CONTENT_TRIES = 1000 };

/* What the file has. */
struct content {
    int64_t written_ms; /* monotonic, which all processes of a host share */
    uint64_t len;
    char text[SHARED_TEXT_MAX];
};

enum { HEAD_BYTES = offsetof(struct content, text) };

struct shared_text {
    int fd;                 /* -1: no file */
    struct content content; /* as read or written last; len 0: none */
};

/* Opens the file; -1 if it is not ours alone. */
static int
open_file(const char *path)
{
    int fd =
        open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    struct stat status;

    if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
                    status.st_uid != geteuid())) {
        close(fd);
        return -1;
    }
    return fd;
}

struct shared_text *
shared_text_open(const char *path)
{
    struct shared_text *shared = calloc(1, sizeof(*shared));
    char *name = NULL;

    if (shared == NULL) {
        return NULL;
    }
    if (asprintf(&name, "%s.page", path) < 0) {
        free(shared);
        return NULL;
    }
    shared->fd = open_file(name);
    free(name);
    return shared;
}

void
shared_text_close(struct shared_text *shared)
{
    if (shared != NULL) {
        if (shared->fd >= 0) {
            close(shared->fd);
        }
        free(shared);
    }
}

/* The holder needs microseconds, unless it is stopped. */
static bool
lock_content(const struct shared_text *shared)
{
    for (int i = 0; shared->fd >= 0 && i < CONTENT_TRIES; i++) {
        if (stats_lock_try(shared->fd, LOCK_CONTENT)) {
            return true;
        }
    }
    return false;
}

static bool
is_right(const struct content *content, ssize_t bytes)
{
    return bytes > HEAD_BYTES && content->len > 0 &&
           content->len < SHARED_TEXT_MAX &&
           content->len == (uint64_t)(bytes - HEAD_BYTES) &&
           content->written_ms <= clock_mono_ms();
}

const char *
shared_text_read(struct shared_text *shared, int64_t *age_ms)
{
    struct content read;
    ssize_t bytes = 0;

    if (lock_content(shared)) {
        bytes = pread(shared->fd, &read, sizeof(read), 0);
        stats_lock_release(shared->fd, LOCK_CONTENT);
    }
    if (is_right(&read, bytes) &&
        read.written_ms >= shared->content.written_ms) {
        memcpy(&shared->content, &read, (size_t)bytes);
        shared->content.text[read.len] = '\0';
    }
    *age_ms = clock_mono_ms() - shared->content.written_ms;
    return shared->content.len == 0 ? NULL : shared->content.text;
}

bool
shared_text_claim(struct shared_text *shared)
{
    return shared->fd < 0 || stats_lock_try(shared->fd, LOCK_MAKE);
}

/* If the file is cut off (a full disk), readers take it for wrong. */
static void
write_file(const struct shared_text *shared)
{
    struct content content = shared->content;
    size_t bytes = HEAD_BYTES + content.len;

    if (lock_content(shared)) {
        if (pwrite(shared->fd, &content, bytes, 0) != (ssize_t)bytes ||
            ftruncate(shared->fd, (off_t)bytes) != 0) {
            (void)!ftruncate(shared->fd, 0);
        }
        stats_lock_release(shared->fd, LOCK_CONTENT);
    }
}

void
shared_text_write(struct shared_text *shared, const char *text)
{
    size_t len = strlen(text);

    if (len < SHARED_TEXT_MAX) {
        shared->content.written_ms = clock_mono_ms();
        shared->content.len = len;
        memcpy(shared->content.text, text, len + 1);
        write_file(shared);
    }
    if (shared->fd >= 0) {
        stats_lock_release(shared->fd, LOCK_MAKE);
    }
}
