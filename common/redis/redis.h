/*
 * One connection to Redis: its address, its time limits, its comings and
 * goings, and scripts. The only user of hiredis. Connecting never blocks;
 * running a script does, for at most the time limit. After a lost connection
 * it tries again by itself, at moments that differ between processes.
 *
 * Nothing here knows what is stored: see schema.h, counter.h, job_queue.h,
 * window_closer.h.
 */
#ifndef REDIS_H
#define REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis;
struct redis_reply;
struct command;
struct sockaddr_storage;

/* A Lua script, as the build embeds it out of its .lua file. */
struct redis_script {
    const char *name; /* of the file, for messages */
    const char *sha1; /* 40 hexadecimal digits */
    const char *body;
};

enum redis_result {
    REDIS_DONE,    /* the reply is there */
    REDIS_AWAY,    /* not connected: nothing was sent */
    REDIS_LOST,    /* sent, but no reply: it may have been done, or not */
    REDIS_REFUSED, /* Redis answered with an error: see redis_error */
    REDIS_SPARSE,  /* done, but fewer replicas have it than were asked for */
    REDIS_PENDING, /* under way: only redis_send and redis_receive say this */
};

/* What the user of a connection wants to say and hear at each connect. */
struct redis_greeting {
    const struct redis_script *script;
    /* Adds keys and arguments to the script's call. */
    void (*ask)(void *context, struct command *call);
    /*
     * Judges its reply: true where this Redis can be used; else writes why
     * not, and what to do, into why.
     */
    bool (*judge)(void *context, const struct redis_reply *reply, char *why,
                  size_t why_size);
    void *context;
};

enum redis_state {
    REDIS_STATE_CONNECTING, /* not known to be away: worth waiting for */
    REDIS_STATE_UP,
    REDIS_STATE_DOWN,     /* away, or too slow; being tried again */
    REDIS_STATE_UNUSABLE, /* there, but refused by us; being tried again */
};

/* What became of an attempt to connect, or of a connection. */
struct redis_news {
    enum redis_state state; /* that it is in now */
    const char *reason;     /* worth a log line */
    const char *doubt;      /* NULL, or what could not be seen but is trusted */
};

struct redis_options {
    const char *url; /* unix:///path, redis://[user:pass@]host[:port][/db] */
    const char *client_name; /* shown by CLIENT LIST */
    int64_t timeout_ms;      /* for connecting, and for each script */
    /*
     * Redis is used though its eviction policy can be read neither by INFO nor
     * by CONFIG GET. A policy that can be read must be noeviction.
     */
    bool trust_noeviction;
    struct redis_greeting greeting;
    /*
     * Hears of each connection that is made or lost, and of each attempt that
     * failed: up to ten a second while Redis is away. May be NULL.
     */
    void (*on_news)(void *context, const struct redis_news *news);
    void *on_news_context;
};

/* NULL where url is one that redis_open can use, else what is wrong with it. */
const char *redis_url_problem(const char *url);

/*
 * Starts connecting and returns at once. NULL only where the system refuses
 * (errno). options and its strings are copied.
 */
struct redis *redis_open(const struct redis_options *options);
void redis_close(struct redis *redis);

/*
 * One fd for the connection's whole life: readable when redis_step has
 * something to do (a connection made or lost, time to try again).
 */
int redis_fd(const struct redis *redis);
void redis_step(struct redis *redis);

enum redis_state redis_state(const struct redis *redis);

/*
 * Looks, without blocking, whether the connection still stands. Returns its
 * number, counted from 1 with each that is made, or 0 where none is up. A
 * Redis that has stopped without a word can't be told from one that is idle.
 */
uint64_t redis_connection(struct redis *redis);

/*
 * The Internet address of what it is connected to: for a unix socket that of
 * this host, with the port where that Redis listens, too. False where it is not
 * connected, or has none.
 */
bool redis_peer(const struct redis *redis, struct sockaddr_storage *address);

/* Why the last call failed or the connection is down; never NULL. */
const char *redis_error(const struct redis *redis);

/*
 * Waits while the state is REDIS_STATE_CONNECTING, for at most the time
 * limit. Returns the state that it ended in.
 */
enum redis_state redis_wait(struct redis *redis);

/* The longest key that a call takes, with its NUL. */
enum { REDIS_KEY_MAX_BYTES = 2048 };

/*
 * Starts a call of a script. The call belongs to the connection and is valid
 * until the next redis_call. Keys come first, then arguments; all are copied.
 * A key over the limit makes the call fail.
 */
struct command *redis_call(struct redis *redis,
                           const struct redis_script *script);
void redis_key(struct command *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void redis_key_int(struct command *call, const char *stem, size_t stem_len,
                   int64_t value); /* the stem with the value behind it */
void redis_arg(struct command *call, const char *bytes, size_t len);
void redis_arg_int(struct command *call, int64_t value);

/*
 * The run is done only when this many replicas have what it wrote, and all
 * that was written before. They are given half of the time limit, less 50 ms.
 */
void redis_call_replicas(struct command *call, int64_t replicas);

/*
 * Sends the call that redis_call started. REDIS_PENDING: go on with
 * redis_receive; REDIS_AWAY and REDIS_LOST are final. Blocks only while a
 * connection is being made, for at most the time limit. A script that Redis
 * does not know is sent again as text: NOSCRIPT says that nothing was done.
 */
enum redis_result redis_send(struct redis *redis);

/*
 * Takes what has come of the reply, without blocking. Called when the socket is
 * readable or the time limit may be over, until the result is not
 * REDIS_PENDING. *reply is set for REDIS_DONE and REDIS_SPARSE alone, and valid
 * until the next call.
 */
enum redis_result redis_receive(struct redis *redis,
                                const struct redis_reply **reply);

/* Milliseconds until the time limit of the run that is under way; at least 0.
 */
int64_t redis_left_ms(const struct redis *redis);

/* Blocks until redis_receive has something to do. */
void redis_await(const struct redis *redis);

/*
 * redis_send and redis_receive in one: blocks for the reply, for at most twice
 * the time limit. Never REDIS_PENDING.
 */
enum redis_result redis_run(struct redis *redis,
                            const struct redis_reply **reply);

/* The elements of an array reply; 0 for anything else. */
size_t redis_reply_count(const struct redis_reply *reply);

/* Element i; NULL where there is none. */
const struct redis_reply *redis_reply_at(const struct redis_reply *reply,
                                         size_t i);

/* An integer, or a text that is one, as *value; false for anything else. */
bool redis_reply_int(const struct redis_reply *reply, int64_t *value);

/* The bytes of a text, NUL behind them, borrowed; NULL for anything else. */
const char *redis_reply_text(const struct redis_reply *reply, size_t *len);

#endif
