/*
 * value: the values of options, from text and back, as their rows say. A value
 * that is refused changes nothing.
 */
#include "value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

enum {
    SHOWN_BYTES = 100, /* of a wrong value in an error message */
    PROPERTY_NAME_MAX = 128,
};

void *
option_field(const struct options *options, const struct option_row *row)
{
    return (char *)options + row->offset;
}

enum { NAMES_SIZE = OPTION_WHY_SIZE / 4 };

/* Writes the names of row's choices. The choice with the value 0, which stands
   alone in a list, is not among them: it is returned. "": there is none. */
static const char *
write_names(const struct option_row *row, char names[NAMES_SIZE])
{
    const char *alone = "";
    size_t used = 0;

    names[0] = '\0';
    for (const struct option_choice *c = row->choices;
         c->name != NULL && used < NAMES_SIZE; c++) {
        if (row->type == OPTION_CHOICES && c->value == 0) {
            alone = c->name;
            continue;
        }
        used += (size_t)snprintf(names + used, NAMES_SIZE - used, "%s%s",
                                 used == 0 ? "" : ", ", c->name);
    }
    return alone;
}

void
option_expected(const struct option_row *row, char *text, size_t size)
{
    char names[NAMES_SIZE];
    const char *alone = write_names(row, names);

    switch (row->type) {
    case OPTION_NUMBER:
        snprintf(text, size, "a whole number from %" PRId64 " to %" PRId64,
                 row->min, row->max);
        break;
    case OPTION_TEXT:
        snprintf(text, size,
                 "%s%s%s of %" PRId64 " to %" PRId64
                 " bytes without control bytes",
                 names, names[0] == '\0' ? "" : ", or ",
                 row->file == OPTION_NO_FILE ? "text" : "an absolute path",
                 row->min, row->max);
        break;
    case OPTION_CHOICE:
        snprintf(text, size, "one of %s", names);
        break;
    case OPTION_CHOICES:
        snprintf(text, size, "one or more of %s, with commas%s%s", names,
                 alone[0] == '\0' ? "" : ", or ", alone);
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

/*
 * Writes the reason why text is refused: problem, or if problem is NULL, the
 * values that row permits. Returns -1.
 */
static int
refuse(const struct option_row *row, const char *text, const char *problem,
       char *why)
{
    char expected[OPTION_WHY_SIZE / 2];
    const char *what = problem != NULL ? problem : expected;

    option_expected(row, expected, sizeof(expected));
    if (row->secret) {
        snprintf(why, OPTION_WHY_SIZE, "%s%s",
                 problem != NULL ? "" : "the value is not ", what);
    } else {
        snprintf(why, OPTION_WHY_SIZE, "\"%.*s\"%s%s", SHOWN_BYTES, text,
                 problem != NULL ? ": " : " is not ", what);
    }
    return -1;
}

/* Parses a number from row's minimum to its maximum. */
static bool
parse_number(const struct option_row *row, const char *text, size_t len,
             int64_t *value)
{
    return decimal_parse(text, len, value) && *value >= row->min &&
           *value <= row->max;
}

static int
set_number(int64_t *field, const struct option_row *row, const char *text,
           char *why)
{
    int64_t value;

    if (!parse_number(row, text, strlen(text), &value)) {
        return refuse(row, text, NULL, why);
    }
    *field = value;
    return 0;
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

/* Adds the value of the choice name[0..len) to *value, as bits. */
static bool
add_choice(int *value, const struct option_row *row, const char *name,
           size_t len)
{
    for (const struct option_choice *c = row->choices; c->name != NULL; c++) {
        if (strlen(c->name) == len && memcmp(c->name, name, len) == 0) {
            *value |= c->value;
            return true;
        }
    }
    return false;
}

/* Whether text is a path, or a word that may stand in its place. */
static bool
is_path_or_word(const struct option_row *row, const char *text)
{
    int value = 0;

    return text[0] == '\0' || text[0] == '/' ||
           add_choice(&value, row, text, strlen(text));
}

static int
set_text(char **field, const struct option_row *row, const char *text,
         char *why)
{
    int64_t len = 0;
    const char *problem = NULL;

    while (text[len] != '\0' && !iscntrl((unsigned char)text[len])) {
        len++;
    }
    if (text[len] != '\0' || len < row->min || len > row->max) {
        return refuse(row, text, NULL, why);
    }
    if (row->file != OPTION_NO_FILE && !is_path_or_word(row, text)) {
        return refuse(
            row, text,
            row->choices[0].name == NULL ? "a path begins with /" : NULL, why);
    }
    if (row->problem != NULL && (problem = row->problem(text)) != NULL) {
        return refuse(row, text, problem, why);
    }
    return replace_text(field, text, why);
}

/*
 * Cuts the next item off a comma-separated list, without the blanks around the
 * item. Returns false at the end of the list. An empty list has one empty item.
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

/* Adds the values of the choices in a list. If a choice has the value 0, it is
   the only one. */
static bool
add_choices(int *value, const struct option_row *row, const char *list)
{
    const char *item;
    size_t len;
    bool has_zero = false;
    size_t count = 0;

    while (next_item(&list, &item, &len)) {
        int one = 0;

        if (!add_choice(&one, row, item, len)) {
            return false;
        }
        has_zero |= one == 0;
        *value |= one;
        count++;
    }
    return !has_zero || count == 1;
}

static int
set_choices(int *field, const struct option_row *row, const char *text,
            char *why)
{
    int value = 0;
    bool known = row->type == OPTION_CHOICE
                     ? add_choice(&value, row, text, strlen(text))
                     : add_choices(&value, row, text);

    if (!known) {
        return refuse(row, text, NULL, why);
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
        if (delays.count == OPTION_DELAYS_MAX ||
            !parse_number(row, item, len, &delays.s[delays.count++])) {
            return refuse(row, text, NULL, why);
        }
    }
    *field = delays;
    return 0;
}

static struct option_property *
find_property(const struct option_properties *properties, const char *name)
{
    for (size_t i = 0; i < properties->count; i++) {
        if (strcmp(properties->items[i].name, name) == 0) {
            return &properties->items[i];
        }
    }
    return NULL;
}

struct option_property *
option_property(const struct options *options, const struct option_row *row,
                const char *name)
{
    return find_property(option_field(options, row),
                         name + strlen(row->section) + 1);
}

/* Adds a property with the value NULL. Returns NULL if there is no memory. */
static struct option_property *
add_property(struct option_properties *properties, const char *name)
{
    struct option_property added = {.name = strdup(name)};
    struct option_property *items =
        reallocarray(properties->items, properties->count + 1, sizeof(added));

    if (items != NULL) {
        properties->items = items;
    }
    if (items == NULL || added.name == NULL) {
        free(added.name);
        return NULL;
    }
    items[properties->count] = added;
    return &items[properties->count++];
}

static int
set_property(struct option_properties *properties, const char *name,
             const char *text, char *why)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    struct option_property *property = find_property(properties, name);

    if (len == 0 || len > PROPERTY_NAME_MAX || name[len] != '\0') {
        snprintf(why, OPTION_WHY_SIZE,
                 "a property's name has 1 to %d small letters, digits, . _ -",
                 PROPERTY_NAME_MAX);
        return -1;
    }
    if (property == NULL) {
        property = add_property(properties, name);
    }
    if (property == NULL) {
        snprintf(why, OPTION_WHY_SIZE, "no memory");
        return -1;
    }
    return replace_text(&property->value, text, why);
}

int
option_set(struct options *options, const struct option_row *row,
           const char *name, const char *text, char why[OPTION_WHY_SIZE])
{
    void *field = option_field(options, row);

    switch (row->type) {
    case OPTION_NUMBER:
        return set_number(field, row, text, why);
    case OPTION_TEXT:
        return set_text(field, row, text, why);
    case OPTION_CHOICE:
    case OPTION_CHOICES:
        return set_choices(field, row, text, why);
    case OPTION_DELAYS:
        return set_delays(field, row, text, why);
    case OPTION_PROPERTIES:
        return set_property(field, name + strlen(row->section) + 1, text, why);
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
        struct option_properties *properties = option_field(options, row);

        for (size_t i = 0; i < properties->count; i++) {
            free(properties->items[i].name);
            free(properties->items[i].value);
        }
        free(properties->items);
        memset(properties, 0, sizeof(*properties));
    }
}

static void
print_choices(FILE *out, const struct option_row *row, int value)
{
    const char *comma = "";

    for (const struct option_choice *c = row->choices; c->name != NULL; c++) {
        if (value == c->value ||
            (row->type == OPTION_CHOICES && (value & c->value) != 0)) {
            fprintf(out, "%s%s", comma, c->name);
            comma = ",";
        }
    }
}

static void
print_delays(FILE *out, const struct option_delays *delays)
{
    for (size_t i = 0; i < delays->count; i++) {
        fprintf(out, "%s%" PRId64, i == 0 ? "" : ",", delays->s[i]);
    }
}

const char *
option_text(const struct options *options, const struct option_row *row)
{
    return *(char *const *)option_field(options, row);
}

void
option_print(FILE *out, const struct options *options,
             const struct option_row *row, const char *name)
{
    const void *field = option_field(options, row);
    const struct option_property *property;

    switch (row->type) {
    case OPTION_NUMBER:
        fprintf(out, "%" PRId64, *(const int64_t *)field);
        break;
    case OPTION_TEXT:
        fputs(option_text(options, row), out);
        break;
    case OPTION_CHOICE:
    case OPTION_CHOICES:
        print_choices(out, row, *(const int *)field);
        break;
    case OPTION_DELAYS:
        print_delays(out, field);
        break;
    case OPTION_PROPERTIES:
        property = option_property(options, row, name);
        fputs(property == NULL ? "" : property->value, out);
        break;
    }
}
