/*
 * What the command lines of both programs have in common: -c FILE, -t, -p KEY,
 * -h, -V; the exit codes; and the start of the log. It never exits by itself.
 */
#ifndef CLI_H
#define CLI_H

#include "options.h"

/* The version of all of verve, as -V and the User-Agent show it. */
#define VERVE_VERSION "0.1.0"

enum program_exit {
    EXIT_OK = 0,       /* done, or stopped by a signal as asked */
    EXIT_USAGE = 100,  /* usage or configuration: starting again is vain */
    EXIT_SYSTEM = 111, /* the system refused: starting again may help */
};

/* Looks at what the table of options can't. 0, or -1 after a complaint. */
typedef int program_check(const struct options *options,
                          option_complaint *complain, void *context);

struct program {
    const char *name;
    const char *summary;  /* one line of what it is, for -h */
    program_check *check; /* NULL: the table of options says all */
};

/*
 * Reads the command line and the configuration into *options (freed by
 * options_fini either way) and opens the log. Returns -1 where the program
 * should go on, else the code that main should exit with, all having been said
 * on stdout or stderr.
 */
int program_start(int argc, char **argv, const struct program *program,
                  struct options *options);

/*
 * From now on this process, when it is woken, does not push others off the
 * processor but waits for its turn (SCHED_BATCH, sched(7)). Where that is
 * refused all goes on as before.
 */
void program_give_way(void);

#endif
