/*
 * attempt: all that we ask of libcurl, in one place. The headers and the body
 * are the attempt's own, as libcurl borrows them until the end of a transfer:
 * preparing one takes memory for its URL and its addresses only.
 */
#define _GNU_SOURCE /* asprintf */
#include "attempt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "envelope.h"
#include "program.h"
#include "receipt.h"

struct attempt {
    CURL *easy;
    const struct terms *terms;
    struct envelope *envelope;
    struct job *job; /* NULL: idle */
    struct destination_ticket ticket;
    struct names_wait wait;
    struct message_target target;
    struct curl_slist resolved; /* what libcurl need not look up; data: ours */
    int64_t started_ms;         /* monotonic */
    struct receipt receipt;
    int starved;                  /* errno: there was no socket; 0: there was */
    bool permitted;               /* by the guard: some address of it */
    char refusal[GUARD_WHY_SIZE]; /* why the last one was not; "": it was */
    char body[];                  /* message_body_size bytes */
};

/* Returning less than was given ends the transfer. */
static size_t
take_head(char *bytes, size_t size, size_t count, void *context)
{
    struct attempt *attempt = context;
    size_t len = size * count;

    return receipt_head(&attempt->receipt, bytes, len) ? len : 0;
}

static size_t
take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct attempt *attempt = context;
    size_t len = size * count;

    (void)bytes;
    return receipt_body(&attempt->receipt, len) ? len : 0;
}

/* True for an error that is our own want: no receiver is to blame. */
static bool
is_want(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM || error == EADDRNOTAVAIL;
}

/*
 * Called before each connect with the very address. As libcurl would open it,
 * but close-on-exec. A refusal looks like a refused connection to libcurl,
 * which goes on with the next address.
 */
static curl_socket_t
open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct attempt *attempt = context;
    int fd;

    (void)purpose;
    if (!guard_check(attempt->terms->guard, &address->addr, attempt->refusal)) {
        return CURL_SOCKET_BAD;
    }
    attempt->permitted = true;
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
                address->protocol);
    attempt->starved = fd < 0 && is_want(errno) ? errno : 0;
    return fd;
}

/* The address that libcurl shows as text; false where it can't be read. */
static bool
read_address(const char *text, int port, struct sockaddr_storage *address)
{
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;

    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        return true;
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    return inet_pton(AF_INET6, text, &six->sin6_addr) == 1;
}

/* Called before each request: also on a connection that is used again. */
static int
before_request(void *context, char *address, char *own_address, int port,
               int own_port)
{
    struct attempt *attempt = context;
    struct sockaddr_storage peer;

    (void)own_address;
    (void)own_port;
    if (read_address(address, port, &peer) &&
        guard_check(attempt->terms->guard, (struct sockaddr *)&peer,
                    attempt->refusal)) {
        attempt->permitted = true;
        return CURL_PREREQFUNC_OK;
    }
    attempt->permitted = false;
    return CURL_PREREQFUNC_ABORT;
}

/*
 * libcurl asks here before it looks a host up by itself, in a thread of its
 * own: only an address, which needs none, comes this far. Not 0: refused.
 */
static int
before_lookup(void *state, void *reserved, void *context)
{
    const struct attempt *attempt = context;

    (void)state;
    (void)reserved;
    return attempt->target.name != NULL;
}

static bool
set_long(const struct attempt *attempt, CURLoption option, int64_t value)
{
    return curl_easy_setopt(attempt->easy, option, (long)value) == CURLE_OK;
}

static bool
set_text(const struct attempt *attempt, CURLoption option, const char *value)
{
    return curl_easy_setopt(attempt->easy, option, value) == CURLE_OK;
}

static bool
set_pointer(const struct attempt *attempt, CURLoption option, void *value)
{
    return curl_easy_setopt(attempt->easy, option, value) == CURLE_OK;
}

/* What keeps a receiver, or the environment, from leading us elsewhere. */
static bool
set_bounds(const struct attempt *attempt)
{
    return set_text(attempt, CURLOPT_PROTOCOLS_STR, "http,https") &&
           set_text(attempt, CURLOPT_PROXY, "") &&
           set_long(attempt, CURLOPT_FOLLOWLOCATION, 0) &&
           set_long(attempt, CURLOPT_SSL_VERIFYPEER, 1) &&
           set_long(attempt, CURLOPT_SSL_VERIFYHOST, 2) &&
           set_long(attempt, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) &&
           set_long(attempt, CURLOPT_CONNECTTIMEOUT_MS,
                    attempt->terms->options->callbacks.connect_timeout_ms) &&
           set_long(attempt, CURLOPT_NOSIGNAL, 1);
}

static bool
set_form(const struct attempt *attempt)
{
    bool post = attempt->terms->message.method == CALLBACK_POST;

    return set_text(attempt, CURLOPT_USERAGENT, "verve/" VERVE_VERSION) &&
           set_long(attempt, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) &&
           set_long(attempt, CURLOPT_PATH_AS_IS, 1) &&
           set_long(attempt, post ? CURLOPT_POST : CURLOPT_HTTPGET, 1) &&
           set_pointer(attempt, CURLOPT_HTTPHEADER,
                       envelope_list(attempt->envelope));
}

static bool
set_context(struct attempt *attempt)
{
    return set_pointer(attempt, CURLOPT_PRIVATE, attempt) &&
           set_pointer(attempt, CURLOPT_HEADERDATA, attempt) &&
           set_pointer(attempt, CURLOPT_WRITEDATA, attempt) &&
           set_pointer(attempt, CURLOPT_OPENSOCKETDATA, attempt) &&
           set_pointer(attempt, CURLOPT_PREREQDATA, attempt) &&
           set_pointer(attempt, CURLOPT_RESOLVER_START_DATA, attempt);
}

static bool
set_callbacks(struct attempt *attempt)
{
    CURL *easy = attempt->easy;

    return curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_request) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION,
                            before_lookup) == CURLE_OK;
}

struct attempt *
attempt_open(const struct terms *terms)
{
    struct attempt *attempt =
        calloc(1, sizeof(*attempt) + message_body_size(&terms->message));

    if (attempt == NULL) {
        return NULL;
    }
    attempt->terms = terms;
    attempt->wait.context = attempt;
    attempt->envelope =
        envelope_open(terms->signature, terms->message.method == CALLBACK_POST);
    attempt->easy = curl_easy_init();
    if (attempt->envelope == NULL || attempt->easy == NULL ||
        !set_bounds(attempt) || !set_form(attempt) || !set_context(attempt) ||
        !set_callbacks(attempt)) {
        attempt_close(attempt);
        return NULL;
    }
    return attempt;
}

void
attempt_close(struct attempt *attempt)
{
    if (attempt != NULL) {
        curl_easy_cleanup(attempt->easy);
        envelope_close(attempt->envelope);
        message_target_fini(&attempt->target);
        free(attempt->resolved.data);
        free(attempt);
    }
}

/* Writes what is sent, and signs it: the body, or where the GET goes. */
static bool
compose(struct attempt *attempt)
{
    const struct message *message = &attempt->terms->message;
    const struct job *job = attempt->job;
    size_t len;

    if (message->method == CALLBACK_GET) {
        const char *path = attempt->target.path;

        return envelope_address(attempt->envelope, job, path, strlen(path)) ==
               0;
    }
    len = message_body(message, job->count, attempt->body,
                       message_body_size(message));
    return envelope_address(attempt->envelope, job, attempt->body, len) == 0 &&
           set_long(attempt, CURLOPT_POSTFIELDSIZE, (int64_t)len) &&
           set_text(attempt, CURLOPT_POSTFIELDS, attempt->body);
}

int
attempt_prepare(struct attempt *attempt, struct job *job,
                const struct destination_ticket *ticket)
{
    message_target_fini(&attempt->target);
    attempt->job = job;
    attempt->ticket = *ticket;
    attempt->started_ms = clock_mono_ms();
    attempt->receipt = (struct receipt){0};
    attempt->starved = 0;
    attempt->permitted = false;
    attempt->refusal[0] = '\0';
    if (message_target(&attempt->terms->message, job->url, job->count,
                       &attempt->target) != 0) {
        return -1;
    }
    return set_text(attempt, CURLOPT_URL, attempt->target.url) &&
                   compose(attempt)
               ? 0
               : -1;
}

const char *
attempt_name(const struct attempt *attempt)
{
    return attempt->target.name;
}

/* The "+" lets libcurl forget it after a while. */
int
attempt_resolve(struct attempt *attempt, const char *addresses)
{
    int64_t left_ms = attempt->terms->options->callbacks.timeout_ms -
                      attempt_duration_ms(attempt);
    struct curl_slist *resolved = NULL;

    free(attempt->resolved.data);
    attempt->resolved.data = NULL;
    if (addresses != NULL) {
        if (asprintf(&attempt->resolved.data, "+%s:%s", attempt->target.host,
                     addresses) < 0) {
            attempt->resolved.data = NULL;
            return -1;
        }
        resolved = &attempt->resolved;
    }
    return set_pointer(attempt, CURLOPT_RESOLVE, resolved) &&
                   set_long(attempt, CURLOPT_TIMEOUT_MS,
                            left_ms > 1 ? left_ms : 1)
               ? 0
               : -1;
}

struct job *
attempt_release(struct attempt *attempt)
{
    struct job *job = attempt->job;

    names_leave(&attempt->wait);
    attempt->job = NULL;
    return job;
}

CURL *
attempt_easy(const struct attempt *attempt)
{
    return attempt->easy;
}

struct attempt *
attempt_of(CURL *easy)
{
    char *attempt = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &attempt);
    return (struct attempt *)attempt;
}

const struct job *
attempt_job(const struct attempt *attempt)
{
    return attempt->job;
}

const struct destination_ticket *
attempt_ticket(const struct attempt *attempt)
{
    return &attempt->ticket;
}

struct names_wait *
attempt_wait(struct attempt *attempt)
{
    return &attempt->wait;
}

const char *
attempt_host(const struct attempt *attempt)
{
    return attempt->target.host;
}

const char *
attempt_refusal(const struct attempt *attempt)
{
    return attempt->permitted ? "" : attempt->refusal;
}

int64_t
attempt_duration_ms(const struct attempt *attempt)
{
    return clock_mono_ms() - attempt->started_ms;
}

/* errno of what we had none of: a socket, or a port of our own for it. */
static int
starved(const struct attempt *attempt, CURLcode code)
{
    long reason = 0;

    if (code == CURLE_COULDNT_CONNECT && attempt->starved == 0) {
        curl_easy_getinfo(attempt->easy, CURLINFO_OS_ERRNO, &reason);
        return is_want((int)reason) ? (int)reason : 0;
    }
    return code == CURLE_OK ? 0 : attempt->starved;
}

struct outcome_facts
attempt_facts(const struct attempt *attempt, CURLcode code)
{
    struct outcome_facts facts = {
        .code = code,
        .refused = attempt_refusal(attempt)[0] != '\0',
        .starved = starved(attempt, code),
        .head_cut = attempt->receipt.head_cut,
        .body_cut = attempt->receipt.body_cut,
        .retry_after_ms = attempt->receipt.retry_after_ms,
        .attempts = attempt->job->attempts,
        .dice = arc4random(),
    };

    curl_easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &facts.status);
    return facts;
}
