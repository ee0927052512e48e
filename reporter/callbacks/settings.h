/*
 * The terms on which receivers are called: what is said, how it is signed,
 * which addresses are left alone, and which connections are used again. Made of
 * the configuration, the same for all callbacks.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "config/options.h"
#include "net/kept_sockets.h"
#include "payload.h"
#include "ssrf/address_policy.h"
#include "webhook_signature.h"

struct settings {
    const struct options *options;
    struct payload payload;
    struct webhook_signature *signature; /* NULL: nothing is signed */
    struct address_policy *policy;
    struct kept_sockets *kept; /* their connections */
};

/* Judges callbacks.allow and callbacks.secret. A cli_check. */
int settings_check(const struct options *options, option_complaint *complain,
                   void *context);

/* options is borrowed. 0, or -1 where the system refuses (errno). */
int settings_init(struct settings *settings, const struct options *options);
void settings_fini(struct settings *settings);

#endif
