/*
 * program: the command line and the start of the log, as both programs have
 * them. What is wrong goes to stderr in plain lines: the log is not open yet.
 */
#define _GNU_SOURCE /* environ, SCHED_BATCH */
#include "cli.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { GO_ON = -1 };

struct command {
    const char *file; /* of -c; NULL: none was named */
    bool check;       /* -t */
    const char *key;  /* of -p; NULL: none was named */
};

static void
print_usage(FILE *out, const char *name)
{
    fprintf(out, "usage: %s [-c FILE] [-t] [-p KEY] [-h] [-V]\n", name);
}

static void
print_help(const struct program *program)
{
    print_usage(stdout, program->name);
    printf("%s\n\n"
           "  -c FILE  read this configuration, not $VERVE_CONF or %s\n"
           "  -t       check the configuration and exit\n"
           "  -p KEY   print what KEY (as redis.url) is set to and exit\n"
           "  -h       show this help and exit\n"
           "  -V       show the version and exit\n\n"
           "TERM finishes what was begun, then ends the program.\n\n"
           "Exit codes:\n"
           "  %-3d  done, or stopped by a signal as asked\n"
           "  %d  usage or configuration: starting again is vain\n"
           "  %d  the system refused: starting again may help\n\n",
           program->summary, OPTIONS_FILE, EXIT_OK, EXIT_USAGE, EXIT_SYSTEM);
    options_help(stdout);
}

static int
read_command(int argc, char **argv, const struct program *program,
             struct command *command)
{
    const char *name = program->name;
    int flag;

    while ((flag = getopt(argc, argv, "c:tp:hV")) != -1) {
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
        case 'h':
            print_help(program);
            return EXIT_OK;
        case 'V':
            printf("%s %s\n", name, VERVE_VERSION);
            return EXIT_OK;
        default: /* getopt has said what it is */
            print_usage(stderr, name);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument: %s\n", name, argv[optind]);
        print_usage(stderr, name);
        return EXIT_USAGE;
    }
    return GO_ON;
}

static void
print_complaint(void *context, const char *text)
{
    const char *name = context;

    fprintf(stderr, "%s: %s\n", name, text);
}

/* Fills *options and looks whether the program can go by them. */
static int
load(const struct program *program, const char *file, struct options *options)
{
    void *name = (void *)program->name;

    if (options_load(options, file, environ, print_complaint, name) != 0) {
        return -1;
    }
    if (program->check == NULL) {
        return 0;
    }
    return program->check(options, print_complaint, name);
}

/* What -p and -t ask for. Returns GO_ON where they do not, else the code. */
static int
answer(const struct command *command, const char *name, const char *file,
       const struct options *options)
{
    if (command->key != NULL) {
        if (options_print(stdout, options, command->key) != 0) {
            fprintf(stderr, "%s: %s: there is no such key\n", name,
                    command->key);
            return EXIT_USAGE;
        }
        return EXIT_OK;
    }
    if (command->check) {
        printf("%s: ok\n", file == NULL ? "defaults and environment" : file);
        return EXIT_OK;
    }
    return GO_ON;
}

int
program_start(int argc, char **argv, const struct program *program,
              struct options *options)
{
    struct command command = {0};
    const char *file;
    int code;

    memset(options, 0, sizeof(*options));
    code = read_command(argc, argv, program, &command);
    if (code != GO_ON) {
        return code;
    }
    file = options_file(command.file, environ);
    if (load(program, file, options) != 0) {
        return EXIT_USAGE;
    }
    code = answer(&command, program->name, file, options);
    if (code == GO_ON) {
        log_open(program->name, options->log.target, options->log.level);
    }
    return code;
}

void
program_give_way(void)
{
    struct sched_param param = {0};

    (void)sched_setscheduler(0, SCHED_BATCH, &param);
}
