/*
 * option_value: the values of options, from text by their rows. A value that
 * is refused changes nothing.
 */
#include "value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "option_property.h"

enum { SHOWN_BYTES = 100 }; /* of a bad value in a complaint */

void *
option_field(struct options *options, const struct option_row *row)
{
    return (char *)options + row->offset;
}

/* Writes the names of the choices that are built, with commas. */
static void
list_choices(const struct option_choice *choices, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (; choices->name != NULL && used < size; choices++) {
        if (!choices->later) {
            used += (size_t)snprintf(text + used, size - used, "%s%s",
                                     used == 0 ? "" : ", ", choices->name);
        }
    }
}

static void
expected_number(const struct option_row *row, char *text, size_t size)
{
    if (row->only_default) {
        snprintf(text, size, "%s (nothing else is built yet)", row->fallback);
    } else {
        snprintf(text, size, "a whole number from %" PRId64 " to %" PRId64,
                 row->min, row->max);
    }
}

void
option_expected(const struct option_row *row, char *text, size_t size)
{
    char names[OPTION_WHY_SIZE / 4] = "";

    if (row->choices != NULL) {
        list_choices(row->choices, names, sizeof(names));
    }
    switch (row->type) {
    case OPTION_NUMBER:
        expected_number(row, text, size);
        break;
    case OPTION_TEXT:
        snprintf(text, size,
                 "text of %" PRId64 " to %" PRId64
                 " bytes without control bytes",
                 row->min, row->max);
        break;
    case OPTION_CHOICE:
        snprintf(text, size, "one of %s", names);
        break;
    case OPTION_CHOICES:
        snprintf(text, size, "one or more of %s, with commas", names);
        break;
    case OPTION_DELAYS:
        snprintf(text, size,
                 "at most %d whole numbers from %" PRId64 " to %" PRId64
                 ", with commas",
                 OPTION_DELAYS_MAX, row->min, row->max);
        break;
    case OPTION_PROPERTIES:
        snprintf(text, size, "text");
        break;
    }
}

/* Writes that text is not what its row expects; returns -1. */
static int
refuse(const struct option_row *row, const char *text, char *why)
{
    char expected[OPTION_WHY_SIZE / 2];

    option_expected(row, expected, sizeof(expected));
    if (row->secret) {
        snprintf(why, OPTION_WHY_SIZE, "the value is not %s", expected);
    } else {
        snprintf(why, OPTION_WHY_SIZE, "\"%.*s\" is not %s", SHOWN_BYTES, text,
                 expected);
    }
    return -1;
}

/* Writes what is wrong with a text that is of the right type; returns -1. */
static int
reject(const struct option_row *row, const char *text, const char *problem,
       char *why)
{
    if (row->secret) {
        snprintf(why, OPTION_WHY_SIZE, "%s", problem);
    } else {
        snprintf(why, OPTION_WHY_SIZE, "\"%.*s\": %s", SHOWN_BYTES, text,
                 problem);
    }
    return -1;
}

static bool
is_default(const struct option_row *row, int64_t value)
{
    int64_t fallback;

    return decimal_parse(row->fallback, strlen(row->fallback), &fallback) &&
           value == fallback;
}

static int
set_number(int64_t *field, const struct option_row *row, const char *text,
           char *why)
{
    int64_t value;

    if (!decimal_parse(text, strlen(text), &value) || value < row->min ||
        value > row->max || (row->only_default && !is_default(row, value))) {
        return refuse(row, text, why);
    }
    *field = value;
    return 0;
}

static bool
has_control_byte(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte < 0x20 || byte == 0x7f) {
            return true;
        }
    }
    return false;
}

static int
replace_text(char **field, const char *text, char *why)
{
    char *copy = strdup(text);

    if (copy == NULL) {
        snprintf(why, OPTION_WHY_SIZE, "no memory");
        return -1;
    }
    free(*field);
    *field = copy;
    return 0;
}

static int
set_text(char **field, const struct option_row *row, const char *text,
         char *why)
{
    int64_t len = (int64_t)strlen(text);
    const char *problem;

    if (len < row->min || len > row->max || has_control_byte(text)) {
        return refuse(row, text, why);
    }
    problem = row->problem == NULL ? NULL : row->problem(text);
    if (problem != NULL) {
        return reject(row, text, problem, why);
    }
    return replace_text(field, text, why);
}

/*
 * Cuts the next item off a list with commas, without the blanks around it.
 * Returns false at the end; an empty list has one empty item.
 */
static bool
next_item(const char **list, const char **item, size_t *len)
{
    const char *start = *list;
    const char *end;

    if (start == NULL) {
        return false;
    }
    end = start + strcspn(start, ",");
    *list = *end == ',' ? end + 1 : NULL;
    start += strspn(start, " \t");
    while (end > start && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    *item = start;
    *len = end > start ? (size_t)(end - start) : 0;
    return true;
}

static const struct option_choice *
find_choice(const struct option_choice *choices, const char *name, size_t len)
{
    for (; choices->name != NULL; choices++) {
        if (strlen(choices->name) == len &&
            memcmp(choices->name, name, len) == 0) {
            return choices;
        }
    }
    return NULL;
}

/* Takes one name; its value goes into *value as bits. */
static int
take_choice(int *value, const struct option_row *row, const char *text,
            const char *name, size_t len, char *why)
{
    const struct option_choice *choice = find_choice(row->choices, name, len);

    if (choice == NULL) {
        return refuse(row, text, why);
    }
    if (choice->later) {
        char built[OPTION_WHY_SIZE / 4];

        list_choices(row->choices, built, sizeof(built));
        snprintf(why, OPTION_WHY_SIZE, "\"%s\" is not built yet; use %s",
                 choice->name, built);
        return -1;
    }
    *value |= choice->value;
    return 0;
}

static int
set_choice(int *field, const struct option_row *row, const char *text,
           char *why)
{
    int value = 0;

    if (take_choice(&value, row, text, text, strlen(text), why) != 0) {
        return -1;
    }
    *field = value;
    return 0;
}

static int
set_choices(int *field, const struct option_row *row, const char *text,
            char *why)
{
    const char *list = text;
    const char *item;
    size_t len;
    int value = 0;

    while (next_item(&list, &item, &len)) {
        if (take_choice(&value, row, text, item, len, why) != 0) {
            return -1;
        }
    }
    *field = value;
    return 0;
}

static int
set_delays(struct option_delays *field, const struct option_row *row,
           const char *text, char *why)
{
    struct option_delays delays = {0};
    const char *list = text[0] == '\0' ? NULL : text;
    const char *item;
    size_t len;

    while (next_item(&list, &item, &len)) {
        int64_t delay_s;

        if (delays.count == OPTION_DELAYS_MAX ||
            !decimal_parse(item, len, &delay_s) || delay_s < row->min ||
            delay_s > row->max) {
            return refuse(row, text, why);
        }
        delays.s[delays.count++] = delay_s;
    }
    *field = delays;
    return 0;
}

int
option_set(struct options *options, const struct option_row *row,
           const char *text, char why[OPTION_WHY_SIZE])
{
    void *field = option_field(options, row);

    switch (row->type) {
    case OPTION_NUMBER:
        return set_number(field, row, text, why);
    case OPTION_TEXT:
        return set_text(field, row, text, why);
    case OPTION_CHOICE:
        return set_choice(field, row, text, why);
    case OPTION_CHOICES:
        return set_choices(field, row, text, why);
    case OPTION_DELAYS:
        return set_delays(field, row, text, why);
    case OPTION_PROPERTIES:
        break; /* has no value of its own: option_set_property */
    }
    return -1;
}

void
option_clear(struct options *options, const struct option_row *row)
{
    if (row->type == OPTION_TEXT) {
        char **text = option_field(options, row);

        free(*text);
        *text = NULL;
    } else if (row->type == OPTION_PROPERTIES) {
        option_properties_clear(option_field(options, row));
    }
}
