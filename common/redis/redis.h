/*
 * A client of one Redis: keeps a connection up and runs Lua scripts on it.
 * Connecting never blocks. Running a script blocks, for at most the time limit,
 * unless it is sent and received step by step. A lost connection is made again
 * without a call from the user, after pauses that differ between processes.
 *
 * Nothing here knows what is stored in Redis: common/store does.
 */
#ifndef REDIS_H
#define REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/tls_files.h"

struct redis;
struct redis_reply;
struct command;
struct sockaddr_storage;

/* A Lua script; the build makes it from a .lua file (tools/embed-lua). */
struct redis_script {
    const char *name; /* of the file, for messages */
    const char *sha1; /* 40 hexadecimal digits */
    const char *body;
    /* The commands of Redis that it needs, such as "GET XINFO|STREAM". */
    const char *commands;
};

/*
 * In front of a pointer to a script: adds it to redis_scripts. tools/embed-lua
 * does this for each script, so that no list of them can be out of date.
 */
#define REDIS_SCRIPT_LISTED                                                    \
    static const struct redis_script *const                                    \
        __attribute__((section("redis_script_list"), used))

/*
 * The scripts that are linked into this program. Sets *count to their number; a
 * script that is included by two files is there twice.
 */
const struct redis_script *const *redis_scripts(size_t *count);

enum redis_result {
    REDIS_DONE, /* the reply is there */
    /* Not connected, or the slot has moved to another node: nothing was done.
     */
    REDIS_AWAY,
    REDIS_LOST,    /* sent, but no reply: the script may have run, or not */
    REDIS_REFUSED, /* Redis's reply is an error: see redis_error */
    REDIS_SPARSE,  /* done, but on fewer replicas than were asked for */
    REDIS_PENDING, /* more of the reply is needed; not from redis_run */
};

/*
 * A script that is run on each new connection before any other. If its reply
 * is an error, the state becomes REDIS_STATE_UNUSABLE, or REDIS_STATE_DOWN if
 * the error ends by itself (LOADING, for example).
 */
struct redis_check {
    const struct redis_script *script; /* NULL: none */
    /* Adds the script's keys and arguments. */
    void (*add_args)(void *context, struct command *command);
    void *context;
};

enum redis_state {
    REDIS_STATE_CONNECTING, /* not known to be down: see redis_wait */
    REDIS_STATE_UP,
    REDIS_STATE_DOWN,     /* not reachable, or not ready; retried */
    REDIS_STATE_UNUSABLE, /* needs an operator, see redis_error; retried */
};

/* What makes a Redis unusable. */
enum redis_fault {
    REDIS_FAULT_OTHER,    /* a wrong password, or too old, for example */
    REDIS_FAULT_EVICTION, /* its eviction policy is not noeviction */
    REDIS_FAULT_RIGHTS,   /* redis_options.rights */
    REDIS_FAULT_CHECK,    /* redis_options.check */
};

/* The end of an attempt to connect, or of a connection. */
struct redis_change {
    enum redis_state state; /* the new state; may be the same as before */
    const char *reason;     /* a line for the log; NULL: only a new warning */
    const char *warning;    /* one more, if the state is UP; NULL: none */
};

struct redis_options {
    const char *url;               /* as redis_url_problem accepts it */
    const char *password;          /* if url has none; NULL or "": none */
    const char *sentinel_user;     /* of the sentinels; NULL or "": none */
    const char *sentinel_password; /* NULL or "": none */
    struct tls_files tls;          /* if url has TLS; no ca: the system's */
    int slot; /* in a cluster: of the keys of all scripts; see key_slot.h */
    const char *client_name; /* shown by CLIENT LIST */
    int64_t timeout_ms;      /* for connecting, and for each script */
    /*
     * Use a Redis even if its eviction policy can be read neither by INFO nor
     * by CONFIG GET. A policy that can be read must be noeviction.
     */
    bool trust_noeviction;
    struct redis_check rights; /* reads only; run before the other check */
    struct redis_check check;
    /*
     * While the connection is up, `rights` and the questions about eviction and
     * persistence are repeated this often, and a second after a script was
     * refused. Their replies are not waited for. 0: never.
     */
    int64_t review_ms;
    /*
     * Called for each connection that is made or lost, and for each attempt
     * that fails: up to ten times a second while Redis is down. May be NULL.
     */
    void (*on_change)(void *context, const struct redis_change *change);
    void *on_change_context;
    /*
     * Called for each redis_run and redis_finish whose result is not
     * REDIS_DONE; refusal is that of redis_refusal. May be NULL.
     */
    void (*on_failure)(void *context, enum redis_result result,
                       const char *refusal);
    void *on_failure_context;
};

/*
 * What is wrong with url, static; NULL if redis_open can use it. It is
 * unix://[[user]:password@]/path[?db=number],
 * redis://[[user]:password@]host[:port][/database],
 * redis+sentinel://[[user]:password@]host[:port],.../master[?db=number] or
 * redis+cluster://[[user]:password@]host[:port],... . With TLS, rediss://,
 * rediss+sentinel:// or rediss+cluster://.
 */
const char *redis_url_problem(const char *url);

/* True if url has TLS, or names sentinels. False for a wrong url. */
bool redis_url_has_tls(const char *url);
bool redis_url_has_sentinels(const char *url);

/* True if url, which may be wrong, names a Redis Cluster. */
bool redis_url_is_cluster(const char *url);

/*
 * What a url has of a login. A user without a password needs the password of
 * redis_options.
 */
struct redis_login {
    bool has_user;
    bool has_password;
};

/* The login in url, which may be wrong: then the login has nothing. */
struct redis_login redis_login_of(const char *url);

/*
 * Writes a part of a url that redis_url_problem accepts: socket (its path),
 * host, port, user, password, database, master, sentinels or nodes (of a
 * cluster; both "host port" a line) or tls ("yes"), without percent-encoding.
 * Writes nothing if the url has no such part. False if there is no part of this
 * name.
 */
bool redis_url_print(FILE *out, const char *url, const char *part);

/*
 * Starts connecting and returns at once. NULL if the system refuses (errno).
 * Copies the options and their strings; the script and the contexts are
 * borrowed.
 */
struct redis *redis_open(const struct redis_options *options);
void redis_close(struct redis *redis);

/*
 * One fd for the whole life: readable if redis_step has something to do (a
 * connection was made or lost, the next attempt is due).
 */
int redis_fd(const struct redis *redis);

/*
 * Goes on with connecting, and notices a lost connection. Does not block.
 * During a run it leaves the socket to redis_receive.
 */
void redis_step(struct redis *redis);

enum redis_state redis_state(const struct redis *redis);

/* Why the state is REDIS_STATE_UNUSABLE; without meaning in other states. */
enum redis_fault redis_fault(const struct redis *redis);

/* Why the last run failed or the connection is down; never NULL. */
const char *redis_error(const struct redis *redis);

/*
 * The node that it is connected to, or was tried last: host:port, or the path
 * of a socket; "": none yet. Valid until the next call.
 */
const char *redis_node(const struct redis *redis);

/*
 * Redis's own words of the error that refused the last run, such as "OOM
 * command not allowed", until the next call; "" if it was not refused.
 */
const char *redis_refusal(const struct redis *redis);

/*
 * Checks, without blocking, that Redis has not closed the connection; a closed
 * one is made again. Returns the number of the connection, counted from 1 with
 * each new one, or 0 if none is up. A Redis that hangs is not noticed: it looks
 * like an idle one.
 */
uint64_t redis_check_connection(struct redis *redis);

/*
 * Calls visit with each Internet address and port at which Redis is known to
 * be: of this connection and those before, of each sentinel or node that was
 * asked, and of the replicas that a master with sentinels has. For a unix
 * socket: 127.0.0.1 and the TCP port on which that Redis listens, if there is
 * one. The last PEERS_MAX (peers.h) are remembered.
 */
typedef void redis_peer_visitor(void *context, const struct sockaddr *address);
void redis_visit_peers(const struct redis *redis, redis_peer_visitor *visit,
                       void *context);

/* As redis_check_connection, without a look at the socket. */
uint64_t redis_connection(const struct redis *redis);

/*
 * True if this Redis was known, at the last connect, to sync each write to its
 * append-only file (appendfsync always), and has not taken over from another
 * one. False if that can't be read.
 */
bool redis_syncs_always(const struct redis *redis);

/*
 * How long a connection may stay at a master that another program has left
 * already, because a sentinel or a node of the cluster named another, in
 * milliseconds. 0: the url names Redis itself.
 */
int64_t redis_follow_ms(const struct redis *redis);

/*
 * The number of masters in the cluster that have slots, as it was told last; at
 * most 64. 1 without a cluster, and before the first answer.
 */
int64_t redis_masters(const struct redis *redis);

/*
 * Redis's maxmemory in bytes, as of the last connect. 0: it has none, or it is
 * not known.
 */
int64_t redis_max_memory(const struct redis *redis);

/*
 * The memory that Redis used, in bytes, as of the last connect or review
 * (redis_options.review_ms). 0: not known.
 */
int64_t redis_used_memory(const struct redis *redis);

/*
 * Waits while the state is REDIS_STATE_CONNECTING, for at most the time limit.
 * Returns the state at its end.
 */
enum redis_state redis_wait(struct redis *redis);

/* The longest key, with its NUL. */
enum { REDIS_KEY_MAX_BYTES = 2048 };

/*
 * Starts a call of a script. The call belongs to the connection and is valid
 * until the next redis_call. Keys are added first, then arguments; all are
 * copied. If a key is too long or there is no memory, the run will fail.
 */
struct command *redis_call(struct redis *redis,
                           const struct redis_script *script);
void redis_key_text(struct command *command, const char *key, size_t len);

/* Adds the key that is the stem followed by the value in decimal. */
void redis_key_int(struct command *command, const char *stem, size_t stem_len,
                   int64_t value);
void redis_arg(struct command *command, const char *bytes, size_t len);
void redis_arg_int(struct command *command, int64_t value);

/*
 * Asks for this many replicas: the result is REDIS_SPARSE if fewer have what
 * the script, and all runs before it on this connection, wrote. They are given
 * half of the time limit, less 50 ms.
 */
void redis_call_replicas(struct command *command, int64_t replicas);

/*
 * Sends the call that redis_call started. If the result is REDIS_PENDING, go on
 * with redis_receive; REDIS_AWAY and REDIS_LOST are final. Blocks only if the
 * state is REDIS_STATE_CONNECTING, for at most the time limit. If Redis does
 * not know the script (NOSCRIPT), redis_receive sends its text.
 */
enum redis_result redis_send(struct redis *redis);

/*
 * Reads the reply as far as it has arrived, without blocking. Call it after
 * redis_await, until the result is not REDIS_PENDING. REDIS_AWAY: the slot has
 * moved, and the connection to its new master is being made; the same call can
 * be sent once the state is REDIS_STATE_UP. *reply is set only if the
 * result is REDIS_DONE or REDIS_SPARSE, and is valid until the next call.
 */
enum redis_result redis_receive(struct redis *redis,
                                const struct redis_reply **reply);

/*
 * Blocks until redis_receive has something to do: a part of the reply is there,
 * the rest of a large call can be sent, or the time limit is over. (redis_fd is
 * not readable if the rest can be sent.)
 */
void redis_await(struct redis *redis);

/* Of redis_await_any. */
enum { REDIS_AWAIT_MOST = 64 };

/*
 * redis_await for several runs, at most REDIS_AWAIT_MOST of them: blocks until
 * redis_receive has something to do for one, and for at most most_ms. Returns a
 * bit for each that it has something to do for; bit 0 is the first. While a
 * connection is being made, its bit means that redis_step has something to do.
 */
uint64_t redis_await_any(const struct redis *const *list, size_t count,
                         int64_t most_ms);

/*
 * For a user that waits on redis_fd during a run, and calls redis_step and
 * redis_receive when it is readable: after so many milliseconds redis_receive
 * has to be called in any case.
 */
int64_t redis_run_wait_ms(const struct redis *redis);

/*
 * redis_receive, after a redis_send that returned `sent`, until the result is
 * there: blocks, for at most the time limit. *reply as for redis_receive.
 */
enum redis_result redis_finish(struct redis *redis, enum redis_result sent,
                               const struct redis_reply **reply);

/*
 * redis_send, then redis_finish: blocks, for at most twice the time limit.
 */
enum redis_result redis_run(struct redis *redis,
                            const struct redis_reply **reply);

/* The number of elements of an array; 0 if reply is no array. */
size_t redis_reply_count(const struct redis_reply *reply);

/* Element i of an array; NULL if there is none. */
const struct redis_reply *redis_reply_at(const struct redis_reply *reply,
                                         size_t i);

/* Sets *value to an integer, or to a text that is one; false if it is none. */
bool redis_reply_int(const struct redis_reply *reply, int64_t *value);

/* The bytes of a text, with a NUL after them, borrowed; NULL if it is none. */
const char *redis_reply_text(const struct redis_reply *reply, size_t *len);

#endif
