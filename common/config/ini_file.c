/*
 * option_file: the lines of a configuration file. libinih tells keys from
 * values; what it silently forgives (overlong lines, heads of sections with
 * something behind them) is caught in the reader that hands it the lines. A
 * line with an error is handed over as an empty one.
 */
#include "ini_file.h"

#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

enum { PROBLEM_SIZE = 256 };

struct reader {
    const struct ini_file_events *events;
    FILE *stream;
    char *text; /* of the line, getline's */
    size_t size;
    int line;    /* number of the line that libinih has */
    bool astray; /* behind the head of a section that is not one */
};

static void
complain(const struct reader *reader, const char *text)
{
    reader->events->problem(reader->events->context, reader->line, text);
}

static void
unknown_section(const struct reader *reader, const char *name)
{
    const char *near = option_nearest_section(name);
    char text[PROBLEM_SIZE];

    if (near == NULL) {
        snprintf(text, sizeof(text), "there is no section [%.64s]", name);
    } else {
        snprintf(text, sizeof(text), "there is no section [%.64s]; is it [%s]?",
                 name, near);
    }
    complain(reader, text);
}

/* Judges a line that begins with a bracket; false where it is no good. */
static bool
check_head(const struct reader *reader, char *head)
{
    char *end = strchr(head, ']');
    bool known;

    if (end == NULL || end[1 + strspn(end + 1, " \t\r\n")] != '\0') {
        complain(reader, "the head of a section is [name], nothing more");
        return false;
    }
    *end = '\0';
    known = option_section_exists(head + 1);
    if (!known) {
        unknown_section(reader, head + 1);
    }
    *end = ']';
    return known;
}

/* False where libinih must not see the line; says why. */
static bool
check_line(struct reader *reader, size_t len)
{
    char *start = reader->text + strspn(reader->text, " \t");

    if (strlen(reader->text) != len) {
        complain(reader, "the line has a NUL byte");
        return false;
    }
    while (len > 0 && strchr("\r\n", reader->text[len - 1]) != NULL) {
        len--;
    }
    if (len > INI_FILE_LINE_MAX) {
        complain(reader, "the line is longer than 8192 bytes");
        return false;
    }
    if (*start == '[') {
        reader->astray = !check_head(reader, start);
        return !reader->astray;
    }
    return true;
}

/* An ini_reader: the next line, as fgets would give it. */
static char *
read_line(char *buffer, int size, void *context)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* some editors' first bytes */
    struct reader *reader = context;
    ssize_t len = getline(&reader->text, &reader->size, reader->stream);

    if (len < 0) {
        return NULL;
    }
    reader->line++;
    if (reader->line == 1 && strncmp(reader->text, mark, 3) == 0) {
        len -= 3;
        memmove(reader->text, reader->text + 3, (size_t)len + 1);
    }
    snprintf(buffer, (size_t)size, "%s",
             check_line(reader, (size_t)len) ? reader->text : "\n");
    return buffer;
}

/* An ini_handler. */
static int
take_entry(void *context, const char *section, const char *key,
           const char *value)
{
    const struct reader *reader = context;
    char text[PROBLEM_SIZE];

    if (reader->astray) {
        return 1;
    }
    if (value == NULL) {
        /* Not shown: it may be half of a password. */
        complain(reader, "the line is not key = value");
    } else if (section[0] == '\0') {
        snprintf(text, sizeof(text),
                 "\"%.64s\" stands before the first [section]", key);
        complain(reader, text);
    } else {
        reader->events->entry(reader->events->context, reader->line, section,
                              key, value);
    }
    return 1;
}

static void
parse(struct reader *reader)
{
    /* Its own defaults cut lines at 200 bytes and values at " ;". */
    ini_max_line = INI_FILE_LINE_MAX + sizeof("\r\n");
    ini_use_stack = true;
    ini_allow_inline_comments = false;
    ini_allow_multiline = false;
    ini_allow_no_value = true; /* so that take_entry hears of such lines */
    ini_parse_stream(read_line, reader, take_entry, reader);
}

void
ini_file_read(const char *path, const struct ini_file_events *events)
{
    struct reader reader = {.events = events};

    reader.stream = fopen(path, "re");
    if (reader.stream != NULL) {
        parse(&reader);
    }
    if (reader.stream == NULL || ferror(reader.stream)) {
        char text[PROBLEM_SIZE];

        snprintf(text, sizeof(text), "can't be read: %s", strerror(errno));
        events->problem(events->context, 0, text);
    }
    if (reader.stream != NULL) {
        fclose(reader.stream);
    }
    free(reader.text);
}
