/*
 * terms: opens the rules, and judges their text before.
 */
#include "terms.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The longest reason of both. */
enum { WHY_SIZE = GUARD_WHY_SIZE };

_Static_assert((int)WHY_SIZE >= (int)SIGNATURE_WHY_SIZE, "WHY_SIZE");

/* NULL with errno 0: there are none. */
static struct signature *
open_signature(const struct options *options, char why[WHY_SIZE])
{
    errno = 0;
    return options->callbacks.secret[0] == '\0'
               ? NULL
               : signature_open(options->callbacks.secret, why);
}

/* Complains of what could not be opened, unless that is the system's fault. */
static bool
is_right(const struct options *options, const void *opened, const char *why,
         option_complaint *complain, void *context)
{
    if (opened != NULL || errno != EINVAL) {
        return true;
    }
    options_complain(options, why, complain, context);
    return false;
}

int
terms_check(const struct options *options, option_complaint *complain,
            void *context)
{
    char why[WHY_SIZE];
    struct guard *guard = guard_open(options->callbacks.allow, why);
    bool guarded = is_right(options, guard, why, complain, context);
    struct signature *signature = open_signature(options, why);
    bool signable = is_right(options, signature, why, complain, context);

    signature_close(signature);
    guard_close(guard);
    return guarded && signable ? 0 : -1;
}

int
terms_init(struct terms *terms, const struct options *options)
{
    char why[WHY_SIZE];
    int reason;

    memset(terms, 0, sizeof(*terms));
    terms->options = options;
    terms->guard = guard_open(options->callbacks.allow, why);
    if (terms->guard != NULL) {
        terms->signature = open_signature(options, why);
        if ((terms->signature != NULL || errno == 0) &&
            message_init(&terms->message, options) == 0) {
            return 0;
        }
    }
    reason = errno;
    terms_fini(terms);
    errno = reason;
    return -1;
}

void
terms_fini(struct terms *terms)
{
    message_fini(&terms->message);
    signature_close(terms->signature);
    guard_close(terms->guard);
    memset(terms, 0, sizeof(*terms));
}
