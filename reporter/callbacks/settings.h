/*
 * The settings that all callbacks share, made of the configuration: payload,
 * signature, the addresses and hosts that may be called, name servers, and the
 * kept connections.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "blocklist.h"
#include "config/options.h"
#include "net/dns_servers.h"
#include "net/kept_sockets.h"
#include "net/tls.h"
#include "payload.h"
#include "ssrf/address_policy.h"
#include "webhook_signature.h"

struct settings {
    const struct options *options;
    struct payload payload;
    struct webhook_signature *signature; /* NULL: no callbacks.secret */
    struct address_policy *policy;
    struct kept_sockets *kept; /* kept connections */
    char *resolvers;           /* callbacks.resolvers, of dns_servers_parse */
    struct tls_files tls;      /* borrowed from options */
    struct tls_trust *trust;   /* NULL: no callbacks.ca_file */
    struct blocklist *blocks;
};

/* Checks the values that options.c can't: addresses, secrets, files. A
   cli_check. */
int settings_check(const struct options *options, option_complaint *complain,
                   void *context);

/* options is borrowed. 0, or -1 if the system refuses (errno). */
int settings_init(struct settings *settings, const struct options *options);
void settings_fini(struct settings *settings);

#endif
