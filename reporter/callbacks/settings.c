/*
 * settings: opens what the settings consist of. settings_check opens them too,
 * for their error texts.
 */
#include "settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otlp_request.h"

/* Size of a buffer for the longest error text of all. */
enum { WHY_SIZE = ADDRESS_POLICY_WHY_SIZE };

_Static_assert((int)WHY_SIZE >= (int)WEBHOOK_SIGNATURE_WHY_SIZE, "WHY_SIZE");

/* NULL with errno 0: no callbacks.secret is set. */
static struct webhook_signature *
open_signature(const struct options *options, char why[WHY_SIZE])
{
    errno = 0;
    return options->callbacks.secret[0] == '\0'
               ? NULL
               : webhook_signature_open(options->callbacks.secret, why);
}

/* The name servers; NULL as of dns_servers_parse, but why names the key. */
static char *
read_resolvers(const struct options *options, char why[WHY_SIZE])
{
    char problem[DNS_SERVERS_WHY_SIZE];
    char *servers = dns_servers_parse(options->callbacks.resolvers, problem);

    if (servers == NULL) {
        snprintf(why, WHY_SIZE, "callbacks.resolvers: %s", problem);
    }
    return servers;
}

/* True if it was opened, or the system refused. Else reports why. */
static bool
is_valid(const struct options *options, const void *opened, const char *why,
         option_complaint *complain, void *context)
{
    if (opened != NULL || errno != EINVAL) {
        return true;
    }
    options_complain(options, why, complain, context);
    return false;
}

static struct tls_files
tls_files(const struct options *options)
{
    return (struct tls_files){.ca = options->callbacks.ca_file,
                              .cert = options->callbacks.client_cert,
                              .key = options->callbacks.client_key};
}

static bool
check_otlp(const struct options *options, option_complaint *complain,
           void *context)
{
    const char *endpoint = options->otlp.endpoint;
    const char *problem =
        endpoint[0] == '\0' ? NULL : otlp_request_problem(endpoint);
    char text[2 * WHY_SIZE];

    if (problem == NULL) {
        return true;
    }
    snprintf(text, sizeof(text), "otlp.endpoint: \"%.200s\" %s", endpoint,
             problem);
    options_complain(options, text, complain, context);
    return false;
}

int
settings_check(const struct options *options, option_complaint *complain,
               void *context)
{
    char why[WHY_SIZE];
    struct address_policy *policy =
        address_policy_open(options->callbacks.allow, why);
    bool policy_valid = is_valid(options, policy, why, complain, context);
    char *servers = read_resolvers(options, why);
    bool servers_valid = is_valid(options, servers, why, complain, context);
    struct webhook_signature *signature = open_signature(options, why);
    bool signature_valid = is_valid(options, signature, why, complain, context);
    struct tls_files files = tls_files(options);
    bool files_valid =
        options_check_tls(options, "callbacks", &files, complain, context) == 0;
    bool otlp_valid = check_otlp(options, complain, context);

    webhook_signature_close(signature);
    free(servers);
    address_policy_close(policy);
    return policy_valid && servers_valid && signature_valid && files_valid &&
                   otlp_valid
               ? 0
               : -1;
}

int
settings_init(struct settings *settings, const struct options *options)
{
    char why[WHY_SIZE];
    int reason;

    memset(settings, 0, sizeof(*settings));
    settings->options = options;
    settings->tls = tls_files(options);
    settings->policy = address_policy_open(options->callbacks.allow, why);
    settings->kept = kept_sockets_open();
    settings->resolvers = read_resolvers(options, why);
    settings->trust =
        settings->tls.ca[0] == '\0' ? NULL : tls_trust_open(settings->tls.ca);
    settings->blocks = blocklist_open(options);
    if (settings->policy != NULL && settings->kept != NULL &&
        settings->resolvers != NULL && settings->blocks != NULL &&
        (settings->trust != NULL || settings->tls.ca[0] == '\0')) {
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
    free(settings->resolvers);
    tls_trust_close(settings->trust);
    blocklist_close(settings->blocks);
    memset(settings, 0, sizeof(*settings));
}
