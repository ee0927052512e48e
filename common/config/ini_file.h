/*
 * Reads the lines of a configuration file with libinih. Only for options.c.
 */
#ifndef INI_FILE_H
#define INI_FILE_H

/* Receives a key of a known section. The strings are valid for the call. */
typedef void ini_file_entry(void *context, int line, const char *section,
                            const char *key, const char *value);

/* Receives a sentence that says what is wrong with a line. */
typedef void ini_file_problem(void *context, int line, const char *text);

/*
 * Reads the regular file at path to its end. After an unknown or malformed
 * [section] everything is skipped until the next [section], so that one mistake
 * gives one message. Returns NULL, or why the file cannot be read: valid until
 * the next call of strerror.
 */
const char *ini_file_read(const char *path, ini_file_entry *entry,
                          ini_file_problem *problem, void *context);

#endif
