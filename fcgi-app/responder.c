/*
 * responder: the loop, and what libfcgi needs to be used in it (the rules are
 * at hear and hang_up).
 */
#include "responder.h"

#include <errno.h>
#include <fcgiapp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "answer.h"
#include "clock.h"
#include "intake.h"
#include "log.h"
#include "request.h"

enum { EVENTS = 64, DRAIN_MS = 2000, COMPLAINT_PAUSE_MS = 60000 };

/* One request from its first byte to its answer. */
struct exchange {
    FCGX_Request fcgx;
    struct request request;
};

struct responder {
    struct redis *redis;
    struct tally *tally;
    int listen_fd;
    int epoll_fd;
    int signal_fd;
    struct intake *intake;
    size_t max_batch;
    int *fds;                    /* the batch's connections */
    struct exchange *exchanges;  /* those that sent a request */
    struct exchange **counting;  /* those of them that wait to be counted */
    struct exchange **asking;    /* those that ask for Redis itself */
    struct tally_request *batch; /* what they want to be counted */
    int64_t drain_until_ms;      /* monotonic; 0: not draining */
    int64_t quiet_until_ms;      /* monotonic: no complaint before */
};

/*
 * Reads the request that fd has sent. libfcgi 2.4.2 can be handed a socket
 * that it did not accept: the request must look as if it was kept alive, and
 * be detached so that a malformed one is closed without waiting up to 2 s for
 * the peer. Returns false where there is none; fd is closed then.
 */
static bool
hear(FCGX_Request *fcgx, int fd)
{
    FCGX_InitRequest(fcgx, -1, 0);
    fcgx->ipcFd = fd;
    fcgx->keepConnection = 1;
    FCGX_Detach(fcgx);
    if (FCGX_Accept_r(fcgx) != 0) {
        return false;
    }
    /* One request a connection, whatever the peer asks for. */
    fcgx->keepConnection = 0;
    if (FCGX_GetError(fcgx->in) != 0) {
        FCGX_Free(fcgx, 1);
        return false;
    }
    return true;
}

static void
answer(struct exchange *exchange, const struct answer *answer)
{
    char text[ANSWER_MAX_BYTES];
    size_t len = answer_format(answer, text);

    FCGX_PutStr(text, (int)len, exchange->fcgx.out);
    FCGX_Finish_r(&exchange->fcgx);
}

/* Parameters of the request, as the web server passes them (RFC 3875, 4.1). */
static void
parse(struct exchange *exchange)
{
    FCGX_ParamArray params = exchange->fcgx.envp;
    const char *method = FCGX_GetParam("REQUEST_METHOD", params);
    const char *target = FCGX_GetParam("REQUEST_URI", params);

    request_parse(&exchange->request, method != NULL ? method : "",
                  target != NULL ? target : "");
}

static void
answer_status(struct exchange *exchange, int status)
{
    struct answer told = {.status = status,
                          .error = exchange->request.error,
                          .head = exchange->request.head};

    answer(exchange, &told);
}

static void
answer_counted(struct exchange *exchange, const struct tally_request *counted,
               int64_t window_s)
{
    struct answer told = {.status = 503, .head = exchange->request.head};

    switch (counted->answer) {
    case TALLY_COUNTED:
        told.status = 200;
        told.window_s = window_s;
        break;
    case TALLY_QUEUE_FULL:
        told.error = "callback-queue-full";
        break;
    case TALLY_UNAVAILABLE:
        told.error = "redis-unavailable";
        break;
    }
    answer(exchange, &told);
}

/*
 * A connection's coming and going is logged by its owner; what is left to say
 * here is that Redis is there and refuses (out of memory, say).
 */
static void
complain(struct responder *responder)
{
    int64_t now_ms = clock_mono_ms();

    if (now_ms >= responder->quiet_until_ms) {
        log_error("requests are refused: %s", redis_error(responder->redis));
        responder->quiet_until_ms = now_ms + COMPLAINT_PAUSE_MS;
    }
}

/* Counts the batch in one round trip and answers it. */
static void
commit(struct responder *responder, size_t count)
{
    int64_t window_s = tally_commit(responder->tally, responder->batch, count);
    size_t i;

    if (tally_was_refused(responder->tally)) {
        complain(responder);
    }
    for (i = 0; i < count; i++) {
        answer_counted(responder->counting[i], &responder->batch[i], window_s);
    }
}

/* A callback of ours that comes back must not cause another: no loops. */
static bool
wants_callback(const struct exchange *exchange)
{
    return exchange->request.endpoint != NULL &&
           FCGX_GetParam("HTTP_VERVE_CALLBACK", exchange->fcgx.envp) == NULL;
}

static void
add_to_batch(struct responder *responder, size_t at, struct exchange *exchange)
{
    struct tally_request *counted = &responder->batch[at];

    memset(counted, 0, sizeof(*counted));
    counted->id = exchange->request.id;
    if (wants_callback(exchange)) {
        counted->endpoint = exchange->request.endpoint;
        counted->endpoint_len = exchange->request.endpoint_len;
    }
    responder->counting[at] = exchange;
}

/* Answers all that ask whether Redis answers, with one question to it. */
static void
answer_readiness(struct responder *responder, size_t count)
{
    int status = redis_ping(responder->redis) ? 200 : 503;
    size_t i;

    for (i = 0; i < count; i++) {
        answer_status(responder->asking[i], status);
    }
}

/* What a batch is made of, beside what is answered at once. */
struct waiting {
    size_t counting; /* for Redis to count them */
    size_t asking;   /* for Redis to answer at all */
};

/* Answers what needs no Redis, and has the others wait. */
static void
sort_out(struct responder *responder, struct exchange *exchange,
         struct waiting *waiting)
{
    const struct request *request = &exchange->request;

    if (request->status != 200) {
        answer_status(exchange, request->status);
        return;
    }
    switch (request->kind) {
    case REQUEST_ACCEPT:
        add_to_batch(responder, waiting->counting++, exchange);
        break;
    case REQUEST_READYZ:
        responder->asking[waiting->asking++] = exchange;
        break;
    case REQUEST_HEALTHZ:
        answer_status(exchange, 200);
        break;
    case REQUEST_UNKNOWN:
        answer_status(exchange, 404);
        break;
    }
}

/* One turn: gather, answer what needs no Redis, commit the rest. */
static void
turn(struct responder *responder)
{
    size_t gathered =
        intake_gather(responder->intake, responder->fds, responder->max_batch);
    struct waiting waiting = {0};
    size_t i;

    for (i = 0; i < gathered; i++) {
        struct exchange *exchange = &responder->exchanges[i];

        if (hear(&exchange->fcgx, responder->fds[i])) {
            parse(exchange);
            sort_out(responder, exchange, &waiting);
        }
    }
    if (waiting.counting > 0) {
        commit(responder, waiting.counting);
    }
    if (waiting.asking > 0) {
        answer_readiness(responder, waiting.asking);
    }
}

static void
start_draining(struct responder *responder)
{
    struct signalfd_siginfo info;

    while (read(responder->signal_fd, &info, sizeof(info)) > 0) {
    }
    if (responder->drain_until_ms == 0) {
        responder->drain_until_ms = clock_mono_ms() + DRAIN_MS;
    }
    /* Look at the listener once more, whatever epoll says. */
    intake_note(responder->intake, responder->listen_fd);
}

static int
wait_ms(const struct responder *responder)
{
    int intake_ms = intake_wait_ms(responder->intake);
    int64_t drain_ms = responder->drain_until_ms - clock_mono_ms();

    if (responder->drain_until_ms == 0) {
        return intake_ms;
    }
    drain_ms = drain_ms < 0 ? 0 : drain_ms;
    return intake_ms >= 0 && intake_ms < drain_ms ? intake_ms : (int)drain_ms;
}

/* Waits for something to do and notes what it is. -1 where epoll fails. */
static int
await(struct responder *responder)
{
    struct epoll_event events[EVENTS];
    int count =
        epoll_wait(responder->epoll_fd, events, EVENTS, wait_ms(responder));
    int i;

    if (count < 0) {
        return errno == EINTR ? 0 : -1;
    }
    for (i = 0; i < count; i++) {
        int fd = events[i].data.fd;

        if (fd == redis_fd(responder->redis)) {
            redis_step(responder->redis);
        } else if (fd == responder->signal_fd) {
            start_draining(responder);
        } else {
            intake_note(responder->intake, fd);
        }
    }
    return 0;
}

/* True once there is nothing left to drain, or no time left for it. */
static bool
is_drained(const struct responder *responder)
{
    return responder->drain_until_ms != 0 &&
           (intake_is_empty(responder->intake) ||
            clock_mono_ms() >= responder->drain_until_ms);
}

int
responder_run(struct responder *responder)
{
    while (!is_drained(responder)) {
        if (await(responder) != 0) {
            return -1;
        }
        turn(responder);
    }
    return 0;
}

static int
watch(const struct responder *responder, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(responder->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/*
 * Signals become readable. FCGX_Init would else install handlers of its own,
 * whose flag this loop never sees: blocked, they never run.
 */
static int
open_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) {
        return -1;
    }
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

static bool
open_fds(struct responder *responder)
{
    responder->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    responder->signal_fd = open_signals();
    if (responder->epoll_fd < 0 || responder->signal_fd < 0 ||
        watch(responder, responder->signal_fd) != 0 ||
        watch(responder, redis_fd(responder->redis)) != 0) {
        return false;
    }
    responder->intake = intake_open(responder->listen_fd, responder->epoll_fd);
    return responder->intake != NULL;
}

static bool
allocate(struct responder *responder)
{
    size_t n = responder->max_batch;

    responder->fds = calloc(n, sizeof(*responder->fds));
    responder->exchanges = calloc(n, sizeof(*responder->exchanges));
    responder->counting = calloc(n, sizeof(*responder->counting));
    responder->asking = calloc(n, sizeof(*responder->asking));
    responder->batch = calloc(n, sizeof(*responder->batch));
    return responder->fds != NULL && responder->exchanges != NULL &&
           responder->counting != NULL && responder->asking != NULL &&
           responder->batch != NULL;
}

struct responder *
responder_open(const struct options *options, int listen_fd,
               struct redis *redis, struct tally *tally)
{
    struct responder *responder = calloc(1, sizeof(*responder));

    if (responder == NULL) {
        return NULL;
    }
    responder->redis = redis;
    responder->tally = tally;
    responder->listen_fd = listen_fd;
    responder->epoll_fd = -1;
    responder->signal_fd = -1;
    responder->max_batch = (size_t)options->accept.max_batch;
    if (!allocate(responder) || !open_fds(responder) || FCGX_Init() != 0) {
        responder_close(responder);
        return NULL;
    }
    return responder;
}

void
responder_close(struct responder *responder)
{
    if (responder == NULL) {
        return;
    }
    intake_close(responder->intake);
    if (responder->signal_fd >= 0) {
        close(responder->signal_fd);
    }
    if (responder->epoll_fd >= 0) {
        close(responder->epoll_fd);
    }
    free(responder->fds);
    free(responder->exchanges);
    free(responder->counting);
    free(responder->asking);
    free(responder->batch);
    free(responder);
}
