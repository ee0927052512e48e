/*
 * The supervisor: the first process of the program. It forks the worker
 * processes, starts those again that end, kills those that hang, and passes
 * signals on. It has one thread, no connection, no Redis and no libcurl, so
 * that nothing from outside can hold it up, and so that it may fork at any
 * time.
 *
 * A worker gives a sign of life, which is a byte in its pipe, when it is ready
 * and at least every SUPERVISOR_BEAT_MS after that. If the supervisor ends, the
 * kernel kills its workers (PR_SET_PDEATHSIG).
 *
 * A service manager (notify.h) is told when all workers are ready, when a HUP
 * is obeyed, which workers do not run, and that the supervisor lives. The
 * watchdog of the service manager is for the supervisor alone, because the
 * supervisor is the watchdog of its workers.
 *
 * A worker obeys these signals of the supervisor, and no others:
 *   TERM  finish the work in progress and end
 *   USR2  end at once
 *   HUP   open files again
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include <stddef.h>
#include <stdint.h>

enum {
    /* 64 callbacks.workers for 60 redis.shards become 120; and two others. */
    SUPERVISOR_WORKERS_MAX = 122,
    SUPERVISOR_NAME_SIZE = 16, /* with its NUL; the limit of PR_SET_NAME */
    SUPERVISOR_BEAT_MS = 1000,
    /* What a worker writes into its pipe: */
    SUPERVISOR_BEAT = '.',     /* a sign of life */
    SUPERVISOR_REOPENED = 'r', /* one, too: it has obeyed a HUP */
    /* A worker that ended is started again after this, which doubles. A worker
       that ran for as long as the longest delay begins with the shortest. */
    SUPERVISOR_DELAY_MS = 1000,
    SUPERVISOR_DELAY_MAX_MS = 60000,
};

struct supervisor_settings {
    size_t count; /* worker processes, 1 to SUPERVISOR_WORKERS_MAX */
    const char (*names)[SUPERVISOR_NAME_SIZE]; /* of the workers */
    int64_t silence_ms; /* a worker that is silent for so long is killed */
    int64_t stop_ms;    /* and a worker that has not ended so long after TERM */
    /* Called in the supervisor if a worker has ended, before the next start. */
    void (*ended)(void *context, size_t worker);
    void *context;
};

/* What the process is when supervisor_run returns. */
struct supervisor_outcome {
    int worker;  /* the number of this worker process; -1: the supervisor */
    int code;    /* of the supervisor: the exit code of the program */
    int beat_fd; /* of a worker: where its signs of life go. Never blocks */
};

/*
 * Runs the workers until a signal ends the program (TERM, INT, USR1; a second
 * one ends it at once), and logs `ready` once all are. Returns in the
 * supervisor at the end, and in each worker process at its start; all signals
 * of the program are blocked there, and the caller runs the worker.
 *
 * If a worker ends before all are ready, all end: with EXIT_USAGE if that was
 * its exit code, else with EXIT_SYSTEM. Later the code is EXIT_OK, or
 * EXIT_SYSTEM if a worker did not end properly.
 */
struct supervisor_outcome
supervisor_run(const struct supervisor_settings *settings);

#endif
