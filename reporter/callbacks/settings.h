/*
 * The terms on which receivers are called: what is said, how it is signed, and
 * which addresses are left alone. Made of the configuration, the same for all
 * callbacks.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "config/options.h"
#include "payload.h"
#include "ssrf/address_policy.h"
#include "webhook_signature.h"

struct settings {
    const struct options *options;
    struct payload payload;
    struct webhook_signature *signature; /* NULL: nothing is signed */
    struct address_policy *policy;
};

/* Judges callbacks.allow and callbacks.secret. A cli_check. */
int settings_check(const struct options *options, option_complaint *complain,
                   void *context);

/* options is borrowed. 0, or -1 where the system refuses (errno). */
int settings_init(struct settings *settings, const struct options *options);
void settings_fini(struct settings *settings);

#endif
