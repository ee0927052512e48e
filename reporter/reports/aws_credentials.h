/*
 * Credentials of AWS: the key that requests are signed with. Temporary
 * credentials have a session token, too, and expire. Pure: where they come from
 * is aws_source.h.
 * https://docs.aws.amazon.com/sdkref/latest/guide/creds-config-files.html
 */
#ifndef AWS_CREDENTIALS_H
#define AWS_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AWS_WHY_SIZE = 256 }; /* why something fails: never with a secret */

/* Zeroed: none. */
struct aws_credentials {
    char *access_key;    /* the key's id, which is sent */
    char *secret_key;    /* never sent */
    char *session_token; /* sent; "" unless the credentials are temporary */
    int64_t expires_s;   /* epoch second by AWS's clock; 0: they do not */
};

/* The parts of credentials as a source has them, each NULL or "" if it is
   missing, with the source's names for them. */
struct aws_parts {
    const char *access_key, *secret_key, *session_token;
    const char *expiration; /* a time as in RFC 3339; NULL: they do not */
    const char *access_key_name, *secret_key_name, *session_token_name;
};

/* Whether all of text is visible ASCII, so that a header can hold it. */
bool aws_is_visible(const char *text);

/* Copies the parts into *to, which is zeroed. 0, or -1 and why: a key is
   missing, a header cannot hold a part, the expiration is no time, or there is
   no memory. */
int aws_credentials_take(struct aws_credentials *to,
                         const struct aws_parts *parts, char why[AWS_WHY_SIZE]);

/*
 * The same for a JSON object with AccessKeyId, SecretAccessKey, Token and
 * Expiration, which container and instance answer with.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
 */
int aws_credentials_parse(struct aws_credentials *to, const char *json,
                          char why[AWS_WHY_SIZE]);

/* Whether key, secret and token are the same. Both may be zeroed. */
bool aws_credentials_equal(const struct aws_credentials *a,
                           const struct aws_credentials *b);

/* Overwrites and frees a text, which may be NULL. */
void aws_wipe(char *text);

/* Overwrites and frees all parts. */
void aws_credentials_fini(struct aws_credentials *credentials);

#endif
