/*
 * The names of environment variables that set keys: VERVE_REDIS_TIMEOUT_MS.
 * Only for the files of config.
 */
#ifndef VARIABLE_H
#define VARIABLE_H

#include <stdbool.h>

#include "table.h"

/*
 * Copies the name out of an entry of environ(7). Returns the value in entry;
 * NULL if the name is too long for a key, or there is no value.
 */
const char *variable_copy(char variable[OPTION_NAME_SIZE], const char *entry);

/* Writes the variable that sets a key. */
void variable_write(char variable[OPTION_NAME_SIZE], const char *name);

/*
 * Writes the key that a variable of a section sets, which need not exist.
 * Returns false if it is no variable of a section, or of verve's scripts.
 */
bool variable_read(char name[OPTION_NAME_SIZE], const char *variable);

/* True for VERVE_ and what neither a section nor verve's scripts know. */
bool variable_is_unknown(const char *variable);

/*
 * Writes the variable that an unknown variable may have meant. Returns false if
 * there is none.
 */
bool variable_nearest(char nearest[OPTION_NAME_SIZE], const char *variable);

#endif
