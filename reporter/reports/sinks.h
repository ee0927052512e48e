/*
 * The table of all kinds of sinks.
 */
#ifndef SINKS_H
#define SINKS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/options.h"
#include "sink.h"

enum { SINKS = 4 };

extern const struct sink_type *const sinks[SINKS];

/* Whether the options ask for it. */
bool sinks_wanted(const struct options *options, const struct sink_type *type);

/* Has each sink that the options ask for check them. 0, or -1 after at least
   one complaint. */
int sinks_check(const struct options *options, option_complaint *complain,
                void *context);

#endif
