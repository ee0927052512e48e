/*
 * The command line of both programs: -c FILE, -t, -p KEY, -h, -V, and --help
 * and --version for the last two; --call URL of one of them; the exit codes;
 * the start of the log. Only main exits.
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "options.h"

enum exit_code {
    EXIT_OK = 0,       /* done, or stopped by a signal */
    EXIT_NO = 1,       /* of --call: not delivered */
    EXIT_USAGE = 100,  /* wrong usage or configuration: a restart cannot help */
    EXIT_SYSTEM = 111, /* the system refused: a restart may help */
};

/*
 * Checks what the table of options cannot check. Returns 0, or -1 after a
 * complaint.
 */
typedef int cli_check(const struct options *options, option_complaint *complain,
                      void *context);

/* Prints what -p is asked for beyond the keys of the table, without a newline
   at the end. False: there is no such key. */
typedef bool cli_print(FILE *out, const struct options *options,
                       const char *key);

struct cli_program {
    const char *name;
    const char *summary;   /* one line, for -h */
    option_file_use *uses; /* the files that it uses */
    cli_check *check;      /* NULL: no further check */
    const char **call_url; /* set by --call URL; NULL: there is no --call */
    option_file_use *call_uses; /* the files that --call uses */
    cli_print *print;           /* NULL: -p knows only the keys of the table */
};

/*
 * Reads the command line and the configuration into *options (in every case
 * freed by options_fini) and opens the log, but not for --call, which is for a
 * terminal. Returns -1 if the program should
 * continue, else main's exit code; then stdout or stderr has the answer or the
 * errors already.
 */
int cli_start(int argc, char **argv, const struct cli_program *program,
              struct options *options);

#endif
