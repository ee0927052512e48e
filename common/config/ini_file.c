/*
 * ini_file: the lines of a configuration file. libinih separates keys and
 * values. Errors that it silently tolerates (lines that are too long, text
 * after a [section]) are found before, as each line is read. libinih gets an
 * empty line in place of a line with an error.
 */
#include "ini_file.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/regular_file.h"
#include "base/util.h"
#include "table.h"

enum {
    LINE_MAX_BYTES = 8192, /* of a line, without its end */
    PROBLEM_SIZE = 256,
};

struct reader {
    ini_file_entry *entry;
    ini_file_problem *problem;
    void *context;
    FILE *stream;
    char *text; /* the line; getline(3) allocates it */
    size_t size;
    int line;      /* number of the line that libinih has */
    bool skipping; /* the last [section] was wrong */
};

static void __attribute__((format(printf, 2, 3)))
report(const struct reader *reader, const char *format, ...)
{
    char text[PROBLEM_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    reader->problem(reader->context, reader->line, text);
}

/* Checks a line "[section]"; returns false after a problem. */
static bool
check_section(const struct reader *reader, const char *line)
{
    size_t len = strcspn(line + 1, "]");
    const char *rest = line + 1 + len;
    char name[OPTION_NAME_SIZE];
    const char *near;

    if (*rest == '\0' || rest[1 + strspn(rest + 1, " \t\r\n")] != '\0') {
        report(reader, "the head of a section is [name], nothing more");
        return false;
    }
    snprintf(name, sizeof(name), "%.*s", (int)len, line + 1);
    if (option_section_exists(name)) {
        return true;
    }
    near = option_nearest_section(name);
    if (near == NULL) {
        report(reader, "there is no section [%.64s]", name);
    } else {
        report(reader, "there is no section [%.64s]; is it [%s]?", name, near);
    }
    return false;
}

/* Returns false if libinih must not see the line, after a problem. */
static bool
check_line(struct reader *reader, const char *text, size_t len)
{
    const char *start = text + strspn(text, " \t");

    if (strlen(text) != len) {
        report(reader, "the line has a NUL byte");
        return false;
    }
    while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == '\n')) {
        len--;
    }
    if (len > LINE_MAX_BYTES) {
        report(reader, "the line is longer than %d bytes", LINE_MAX_BYTES);
        return false;
    }
    if (*start == '[') {
        reader->skipping = !check_section(reader, start);
        return !reader->skipping;
    }
    return true;
}

/* An ini_reader: the next line, as fgets would return it. */
static char *
read_line(char *buffer, int size, void *context)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF"; /* some editors' */
    struct reader *reader = context;
    ssize_t len = getline(&reader->text, &reader->size, reader->stream);
    const char *text = reader->text;

    if (len < 0) {
        return NULL;
    }
    reader->line++;
    if (reader->line == 1 && starts_with(text, byte_order_mark)) {
        text += strlen(byte_order_mark);
        len -= (ssize_t)strlen(byte_order_mark);
    }
    snprintf(buffer, (size_t)size, "%s",
             check_line(reader, text, (size_t)len) ? text : "\n");
    return buffer;
}

/* An ini_handler. */
static int
take_entry(void *context, const char *section, const char *key,
           const char *value)
{
    const struct reader *reader = context;

    if (reader->skipping) {
        return 1;
    }
    if (value == NULL) {
        /* The text is not shown: it may be half of a password. */
        report(reader, "the line is not key = value");
    } else if (section[0] == '\0') {
        report(reader,
               "\"%.64s\" stands before the first [section]; write the section "
               "above it: redis.url is \"url\" below \"[redis]\"",
               key);
    } else {
        reader->entry(reader->context, reader->line, section, key, value);
    }
    return 1;
}

/* Opens path for reading; NULL, with the reason in *why. */
static FILE *
open_stream(const char *path, const char **why)
{
    int fd = regular_file_open(path, why);
    FILE *stream = fd < 0 ? NULL : fdopen(fd, "r");

    if (fd >= 0 && stream == NULL) {
        *why = strerror(errno);
        close(fd);
    }
    return stream;
}

const char *
ini_file_read(const char *path, ini_file_entry *entry,
              ini_file_problem *problem, void *context)
{
    struct reader reader = {
        .entry = entry, .problem = problem, .context = context};
    const char *why = NULL;

    reader.stream = open_stream(path, &why);
    if (reader.stream == NULL) {
        return why;
    }
    /* By default libinih cuts lines at 200 bytes and values at " ;". */
    ini_max_line = LINE_MAX_BYTES + sizeof("\r\n");
    ini_use_stack = true;
    ini_allow_inline_comments = false;
    ini_allow_multiline = false;
    ini_allow_no_value = true; /* take_entry reports such lines */
    ini_parse_stream(read_line, &reader, take_entry, &reader);
    if (ferror(reader.stream)) {
        why = strerror(errno);
    }
    free(reader.text);
    fclose(reader.stream);
    return why;
}
