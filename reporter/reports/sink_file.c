/*
 * sink_file: appends to a file, exactly one line for each window. The append
 * holds a lock on the file and reads the file's tail first: only windows newer
 * than the last line are written, and synced before they count as delivered. So
 * no window is written twice if a reporter is killed before its cursor moved,
 * or if two reporters write. After any failure the file has whole lines only.
 *
 * The program's stdout or stderr is a stream: it has no tail to read, so that a
 * line may come twice, and a new sink begins with the newest window.
 */
#define _GNU_SOURCE /* asprintf */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/line_file.h"
#include "base/util.h"
#include "file_tail.h"
#include "record_format.h"
#include "sinks.h"

/*
 * How long to wait for the lock: longer than another reporter needs for a line,
 * and short enough for the event loop. A stopped process may hold it for ever.
 */
enum { LOCK_TRIES = 20, LOCK_PAUSE_MS = 5 };

struct file_sink {
    struct sink sink; /* first: a struct sink is cast to this */
    const struct options *options;
    struct line_file *lines;
    int64_t written_s; /* the last window that this process wrote; 0: none */
};

static struct file_sink *
file_of(struct sink *sink)
{
    return (struct file_sink *)sink;
}

static int
fail(struct file_sink *file, const char *what, const char *why)
{
    snprintf(file->sink.error, sizeof(file->sink.error), "%s: %s", what, why);
    return -1;
}

/* Syncs the folder of a file that may be new, so that the file's name is on the
   disk, too: fsync(2). A folder that cannot be opened is not synced. */
static void
sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX] = ".";
    int fd;

    if (slash != NULL) {
        snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path) + 1, path);
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!fsync(fd);
        close(fd);
    }
}

/* Opens the path, unless the file that it names is open. Only a regular file
   has a tail to read. */
static int
follow(struct file_sink *file)
{
    int opened = line_file_follow(file->lines);
    struct stat status;

    if (opened < 0) {
        return fail(file, "cannot open it", line_file_strerror(errno));
    }
    if (line_file_is_standard(file->lines)) {
        return 0;
    }
    if (fstat(line_file_fd(file->lines), &status) < 0 ||
        !S_ISREG(status.st_mode)) {
        line_file_release(file->lines);
        return fail(file, "cannot use it", "not a regular file");
    }
    if (opened > 0) {
        sync_folder(file->options->file.path);
    }
    return 0;
}

static void
pause_ms(long ms)
{
    struct timespec pause = {.tv_nsec = ms * 1000 * 1000};

    nanosleep(&pause, NULL);
}

/* Locks the file at the path, which may have been rotated. Each writer to a
   stream has the stream of its own process: there is nothing to lock. */
static int
lock(struct file_sink *file)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (follow(file) < 0) {
            return -1;
        }
        if (line_file_is_standard(file->lines)) {
            return 0;
        }
        if (flock(line_file_fd(file->lines), LOCK_EX | LOCK_NB) == 0) {
            if (line_file_is_current(file->lines)) {
                return 0;
            }
            line_file_release(file->lines); /* rotated just now */
        } else if (errno == EWOULDBLOCK) {
            pause_ms(LOCK_PAUSE_MS);
        } else {
            return fail(file, "cannot lock it", strerror(errno));
        }
    }
    return fail(file, "cannot lock it", "another process holds the lock");
}

/*
 * Sets *last_s to the last window in the rotated file at fd, which is locked;
 * 0: none. -1 if the file cannot be synced, because its last line may be lost
 * then. EINVAL and EROFS mean that there is nothing to sync: fsync(2).
 */
static int
read_rotated(struct file_sink *file, int fd, int64_t *last_s)
{
    struct file_tail tail;

    if (fdatasync(fd) < 0 && errno != EINVAL && errno != EROFS) {
        return fail(file, "cannot sync what was rotated away", strerror(errno));
    }
    if (file_tail_read(fd, file->sink.implausible_from_s, &tail) == 0) {
        *last_s = tail.last_s;
    }
    return 0;
}

/*
 * Sets *last_s to the last window in the file that was rotated last, PATH.1; 0:
 * none. -1 if another process has its lock: a reporter may have been stopped
 * while it wrote a line, before the rotation. A reporter that takes the lock
 * after this call finds that the path names another file.
 */
static int
last_rotated(struct file_sink *file, int64_t *last_s)
{
    char path[PATH_MAX];
    int result = -1;
    int fd;

    *last_s = 0;
    if (snprintf(path, sizeof(path), "%s.1", file->options->file.path) >=
        (int)sizeof(path)) {
        return 0;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return 0;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        fail(file, "cannot look into what was rotated away",
             "another process holds its lock");
    } else {
        result = read_rotated(file, fd, last_s);
    }
    close(fd);
    return result;
}

/* Sets *last_s to the last window that was written, by the file, the rotated
   file and this process's memory. 0, or -1. */
static int
last_written(struct file_sink *file, const struct file_tail *tail,
             int64_t *last_s)
{
    *last_s = tail->last_s;
    file->sink.future_window_s = tail->future_window_s;
    if (*last_s == 0 && last_rotated(file, last_s) < 0) {
        return -1;
    }
    if (*last_s < file->written_s) {
        *last_s = file->written_s;
    }
    return 0;
}

static int
write_line(struct file_sink *file, const struct window_record *record)
{
    char line[RECORD_FORMAT_SIZE + 1];
    size_t len = 0;

    switch ((enum line_format)file->options->file.format) {
    case FORMAT_TEXT:
        len = record_format_text(line, record, clock_wall_ms());
        break;
    case FORMAT_JSON:
        len = record_format_json(line, record);
        break;
    }
    if (len == 0) {
        errno = ENOMEM;
        return -1;
    }
    line[len++] = '\n';
    return line_file_write(file->lines, line, len);
}

/* Writes the records that are newer than last_s. */
static int
write_lines(struct file_sink *file, const struct window_record *records,
            size_t count, int64_t last_s)
{
    for (size_t i = 0; i < count; i++) {
        if (records[i].start_s > last_s && write_line(file, &records[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
append_locked(struct file_sink *file, const struct window_record *records,
              size_t count)
{
    int fd = line_file_fd(file->lines);
    struct file_tail tail;
    int64_t last_s;
    int reason;

    if (file_tail_read(fd, file->sink.implausible_from_s, &tail) < 0) {
        return fail(file, "cannot read its end",
                    errno == EMEDIUMTYPE ? "it has no lines" : strerror(errno));
    }
    if (tail.whole < tail.size && ftruncate(fd, tail.whole) < 0) {
        return fail(file, "cannot cut its torn last line", strerror(errno));
    }
    if (last_written(file, &tail, &last_s) < 0) {
        return -1;
    }
    if (write_lines(file, records, count, last_s) == 0 && fdatasync(fd) == 0) {
        return 0;
    }
    reason = errno;
    /* If this fails, too, the next append cuts a torn line. */
    (void)!ftruncate(fd, tail.whole);
    return fail(file, "cannot write", strerror(reason));
}

/* Writes the records to a stream, up to the first that fails. */
static int
append_stream(struct file_sink *file, const struct window_record *records,
              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (write_lines(file, &records[i], 1, file->written_s) < 0) {
            return fail(file, "cannot write", line_file_strerror(errno));
        }
        file->written_s = int64_max(file->written_s, records[i].start_s);
    }
    return 0;
}

static int
append(struct file_sink *file, const struct window_record *records,
       size_t count)
{
    int result;

    if (lock(file) < 0) {
        return -1;
    }
    if (line_file_is_standard(file->lines)) {
        return append_stream(file, records, count);
    }
    result = append_locked(file, records, count);
    flock(line_file_fd(file->lines), LOCK_UN);
    return result;
}

static void
file_offer(struct sink *sink, const struct window_record *records, size_t count)
{
    struct file_sink *file = file_of(sink);
    int64_t last_s = records[count - 1].start_s;

    if (append(file, records, count) == 0) {
        file->written_s = last_s;
        sink->events.delivered(sink->events.context, last_s);
        return;
    }
    if (line_file_is_standard(file->lines) &&
        file->written_s >= records[0].start_s) {
        sink->events.delivered(sink->events.context, file->written_s);
    }
    sink->events.failed(sink->events.context, SINK_WAIT_MS);
}

static int64_t
file_last(struct sink *sink)
{
    struct file_sink *file = file_of(sink);
    struct file_tail tail;
    int64_t last_s;
    int fd;

    if (follow(file) < 0) {
        return 0;
    }
    if (line_file_is_standard(file->lines)) {
        return file->written_s;
    }
    fd = line_file_fd(file->lines);
    /* Another process may have been killed before it synced its line. */
    if (fdatasync(fd) < 0 ||
        file_tail_read(fd, sink->implausible_from_s, &tail) < 0) {
        return 0;
    }
    (void)last_written(file, &tail, &last_s);
    return last_s;
}

static void
file_forget(struct sink *sink)
{
    file_of(sink)->written_s = 0;
}

static void
file_reopen(struct sink *sink)
{
    line_file_release(file_of(sink)->lines);
}

static void
file_close(struct sink *sink)
{
    line_file_close(file_of(sink)->lines);
    free(sink->name);
    free(sink);
}

/* A torn last line is cut off; that must not happen to the callback log. No
   stream is cut. */
static int
file_check(const struct options *options, char why[SINK_WHY_SIZE])
{
    if (strcmp(options->file.path, options->callbacks.log) == 0 &&
        !line_file_names_standard(options->file.path)) {
        bool blame_path = options_is_set(options, "file.path");

        snprintf(why, SINK_WHY_SIZE, "%s: it must not be the same as %s",
                 blame_path ? "file.path" : "callbacks.log",
                 blame_path ? "callbacks.log" : "file.path");
        return -1;
    }
    return 0;
}

static struct sink *
file_open(const struct options *options, struct event_loop *loop,
          const struct sink_events *events)
{
    struct file_sink *file = calloc(1, sizeof(*file));
    char host[HOST_NAME_SIZE];

    (void)loop;
    if (file == NULL) {
        return NULL;
    }
    file->sink.type = &sink_file;
    file->sink.events = *events;
    file->sink.from_newest = line_file_names_standard(options->file.path);
    file->options = options;
    file->lines = line_file_open(options->file.path, O_RDWR);
    if (file->lines == NULL ||
        asprintf(&file->sink.name, "file:%s:%s", sinks_place(options, host),
                 options->file.path) < 0) {
        file->sink.name = NULL; /* undefined after an error */
        file_close(&file->sink);
        return NULL;
    }
    return &file->sink;
}

const struct sink_type sink_file = {
    .kind = SINK_FILE,
    .most = SINK_OFFER_MOST,
    .check = file_check,
    .open = file_open,
    .close = file_close,
    .last = file_last,
    .offer = file_offer,
    .forget = file_forget,
    .reopen = file_reopen,
};
