/*
 * All sinks. To add a sink: one file sink_NAME.c that defines sink_NAME, its
 * declaration here, its row in sinks.c, a bit in enum sink_kind
 * (config/options.h) and its word in the row report.sinks of config/table.c.
 */
#ifndef SINKS_H
#define SINKS_H

#include <stdbool.h>

#include "base/util.h"
#include "config/options.h"
#include "sink.h"

extern const struct sink_type sink_file;
extern const struct sink_type sink_syslog;
extern const struct sink_type sink_kafka;
extern const struct sink_type sink_kinesis;

enum { SINKS = 4 };

extern const struct sink_type *const sinks[SINKS];

/* Whether report.sinks names this sink. */
bool sinks_wanted(const struct options *options, const struct sink_type *type);

/* The name of this host in the names of sinks that write on it: sink.name, or
   the host's own, which is written to host. */
const char *sinks_place(const struct options *options,
                        char host[HOST_NAME_SIZE]);

/* Has each wanted sink check its options. 0, or -1 after one complaint for each
   sink whose options are wrong. */
int sinks_check(const struct options *options, option_complaint *complain,
                void *context);

#endif
