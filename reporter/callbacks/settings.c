/*
 * terms: opens the rules, and judges their text before.
 */
#include "settings.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The longest reason of both. */
enum { WHY_SIZE = ADDRESS_POLICY_WHY_SIZE };

_Static_assert((int)WHY_SIZE >= (int)WEBHOOK_SIGNATURE_WHY_SIZE, "WHY_SIZE");

/* NULL with errno 0: there are none. */
static struct webhook_signature *
open_signature(const struct options *options, char why[WHY_SIZE])
{
    errno = 0;
    return options->callbacks.secret[0] == '\0'
               ? NULL
               : webhook_signature_open(options->callbacks.secret, why);
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
settings_check(const struct options *options, option_complaint *complain,
               void *context)
{
    char why[WHY_SIZE];
    struct address_policy *policy =
        address_policy_open(options->callbacks.allow, why);
    bool guarded = is_right(options, policy, why, complain, context);
    struct webhook_signature *signature = open_signature(options, why);
    bool signable = is_right(options, signature, why, complain, context);

    webhook_signature_close(signature);
    address_policy_close(policy);
    return guarded && signable ? 0 : -1;
}

int
settings_init(struct settings *settings, const struct options *options)
{
    char why[WHY_SIZE];
    int reason;

    memset(settings, 0, sizeof(*settings));
    settings->options = options;
    settings->policy = address_policy_open(options->callbacks.allow, why);
    settings->kept = kept_sockets_open();
    if (settings->policy != NULL && settings->kept != NULL) {
        settings->signature = open_signature(options, why);
        if ((settings->signature != NULL || errno == 0) &&
            payload_init(&settings->payload, options) == 0) {
            return 0;
        }
    }
    reason = errno;
    settings_fini(settings);
    errno = reason;
    return -1;
}

void
settings_fini(struct settings *settings)
{
    payload_fini(&settings->payload);
    webhook_signature_close(settings->signature);
    address_policy_close(settings->policy);
    kept_sockets_close(settings->kept);
    memset(settings, 0, sizeof(*settings));
}
