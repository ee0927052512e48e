/*
 * Locks on single bytes of a file, between processes: open file description
 * locks (F_OFD_SETLK, fcntl_locking(2)). The kernel releases a lock when its
 * process ends in whatever way, so that there are no process ids that could be
 * out of date. A lock belongs to the open file and is released with it, but not
 * while a child of fork(2) has it open, too.
 */
#ifndef STATS_LOCK_H
#define STATS_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

/* Takes the lock of the byte at `at`; false (errno) if another open file has
   it, or locks do not work on this file. Does not block. */
bool stats_lock_try(int fd, off_t at);

/*
 * The same, but waits for a holder, for at most a second: holders need
 * microseconds, unless they are stopped. 0, or -1 (errno; EBUSY: in vain).
 */
int stats_lock_wait(int fd, off_t at);
void stats_lock_release(int fd, off_t at);

/* True if another open file has the lock. */
bool stats_lock_is_held(int fd, off_t at);

#endif
