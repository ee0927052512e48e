/*
 * The sources that credentials of AWS come from, one file each. A source takes
 * one step or several; between two steps its user sends an HTTP request for it.
 * So a source never waits for a network. The variables and their meaning are
 * those of the AWS SDKs:
 * https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
 */
#ifndef AWS_SOURCE_H
#define AWS_SOURCE_H

#include <stdbool.h>

#include "aws_credentials.h"

enum aws_source_result {
    AWS_SOURCE_FOUND, /* lookup.found has the credentials */
    AWS_SOURCE_NONE,  /* nothing is set up here, and why says what is not: the
                         next source is asked */
    AWS_SOURCE_BAD,   /* what is set up here is of no use, and why says so: no
                         other source is asked */
    AWS_SOURCE_ASK,   /* lookup.request is to be sent; the next step gets its
                         answer */
};

/* Its memory belongs to the lookup. */
struct aws_request {
    bool put;     /* PUT without a body */
    char *form;   /* the body of a POST; NULL: it is a GET, or put */
    char *url;    /* http or https */
    char *header; /* "Name: value"; NULL: none */
};

/* One pass through one source. Zeroed: not begun. */
struct aws_lookup {
    int step; /* counts the steps; the user adds 1 after each */
    struct aws_request request;
    long status;      /* of the answer: of HTTP */
    const char *body; /* of the answer; borrowed */
    char *pass;       /* what the instance lets its next requests pass with */
    struct aws_credentials found;
    char why[AWS_WHY_SIZE];
};

struct aws_source {
    const char *name; /* in messages */
    enum aws_source_result (*step)(struct aws_lookup *lookup);
};

/* In the order in which they are asked. */
extern const struct aws_source aws_environment;
extern const struct aws_source aws_web_identity;
extern const struct aws_source aws_profile;
extern const struct aws_source aws_container;
extern const struct aws_source aws_instance;

enum { AWS_SOURCES = 5 };

extern const struct aws_source *const aws_sources[AWS_SOURCES];

/* Frees what the lookup holds; it is zeroed after that. */
void aws_lookup_fini(struct aws_lookup *lookup);

/*
 * For sources: fills in the next request, in place of the last one, with a
 * format for its URL. header, which may be NULL, becomes the lookup's. Returns
 * AWS_SOURCE_ASK, or AWS_SOURCE_BAD: no memory.
 */
enum aws_source_result aws_lookup_ask(struct aws_lookup *lookup, bool put,
                                      char *header, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* For sources: writes why and returns result. */
enum aws_source_result aws_lookup_end(struct aws_lookup *lookup,
                                      enum aws_source_result result,
                                      const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For sources: the value of a variable of the environment; NULL if it is unset
   or empty. */
const char *aws_variable(const char *name);

/*
 * For sources: reads a regular file of at most AWS_FILE_MAX_BYTES as a text,
 * which the caller frees. NULL (errno): ENOTSUP if it is no regular file, such
 * as a FIFO, whose reader would wait.
 */
char *aws_file_read(const char *path);

enum { AWS_FILE_MAX_BYTES = 1 << 20 };

#endif
