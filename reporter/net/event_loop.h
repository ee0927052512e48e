/*
 * An event loop: fds watched by epoll, timers on the monotonic clock. The
 * daemon has one loop; signals come as an fd (signalfd). The loop is
 * independent of the handlers that it calls.
 */
#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct event_loop;

typedef void event_loop_fd_handler(void *context, int fd, uint32_t events);
typedef void event_loop_timer_handler(void *context);

/* Owned by the user. Zeroed except for handler and context: not armed. */
struct event_loop_timer {
    event_loop_timer_handler *handler;
    void *context;
    int64_t due_ms;                /* monotonic */
    struct event_loop_timer *next; /* the loop's list of armed timers */
    bool armed;
};

/* NULL if the system refuses (errno). */
struct event_loop *event_loop_open(void);

/* Handlers are not called again; fds and timers stay with their users. */
void event_loop_close(struct event_loop *loop);

/*
 * Calls handler each time that fd has one of events (EPOLLIN, EPOLLOUT), an
 * error or a hang-up. If fd is watched already, replaces events and handler. 0,
 * or -1 (errno).
 */
int event_loop_watch(struct event_loop *loop, int fd, uint32_t events,
                     event_loop_fd_handler *handler, void *context);

/* Stops watching fd; to be called before fd is closed. An fd that is not
 * watched is fine. */
void event_loop_forget(struct event_loop *loop, int fd);

/*
 * Calls the timer's handler once, delay_ms from now. If it is armed already,
 * replaces its time.
 */
void event_loop_arm(struct event_loop *loop, struct event_loop_timer *timer,
                    int64_t delay_ms);

/* If it is not armed, does nothing. */
void event_loop_disarm(struct event_loop *loop, struct event_loop_timer *timer);

/* Runs handlers until event_loop_stop. 0, or -1 if epoll fails (errno). */
int event_loop_run(struct event_loop *loop);

/* Ends event_loop_run after the handler that calls this. */
void event_loop_stop(struct event_loop *loop);

#endif
