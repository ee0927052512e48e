/*
 * stats_file: a page with the header, two slots for the processes that have
 * ended, and the slots of processes.
 *
 * A process holds a lock on the first byte of its slot (stats_lock.h). A slot
 * that is not locked belongs to a process that has ended; the next owner first
 * adds its counters to those of the departed.
 *
 * That has to survive a kill at any point, and readers take no lock. So there
 * are two slots for the departed, and `state` says which of them is valid and
 * which slot has just been added to it and does not count any more. The new sum
 * is written into the other slot; one store of `state` makes it valid; then the
 * added slot is cleared. `state` also counts its changes: a reader that finds
 * it changed reads again (a seqlock: Boehm, MSPC 2012).
 *
 * The bytes of the file exist before it is mapped (posix_fallocate), as a full
 * disk would otherwise be a SIGBUS.
 */
#include "stats_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stats_lock.h"

#define MAGIC UINT64_C(0x7374617473767276) /* "vrvstats" */

enum {
    FILE_MODE = 0600, /* others could cut it off under our feet */
    READ_TRIES = 1000,
    OPEN_TRIES = 10,
    DEPARTED = 2, /* slots for the processes that have ended */
    NO_SLOT = -1,
};

struct slot {
    uint64_t cells[STATS_CELLS];
};

/* `state` of the header: changes << 16 | departed << 8 | slot + 1. */
struct header {
    uint64_t magic;
    uint64_t layout; /* stats_layout.id */
    uint64_t size;   /* of the file, in bytes */
    uint64_t state;
    uint64_t used; /* slots that were ever taken, from the first on */
};

struct map {
    union {
        struct header header;
        uint8_t page[STATS_SLOT_BYTES];
    };
    struct slot departed[DEPARTED];
    struct slot slots[STATS_SLOTS];
};

struct stats_file {
    const struct stats_layout *layout;
    int fd;
    int own;          /* the slot of this process; NO_SLOT: it is `private` */
    struct map *map;  /* NULL: no file */
    struct slot slot; /* the private cells */
};

static int
departed_of(uint64_t state)
{
    return (int)(state >> 8 & 1);
}

/* The slot that is added to the departed already; NO_SLOT: none. */
static int
added_of(uint64_t state)
{
    return (int)(state & 0xFF) - 1;
}

/* The state after `state`. */
static uint64_t
next_state(uint64_t state, int departed, int added)
{
    return ((state >> 16) + 1) << 16 | (uint64_t)departed << 8 |
           (uint64_t)(added + 1);
}

static off_t
offset_of(int slot)
{
    return (off_t)offsetof(struct map, slots) + slot * STATS_SLOT_BYTES;
}

/* True if a process holds the slot. */
static bool
is_alive(const struct stats_file *file, int slot)
{
    return slot == file->own || stats_lock_is_held(file->fd, offset_of(slot));
}

static void
clear_slot(struct slot *slot)
{
    for (size_t i = 0; i < STATS_CELLS; i++) {
        stats_set(&slot->cells[i], 0);
    }
}

/* Clears the slot that was added, which a killed process may have left to do.
   Only with the header locked, as all changes of `state`. */
static void
finish_adding(struct map *map)
{
    uint64_t state = stats_get(&map->header.state);

    if (added_of(state) != NO_SLOT) {
        clear_slot(&map->slots[added_of(state)]);
        __atomic_store_n(&map->header.state,
                         next_state(state, departed_of(state), NO_SLOT),
                         __ATOMIC_RELEASE);
    }
}

/* Adds the counters of a slot without a living owner to the departed. */
static void
add_to_departed(const struct stats_file *file, int slot)
{
    struct map *map = file->map;
    uint64_t state;
    int other;

    finish_adding(map);
    state = stats_get(&map->header.state);
    other = !departed_of(state);
    for (size_t i = 0; i < STATS_CELLS; i++) {
        uint64_t sum = stats_get(&map->departed[!other].cells[i]);

        if (file->layout->merge[i] == STATS_COUNTER) {
            sum += stats_get(&map->slots[slot].cells[i]);
        }
        stats_set(&map->departed[other].cells[i], sum);
    }
    __atomic_store_n(&map->header.state, next_state(state, other, slot),
                     __ATOMIC_RELEASE);
    /* A reader that sees a cleared cell must see the state that says so. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    finish_adding(map);
}

/* Takes a slot. -1 (errno) if none is free. */
static int
take_slot(struct stats_file *file)
{
    if (stats_lock_wait(file->fd, 0) != 0) {
        return -1;
    }
    for (int i = 0; i < STATS_SLOTS; i++) {
        if (stats_lock_try(file->fd, offset_of(i))) {
            add_to_departed(file, i);
            file->own = i;
            if (stats_get(&file->map->header.used) <= (uint64_t)i) {
                stats_set(&file->map->header.used, (uint64_t)i + 1);
            }
            break;
        }
    }
    stats_lock_release(file->fd, 0);
    errno = EUSERS;
    return file->own == NO_SLOT ? -1 : 0;
}

/* Why the file may not be used; NULL: it may. */
static const char *
refusal(const struct stat *status)
{
    if (!S_ISREG(status->st_mode)) {
        return "it is no regular file";
    }
    if (status->st_uid != geteuid()) {
        return "it belongs to another user";
    }
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return "other users may write to it";
    }
    return status->st_nlink > 1 ? "it has another name" : NULL;
}

/* Fills a new file, whose header is locked. -1 (errno): the disk is full. */
static int
fill(int fd, const struct stats_layout *layout)
{
    const struct header header = {
        .magic = MAGIC, .layout = layout->id, .size = sizeof(struct map)};
    int error = posix_fallocate(fd, 0, (off_t)sizeof(struct map));

    if (error != 0) {
        errno = error;
        return -1;
    }
    return pwrite(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header)
               ? 0
               : -1;
}

/* What is to be done with an open file. */
enum file_state {
    FILE_RIGHT,
    FILE_EMPTY,   /* new, or its maker was killed before it was filled */
    FILE_OTHER,   /* ours, but of another layout, or cut off: replace it */
    FILE_FOREIGN, /* not ours: leave it alone */
};

static enum file_state
examine(int fd, off_t size, const struct stats_layout *layout)
{
    struct header header = {0};
    ssize_t got = pread(fd, &header, sizeof(header), 0);

    if (got == 0 || (got == (ssize_t)sizeof(header) &&
                     size == (off_t)sizeof(struct map) && header.magic == 0)) {
        return FILE_EMPTY;
    }
    if (got < (ssize_t)sizeof(header.magic) || header.magic != MAGIC) {
        return FILE_FOREIGN;
    }
    return header.layout == layout->id && header.size == sizeof(struct map) &&
                   size == (off_t)sizeof(struct map)
               ? FILE_RIGHT
               : FILE_OTHER;
}

/* Explains a failure of the system (errno). Returns -1. */
static int
explain(const char *path, char why[STATS_WHY_SIZE])
{
    int reason = errno;

    snprintf(why, STATS_WHY_SIZE, "%.160s: %s", path, strerror(reason));
    errno = reason;
    return -1;
}

static int
explain_refusal(const char *path, const char *reason, char why[STATS_WHY_SIZE])
{
    snprintf(why, STATS_WHY_SIZE, "%.160s: %s", path, reason);
    return -1;
}

/*
 * Makes the open file right. 0; 1: the path has another file now, open that; or
 * -1 with the reason. The header is locked, so that of several processes one
 * fills or replaces it.
 */
static int
prepare_locked(int fd, const char *path, const struct stats_layout *layout,
               char why[STATS_WHY_SIZE])
{
    struct stat status, named;

    if (fstat(fd, &status) != 0) {
        return explain(path, why);
    }
    if (lstat(path, &named) != 0 || named.st_ino != status.st_ino ||
        named.st_dev != status.st_dev) {
        return 1;
    }
    switch (examine(fd, status.st_size, layout)) {
    case FILE_RIGHT:
        return 0;
    case FILE_EMPTY:
        return fill(fd, layout) == 0 ? 0 : explain(path, why);
    case FILE_OTHER:
        /* The processes that have it mapped go on with it until they end. */
        return unlink(path) == 0 ? 1 : explain(path, why);
    case FILE_FOREIGN:
        break;
    }
    return explain_refusal(path, "it is no file of verve's", why);
}

static int
prepare(int fd, const char *path, const struct stats_layout *layout,
        char why[STATS_WHY_SIZE])
{
    struct stat status;
    const char *refused;
    int result;

    if (fstat(fd, &status) != 0) {
        return explain(path, why);
    }
    refused = refusal(&status);
    if (refused != NULL) {
        return explain_refusal(path, refused, why);
    }
    if (stats_lock_wait(fd, 0) != 0) {
        return explain(path, why);
    }
    result = prepare_locked(fd, path, layout, why);
    stats_lock_release(fd, 0);
    return result;
}

/* Opens a right file: its fd, or -1 with the reason. */
static int
open_right(const char *path, const struct stats_layout *layout,
           char why[STATS_WHY_SIZE])
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        /* O_NONBLOCK: a FIFO must not be waited for. */
        int fd = open(path,
                      O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK |
                          O_NOCTTY,
                      FILE_MODE);
        int result =
            fd < 0 ? explain(path, why) : prepare(fd, path, layout, why);

        if (result == 0) {
            return fd;
        }
        if (fd >= 0) {
            close(fd);
        }
        if (result < 0) {
            return -1;
        }
    }
    return explain_refusal(path, "it is replaced again and again", why);
}

/* Maps the file and takes a slot. -1 with the reason. */
static int
map_file(struct stats_file *file, const char *path, char why[STATS_WHY_SIZE])
{
    void *map;

    file->fd = open_right(path, file->layout, why);
    if (file->fd < 0) {
        return -1;
    }
    map = mmap(NULL, sizeof(struct map), PROT_READ | PROT_WRITE, MAP_SHARED,
               file->fd, 0);
    if (map == MAP_FAILED) {
        return explain(path, why);
    }
    file->map = map;
    return take_slot(file) == 0 ? 0 : explain(path, why);
}

struct stats_file *
stats_file_open(const char *path, const struct stats_layout *layout,
                char why[STATS_WHY_SIZE])
{
    struct stats_file *file = calloc(1, sizeof(*file));

    why[0] = '\0';
    if (file == NULL) {
        return NULL;
    }
    file->layout = layout;
    file->own = NO_SLOT;
    map_file(file, path, why);
    return file;
}

void
stats_file_close(struct stats_file *file)
{
    if (file == NULL) {
        return;
    }
    if (file->map != NULL) {
        munmap(file->map, sizeof(struct map));
    }
    if (file->fd >= 0) {
        close(file->fd);
    }
    free(file);
}

uint64_t *
stats_file_cells(struct stats_file *file)
{
    return file->own == NO_SLOT ? file->slot.cells
                                : file->map->slots[file->own].cells;
}

static void
sum_map(const struct stats_file *file, uint64_t state,
        uint64_t sums[STATS_CELLS])
{
    const struct map *map = file->map;
    uint64_t used = stats_get(&map->header.used);
    bool first = true;

    memset(sums, 0, STATS_CELLS * sizeof(*sums));
    stats_layout_merge(file->layout, map->departed[departed_of(state)].cells,
                       false, false, sums);
    for (int i = 0; i < (int)used && i < STATS_SLOTS; i++) {
        bool alive = is_alive(file, i);

        if (i != added_of(state)) {
            stats_layout_merge(file->layout, map->slots[i].cells, alive, first,
                               sums);
            first &= !alive;
        }
    }
}

void
stats_file_sum(const struct stats_file *file, uint64_t sums[STATS_CELLS])
{
    uint64_t state;
    int tries = 0;

    if (file->map == NULL) {
        memset(sums, 0, STATS_CELLS * sizeof(*sums));
        stats_layout_merge(file->layout, file->slot.cells, true, true, sums);
        return;
    }
    do { /* the state changes only if a process starts */
        state = __atomic_load_n(&file->map->header.state, __ATOMIC_ACQUIRE);
        sum_map(file, state, sums);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (stats_get(&file->map->header.state) != state &&
             ++tries < READ_TRIES);
}
