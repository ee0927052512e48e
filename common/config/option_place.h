/*
 * What set each key: the default, a line of the file, or the environment. For
 * the option_*.c files alone; programs see options_complain and
 * options_is_set.
 */
#ifndef OPTION_PLACE_H
#define OPTION_PLACE_H

#include <stdbool.h>

#include "options.h"
#include "table.h"

/* Zeroed: nothing set it, it is at its default. */
struct option_place {
    int line;      /* of the file; 0: the file did not, or not last */
    bool variable; /* the environment did */
    bool wrong;    /* one of them could not be read */
};

struct option_places {
    char *file; /* as it was named; NULL: there was none */
    struct option_place rows[OPTION_ROWS_MAX]; /* but of OPTION_PROPERTIES */
};

/* Zeroed, with a copy of file (NULL: none). NULL: no memory. */
struct option_places *option_places_open(const char *file);

void option_places_close(struct option_places *places);

#endif
