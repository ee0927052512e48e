/*
 * terms: opens the rules, and judges their text before.
 */
#include "terms.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* What the system refuses is not the text's fault. */
static bool
is_wrong(const void *opened)
{
    return opened == NULL && errno == EINVAL;
}

/* NULL with errno 0: there are none. */
static struct signature *
open_signature(const struct options *options, char why[TERMS_WHY_SIZE])
{
    errno = 0;
    return options->callbacks.secret[0] == '\0'
               ? NULL
               : signature_open(options->callbacks.secret, why);
}

int
terms_check(const struct options *options, char why[TERMS_WHY_SIZE])
{
    struct guard *guard = guard_open(options->callbacks.allow, why);
    struct signature *signature;
    bool wrong = is_wrong(guard);

    guard_close(guard);
    if (!wrong) {
        signature = open_signature(options, why);
        wrong = is_wrong(signature);
        signature_close(signature);
    }
    return wrong ? -1 : 0;
}

int
terms_init(struct terms *terms, const struct options *options)
{
    char why[TERMS_WHY_SIZE];
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
