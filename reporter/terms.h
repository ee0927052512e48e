/*
 * The terms on which receivers are called: what is said, how it is signed, and
 * which addresses are left alone. Made of the configuration, the same for all
 * callbacks.
 */
#ifndef TERMS_H
#define TERMS_H

#include "guard.h"
#include "message.h"
#include "option.h"
#include "signature.h"

struct terms {
    const struct options *options;
    struct message message;
    struct signature *signature; /* NULL: nothing is signed */
    struct guard *guard;
};

/* Judges callbacks.allow and callbacks.secret. A program_check. */
int terms_check(const struct options *options, option_complaint *complain,
                void *context);

/* options is borrowed. 0, or -1 where the system refuses (errno). */
int terms_init(struct terms *terms, const struct options *options);
void terms_fini(struct terms *terms);

#endif
