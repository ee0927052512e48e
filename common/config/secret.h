/*
 * Secrets, and the files of their own that may have their values. The programs
 * read these files by options.h; this header is for the files of config.
 */
#ifndef SECRET_H
#define SECRET_H

#include "options.h"
#include "table.h"

/* A key that names a file, and the key whose value the file has. */
struct secret {
    const struct option_row *row;    /* of key */
    char file_key[OPTION_NAME_SIZE]; /* "callbacks.secret_file" */
    char key[OPTION_NAME_SIZE];      /* "callbacks.secret" */
    const char *path;                /* borrowed */
};

/* A place among the secrets; zeroed: before the first. */
struct secret_cursor {
    size_t row;
    size_t property;
};

/* Finds the next secret that has a file. Returns false behind the last. */
bool secret_next(const struct options *options, struct secret_cursor *at,
                 struct secret *secret);

/* Reads the file, so that the key has its value. 0, or -1 after a complaint. */
int secret_read(struct options *options, const struct secret *secret,
                option_complaint *complain, void *context);

/* Complains of each key that is set beside its file, and of paths that are not
   absolute. 0, or -1 after a complaint. */
int secret_check(const struct options *options, option_complaint *complain,
                 void *context);

/*
 * Writes a key whose value stands in the configuration file and is secret.
 * Returns false if there is none.
 */
bool secret_in_file(const struct options *options, char key[OPTION_NAME_SIZE]);

#endif
