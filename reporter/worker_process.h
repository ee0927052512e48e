/*
 * A worker process of the supervisor: one event loop, one connection to Redis,
 * and one task. The worker `reports` seals and records windows and feeds the
 * sinks; the workers `callbacks-1`, `callbacks-2`, ... deliver. If there are
 * several shards, each delivers the callbacks of one, and its name says which:
 * `callbacks-2.1` is the first of shard 2. Each is an
 * owner of its own in Redis, like a reporter on another host. The worker
 * `metrics`, if there is one, serves the numbers of all; it has no connection
 * to Redis, so that neither Redis nor another worker can silence it.
 */
#ifndef WORKER_PROCESS_H
#define WORKER_PROCESS_H

#include <stddef.h>

#include "config/cli.h"
#include "config/options.h"
#include "metrics/metrics.h"
#include "supervisor.h"

/* How many worker processes there are: `reports`, callbacks.workers rounded up
   to equally many for each shard, and `metrics` unless metrics.listen is none.
 */
size_t worker_process_count(const struct options *options);

/* Writes the name of a worker, from 0 to worker_process_count - 1. */
void worker_process_name(const struct options *options, size_t worker,
                         char name[SUPERVISOR_NAME_SIZE]);

/*
 * Runs a worker until the supervisor ends it. program is the name in the log,
 * and metrics are borrowed until exit. beat_fd is closed at the end.
 */
enum exit_code worker_process_run(const struct options *options, size_t worker,
                                  const char *program, int beat_fd,
                                  struct metrics *metrics);

#endif
