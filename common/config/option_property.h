/*
 * Keys that are handed on as they are: a growing list of names and values. For
 * the option_*.c files alone.
 */
#ifndef OPTION_PROPERTY_H
#define OPTION_PROPERTY_H

#include "options.h"

/* The one of that name, or NULL. */
const struct option_property *
option_property_find(const struct option_properties *properties,
                     const char *name);

/*
 * Sets a property, replacing one of that name; line as struct option_property
 * has it. Returns NULL, or what is wrong, static.
 */
const char *option_property_set(struct option_properties *properties,
                                const char *name, const char *value, int line);

/* Frees all of them. */
void option_properties_clear(struct option_properties *properties);

#endif
