/*
 * The lines of a configuration file, read with libinih. For options.c alone.
 */
#ifndef INI_FILE_H
#define INI_FILE_H

/* Longest line, without its end. */
enum { INI_FILE_LINE_MAX = 8192 };

struct ini_file_events {
    /* A key in a known section; all three are valid for the call. */
    void (*entry)(void *context, int line, const char *section, const char *key,
                  const char *value);
    /* What is wrong with a line; 0: with the file as a whole. */
    void (*problem)(void *context, int line, const char *text);
    void *context;
};

/*
 * Reads the file at path from beginning to end. What follows the head of an
 * unknown or unreadable section is passed over until the next head, so that
 * one slip gives one complaint.
 */
void ini_file_read(const char *path, const struct ini_file_events *events);

#endif
