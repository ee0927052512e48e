/*
 * The rows of the table of options, and looking one up. For the option_*.c
 * files alone: programs see struct options and what options.h declares.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_NUMBER,     /* int64_t: a whole number from min to max */
    OPTION_TEXT,       /* char *: of min to max bytes */
    OPTION_CHOICE,     /* int: the value of one of choices */
    OPTION_CHOICES,    /* int: the values of one or more of choices, or-ed */
    OPTION_DELAYS,     /* struct option_delays: each from min to max */
    OPTION_PROPERTIES, /* struct option_properties: all other keys there */
};

struct option_choice {
    const char *name; /* NULL ends the list */
    int value;
    bool later; /* known, but not built yet */
};

struct option_row {
    const char *section;
    const char *key; /* OPTION_PROPERTIES: what stands for the names */
    enum option_type type;
    size_t offset;        /* of the field in struct options */
    const char *fallback; /* the default, as a file would say it */
    int64_t min;
    int64_t max;
    const struct option_choice *choices;
    /* What else is wrong with a text, as a sentence, or NULL: nothing. */
    const char *(*problem)(const char *text);
    bool secret;       /* complaints do not show the value */
    bool only_default; /* other numbers are not built yet */
    const char *help;
};

enum {
    OPTION_ROWS_MAX = 64, /* at least option_row_count */
    OPTION_NAME_SIZE = 64 /* section and key, or the environment's name */
};

/* The table, all rows of a section together. */
extern const struct option_row option_rows[];
extern const size_t option_row_count;

/*
 * The row of a key; where there is none, the row that takes all other keys of
 * its section; NULL: such a key is unknown.
 */
const struct option_row *option_find(const char *section, const char *key);

bool option_section_exists(const char *section);

/* The name of a row in the environment: VERVE_REDIS_TIMEOUT_MS. */
void option_variable(const struct option_row *row, char name[OPTION_NAME_SIZE]);

/*
 * The section that a variable of that name is of, its key written into key in
 * small letters (as long as name at most); NULL: none of ours.
 */
const char *option_variable_section(const char *name, char *key);

/* The row that an unknown key may have meant, or NULL. */
const struct option_row *option_nearest(const char *section, const char *key);

/* The section that an unknown one may have meant, or NULL. */
const char *option_nearest_section(const char *section);

#endif
