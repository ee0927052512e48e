/*
 * The table of options: one row for each key, and the search for a row. Only
 * for the files of config; programs use struct options.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_type {
    OPTION_NUMBER,     /* int64_t: a whole number from min to max */
    OPTION_TEXT,       /* char *: of min to max bytes; of a path, the choices
                          are words that may stand in its place */
    OPTION_CHOICE,     /* int: the value of one of the choices */
    OPTION_CHOICES,    /* int: the values of one or more choices, or-ed; a
                          choice with the value 0 stands alone */
    OPTION_DELAYS,     /* struct option_delays: each from min to max */
    OPTION_PROPERTIES, /* struct option_properties: all other keys */
};

/* What a text is the path of. A path is absolute. */
enum option_file {
    OPTION_NO_FILE,
    OPTION_FILE_READ,   /* a file that is read; its reader checks it */
    OPTION_FILE_LOG,    /* a file that is appended to, and made if missing */
    OPTION_FILE_REPORT, /* the same, and its end is read */
    OPTION_FILE_SECRET, /* the value of the key without OPTION_FILE_SUFFIX */
};

/* Of a key that names the file with the value of another key. All properties of
   OPTION_PROPERTIES have such a key. */
#define OPTION_FILE_SUFFIX "_file"

struct option_choice {
    const char *name;
    int value;
};

enum { OPTION_CHOICES_SIZE = 8 }; /* one more than the longest list has */

struct option_row {
    const char *section; /* without '_': VERVE_<SECTION>_<KEY> is split there */
    const char *key;     /* OPTION_PROPERTIES: a placeholder, for -h */
    enum option_type type;
    size_t offset;        /* of the field in struct options */
    const char *fallback; /* the default, in the form that the file uses */
    int64_t min;
    int64_t max;
    struct option_choice choices[OPTION_CHOICES_SIZE]; /* name NULL: the end */
    /* An additional check of a text: the error as a sentence, or NULL. */
    const char *(*problem)(const char *text);
    /* Prints a part of a text by its name; false: there is no such part. NULL:
       it has no parts. */
    bool (*print_part)(FILE *out, const char *text, const char *part);
    bool secret;           /* error messages do not show the value */
    enum option_file file; /* of OPTION_TEXT */
    const char *help;
};

/* Size of "section.key" or of a variable's name; no valid key is longer. */
enum { OPTION_NAME_SIZE = 256 };

/* All rows of a section are together. */
extern const struct option_row option_rows[];
extern const size_t option_row_count;

/*
 * The row of a key ("redis.url"); else the row for all other keys of its
 * section, if there is one; else NULL: the key is unknown.
 */
const struct option_row *option_find(const char *name);

bool option_section_exists(const char *section);

/* The row that an unknown key ("redis.ulr") may have meant, or NULL. */
const struct option_row *option_nearest(const char *name);

/*
 * The row that an unknown variable ("rdis_url", of VERVE_RDIS_URL) may have
 * meant, or NULL. A row of OPTION_PROPERTIES: only the section is misspelt.
 */
const struct option_row *option_nearest_joined(const char *name);

/* The section that an unknown section may have meant, or NULL. */
const char *option_nearest_section(const char *section);

#endif
