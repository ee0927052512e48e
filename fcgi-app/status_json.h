/*
 * Reads members of a JSON object that may lack them, or have them of another
 * type: a program of another version wrote them.
 */
#ifndef STATUS_JSON_H
#define STATUS_JSON_H

#include <jansson.h>

/* "" if it is no text. Borrowed from the object. */
static inline const char *
text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text == NULL ? "" : text;
}

/* 0 if it is no whole number. */
static inline json_int_t
number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

#endif
