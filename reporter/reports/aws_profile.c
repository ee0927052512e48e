/*
 * aws_profile: credentials in the shared credentials file of AWS's tools, in
 * the section of a profile. Only keys that are written there count: no
 * credential_process, role_arn or SSO.
 * https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
 */
#define _GNU_SOURCE /* asprintf */
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws_source.h"

#define FILE_VARIABLE "AWS_SHARED_CREDENTIALS_FILE"
#define PROFILE_VARIABLE "AWS_PROFILE"

enum {
    LINE_MAX_BYTES = 8192,
    NAME_MAX_BYTES = 49, /* of a profile: libinih cuts a longer name */
};

struct reader {
    const char *profile;
    const char *next; /* what libinih has not read yet */
    bool no_memory;
    char *values[3]; /* in the order of names */
};

static const char *const names[] = {
    "aws_access_key_id", "aws_secret_access_key", "aws_session_token"};

/* An ini_reader, as fgets. */
static char *
read_line(char *buffer, int size, void *context)
{
    struct reader *reader = context;
    size_t len = strcspn(reader->next, "\n");

    if (reader->next[0] == '\0') {
        return NULL;
    }
    snprintf(buffer, (size_t)size, "%.*s", (int)len, reader->next);
    reader->next += reader->next[len] == '\n' ? len + 1 : len;
    return buffer;
}

/* Whether a section's head names the profile; it may have blanks inside. */
static bool
is_profile(const char *section, const char *profile)
{
    size_t len = strlen(profile);

    section += strspn(section, " \t");
    return strncmp(section, profile, len) == 0 &&
           section[len + strspn(section + len, " \t")] == '\0';
}

/* An ini_handler. A key that comes twice has its last value. A comment may
   follow a value, after a blank. */
static int
take_entry(void *context, const char *section, const char *key,
           const char *value)
{
    struct reader *reader = context;

    if (!is_profile(section, reader->profile)) {
        return 1;
    }
    for (size_t i = 0; value != NULL && i < sizeof(names) / sizeof(*names);
         i++) {
        const char *comment = strpbrk(value, " \t");
        size_t len =
            comment == NULL ? strlen(value) : (size_t)(comment - value);

        if (strcasecmp(key, names[i]) == 0) {
            free(reader->values[i]);
            reader->values[i] = strndup(value, len);
            reader->no_memory |= reader->values[i] == NULL;
        }
    }
    return 1;
}

static void
fini_reader(struct reader *reader)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        aws_wipe(reader->values[i]);
    }
}

static enum aws_source_result
take_values(struct aws_lookup *lookup, const struct reader *reader,
            const char *path, bool chosen)
{
    const struct aws_parts parts = {
        .access_key = reader->values[0],
        .secret_key = reader->values[1],
        .session_token = reader->values[2],
        .access_key_name = names[0],
        .secret_key_name = names[1],
        .session_token_name = names[2],
    };
    char why[AWS_WHY_SIZE];

    if (reader->no_memory) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD, "no memory");
    }
    if (parts.access_key == NULL && parts.secret_key == NULL) {
        return aws_lookup_end(lookup, chosen ? AWS_SOURCE_BAD : AWS_SOURCE_NONE,
                              "%.128s has no keys in profile \"%s\"", path,
                              reader->profile);
    }
    if (aws_credentials_take(&lookup->found, &parts, why) < 0) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD,
                              "%.128s, profile \"%s\": %.64s", path,
                              reader->profile, why);
    }
    return AWS_SOURCE_FOUND;
}

static enum aws_source_result
read_text(struct aws_lookup *lookup, const char *text, const char *path)
{
    const char *profile = aws_variable(PROFILE_VARIABLE);
    struct reader reader = {.profile = profile == NULL ? "default" : profile,
                            .next = text};
    enum aws_source_result result;

    if (strlen(reader.profile) > NAME_MAX_BYTES) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD,
                              PROFILE_VARIABLE " is longer than %d bytes",
                              NAME_MAX_BYTES);
    }
    ini_max_line = LINE_MAX_BYTES;
    ini_use_stack = true;
    ini_allow_inline_comments = false;
    ini_allow_multiline = false;
    ini_allow_no_value = true;
    ini_parse_stream(read_line, &reader, take_entry, &reader);
    result = take_values(lookup, &reader, path, profile != NULL);
    fini_reader(&reader);
    return result;
}

/* The name of the file, which the caller frees. NULL: no memory. */
static char *
name_file(void)
{
    const char *name = aws_variable(FILE_VARIABLE);
    const char *home = aws_variable("HOME");
    char *path;

    if (name != NULL) {
        return strdup(name);
    }
    return asprintf(&path, "%s/.aws/credentials", home == NULL ? "" : home) < 0
               ? NULL
               : path;
}

/*
 * As AWS's tools do, passes over a file that is not there; a device, such as
 * /dev/null, is none. So is a home that a service may not look into.
 */
static bool
is_absent(int reason)
{
    return reason == ENOENT || reason == ENOTDIR || reason == ENOTSUP ||
           (reason == EACCES && aws_variable(FILE_VARIABLE) == NULL);
}

static enum aws_source_result
step(struct aws_lookup *lookup)
{
    char *path = name_file();
    char *text = path == NULL ? NULL : aws_file_read(path);
    int reason = errno;
    enum aws_source_result result;

    if (path == NULL) {
        return aws_lookup_end(lookup, AWS_SOURCE_BAD, "no memory");
    }
    if (text == NULL) {
        result = aws_lookup_end(
            lookup, is_absent(reason) ? AWS_SOURCE_NONE : AWS_SOURCE_BAD,
            "%.128s: %s", path,
            reason == ENOTSUP ? "no regular file" : strerror(reason));
    } else {
        result = read_text(lookup, text, path);
    }
    aws_wipe(text);
    free(path);
    return result;
}

const struct aws_source aws_profile = {.name = "credentials file",
                                       .step = step};
