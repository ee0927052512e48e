/*
 * Keys whose values are right each by itself, but not together. Only for
 * options.c.
 */
#ifndef PAIRS_H
#define PAIRS_H

#include "options.h"

/* Returns 0, or -1 after a complaint for each pair that is wrong. */
int pairs_check(const struct options *options, option_complaint *complain,
                void *context);

#endif
