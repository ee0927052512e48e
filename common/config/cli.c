/*
 * cli: the command line and the start of the log. Errors go to stderr without
 * a time, because the log is not open yet.
 */
#define _GNU_SOURCE /* environ */
#include "cli.h"

#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "base/version.h"

enum {
    CONTINUE = -1,
    CALL = 256, /* --call has no letter */
};

struct command {
    const char *file; /* argument of -c, or NULL */
    bool check;       /* -t */
    const char *key;  /* argument of -p, or NULL */
    const char *call; /* argument of --call, or NULL */
};

static void
print_usage(FILE *out, const struct cli_program *program)
{
    fprintf(out, "usage: %s [-c FILE] [-t] [-p KEY]%s [-h] [-V]\n",
            program->name, program->call_url == NULL ? "" : " [--call URL]");
}

static int
refuse_usage(const struct cli_program *program)
{
    print_usage(stderr, program);
    return EXIT_USAGE;
}

static void
print_help(const struct cli_program *program)
{
    print_usage(stdout, program);
    printf(
        "%s\n\n"
        "  -c FILE        read this configuration, not $VERVE_CONF or %s\n"
        "  -t             check the configuration and exit\n"
        "  -p KEY         print the value of KEY (for example redis.url) and "
        "exit\n"
        "%s"
        "  -h, --help     show this help and exit\n"
        "  -V, --version  show the version and exit\n\n"
        "TERM finishes the work in progress, then ends the program.\n\n"
        "Exit codes:\n"
        "  %-3d  done, or stopped by a signal\n"
        "%s"
        "  %d  wrong usage or configuration: a restart cannot help\n"
        "  %d  the system refused: a restart may help\n\n",
        program->summary, OPTIONS_FILE,
        program->call_url == NULL ? ""
                                  : "  --call URL     send one test callback, "
                                    "and show what came back\n",
        EXIT_OK,
        program->call_url == NULL
            ? ""
            : "  1    of --call: there was no answer 2xx\n",
        EXIT_USAGE, EXIT_SYSTEM);
    options_help(stdout);
}

static int
read_command(int argc, char **argv, const struct cli_program *program,
             struct command *command)
{
    static const struct option long_names[] = {
        {"call", required_argument, NULL, CALL},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    const struct option *own_names = long_names + (program->call_url == NULL);
    int flag;

    while ((flag = getopt_long(argc, argv, "c:tp:hV", own_names, NULL)) != -1) {
        switch (flag) {
        case 'c':
            command->file = optarg;
            break;
        case 't':
            command->check = true;
            break;
        case 'p':
            command->key = optarg;
            break;
        case CALL:
            command->call = optarg;
            break;
        case 'h':
            print_help(program);
            return EXIT_OK;
        case 'V':
            printf("%s %s\n", program->name, VERVE_VERSION);
            return EXIT_OK;
        default: /* getopt_long has printed the reason */
            return refuse_usage(program);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument: %s\n", program->name,
                argv[optind]);
        return refuse_usage(program);
    }
    return CONTINUE;
}

/* An option_complaint. */
static void
print_complaint(void *context, const char *text)
{
    const struct cli_program *program = context;

    fprintf(stderr, "%s: %s\n", program->name, text);
}

/* An option_complaint: for -t. */
static void
print_warning(void *context, const char *text)
{
    const struct cli_program *program = context;

    fprintf(stderr, "%s: warning: %s\n", program->name, text);
}

/* An option_complaint: for the start. */
static void
log_warning(void *context, const char *text)
{
    (void)context;
    log_warn("%s", text);
}

/* Answers -p, which uses no file but that of its key. */
static int
print_key(const struct cli_program *program, struct options *options,
          const char *key)
{
    if (options_read_secret(options, key, print_complaint, (void *)program) !=
        0) {
        return EXIT_USAGE;
    }
    if (program->print != NULL && program->print(stdout, options, key)) {
        putchar('\n');
    } else if (options_print(stdout, options, key) != 0) {
        fprintf(stderr, "%s: %s: there is no such key\n", program->name, key);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

/* Checks what the program uses. Returns CONTINUE, or the exit code. */
static int
check_use(const struct cli_program *program, option_file_use *uses,
          struct options *options)
{
    void *context = (void *)program;
    int files = options_check_files(options, uses, print_complaint, context);
    int rest = program->check == NULL
                   ? 0
                   : program->check(options, print_complaint, context);

    return files == 0 && rest == 0 ? CONTINUE : EXIT_USAGE;
}

int
cli_start(int argc, char **argv, const struct cli_program *program,
          struct options *options)
{
    struct command command = {0};
    void *context = (void *)program;
    option_file_use *uses;
    bool by_hand;
    int code;

    fill_standard_fds();
    memset(options, 0, sizeof(*options));
    code = read_command(argc, argv, program, &command);
    if (code != CONTINUE) {
        return code;
    }
    if (options_load(options, options_file(command.file), environ,
                     print_complaint, context) != 0) {
        return EXIT_USAGE;
    }
    if (command.key != NULL) {
        return print_key(program, options, command.key);
    }
    uses = command.call != NULL ? program->call_uses : program->uses;
    by_hand = command.check || command.call != NULL;
    if (!by_hand) {
        options_open_log(options, program->name);
    }
    options_warn(options, uses, environ, by_hand ? print_warning : log_warning,
                 context);
    code = check_use(program, uses, options);
    if (code == CONTINUE && command.check) {
        printf("%s: ok\n", options->file_name == NULL
                               ? "defaults and environment"
                               : options->file_name);
        code = EXIT_OK;
    }
    if (program->call_url != NULL) {
        *program->call_url = command.call;
    }
    return code;
}
