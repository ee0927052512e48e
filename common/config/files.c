/*
 * files: the files that keys name, and the warnings. The table says of which
 * kind a file is, the program which it uses.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "log_path.h"
#include "options.h"
#include "secret.h"
#include "table.h"
#include "value.h"
#include "variable.h"

enum { TEXT_SIZE = LOG_PATH_WHY_SIZE + OPTION_NAME_SIZE + sizeof(": ") };

static bool
is_written(const struct option_row *row)
{
    return row->file == OPTION_FILE_LOG || row->file == OPTION_FILE_REPORT;
}

static int
check_written(const struct options *options, option_file_use *uses,
              option_complaint *complain, void *context)
{
    int result = 0;

    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        char key[OPTION_NAME_SIZE];
        char why[LOG_PATH_WHY_SIZE];
        char text[TEXT_SIZE];

        snprintf(key, sizeof(key), "%s.%s", row->section, row->key);
        if (!is_written(row) || !uses(options, key) ||
            option_text(options, row)[0] != '/') { /* a word: table.h */
            continue;
        }
        if (log_path_check(option_text(options, row),
                           row->file == OPTION_FILE_REPORT, why) != 0) {
            snprintf(text, sizeof(text), "%s: %s", key, why);
            options_complain(options, text, complain, context);
            result = -1;
        }
    }
    return result;
}

static int
read_secrets(struct options *options, option_file_use *uses,
             option_complaint *complain, void *context)
{
    struct secret_cursor at = {0};
    struct secret secret;
    int result = 0;

    while (secret_next(options, &at, &secret)) {
        if (uses(options, secret.file_key) &&
            secret_read(options, &secret, complain, context) != 0) {
            result = -1;
        }
    }
    return result;
}

int
options_check_tls(const struct options *options, const char *section,
                  const struct tls_files *files, option_complaint *complain,
                  void *context)
{
    static const char *const keys[] = {
        [TLS_FILES_CA] = "ca_file",
        [TLS_FILES_CERT] = "client_cert",
        [TLS_FILES_KEY] = "client_key",
    };
    char text[TEXT_SIZE];
    const char *why;
    enum tls_files_state state = tls_files_check(files, &why);

    if (state == TLS_FILES_OK) {
        return 0;
    }
    snprintf(text, sizeof(text), "%s.%s: cannot be used: %s", section,
             keys[state], why);
    options_complain(options, text, complain, context);
    return -1;
}

static int
check_redis_tls(const struct options *options, option_file_use *uses,
                option_complaint *complain, void *context)
{
    const struct tls_files files = {.ca = options->redis.ca_file,
                                    .cert = options->redis.client_cert,
                                    .key = options->redis.client_key};

    return uses(options, "redis.ca_file")
               ? options_check_tls(options, "redis", &files, complain, context)
               : 0;
}

int
options_check_files(struct options *options, option_file_use *uses,
                    option_complaint *complain, void *context)
{
    int secrets_result = read_secrets(options, uses, complain, context);
    int written_result = check_written(options, uses, complain, context);
    int tls_result = check_redis_tls(options, uses, complain, context);

    return secrets_result == 0 && written_result == 0 && tls_result == 0 ? 0
                                                                         : -1;
}

static bool
others_may_read(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
           (status.st_mode & S_IROTH) != 0;
}

/* Of what a warning needs. */
struct warner {
    const struct options *options;
    option_complaint *warn;
    void *context;
};

static void
warn_of_file(const struct warner *warner)
{
    const char *file = warner->options->file_name;
    char key[OPTION_NAME_SIZE];
    char text[TEXT_SIZE];

    if (file != NULL && others_may_read(file) &&
        secret_in_file(warner->options, key)) {
        snprintf(text, sizeof(text),
                 "%s: every user can read it, and it has a secret, %s: take "
                 "that right away (chmod o-r)",
                 file, key);
        warner->warn(warner->context, text);
    }
}

static void
warn_of_secrets(const struct warner *warner, option_file_use *uses)
{
    struct secret_cursor at = {0};
    struct secret secret;

    while (secret_next(warner->options, &at, &secret)) {
        char text[TEXT_SIZE];

        if (uses(warner->options, secret.file_key) &&
            others_may_read(secret.path)) {
            snprintf(text, sizeof(text),
                     "%s: every user can read \"%.1024s\": take that right "
                     "away (chmod o-r)",
                     secret.file_key, secret.path);
            options_complain(warner->options, text, warner->warn,
                             warner->context);
        }
    }
}

static void
warn_of_variable(const struct warner *warner, const char *variable)
{
    char nearest[OPTION_NAME_SIZE];
    char text[TEXT_SIZE];

    if (!variable_is_unknown(variable)) {
        return;
    }
    if (variable_nearest(nearest, variable)) {
        snprintf(text, sizeof(text), "%s: it sets no key; is it %s?", variable,
                 nearest);
    } else {
        snprintf(text, sizeof(text), "%s: it sets no key", variable);
    }
    warner->warn(warner->context, text);
}

void
options_warn(const struct options *options, option_file_use *uses,
             char *const *environment, option_complaint *warn, void *context)
{
    const struct warner warner = {
        .options = options, .warn = warn, .context = context};

    for (; *environment != NULL; environment++) {
        char variable[OPTION_NAME_SIZE];

        if (variable_copy(variable, *environment) != NULL) {
            warn_of_variable(&warner, variable);
        }
    }
    warn_of_file(&warner);
    warn_of_secrets(&warner, uses);
}
