/*
 * The daemon's one event loop: fds by epoll, timers by the monotonic clock,
 * signals as an fd. It knows nothing of what it runs.
 */
#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct event_loop;

typedef void event_loop_fd_handler(void *context, int fd, uint32_t events);
typedef void event_loop_timer_handler(void *context);

/* Belongs to the user; zeroed but for handler and context it is unarmed. */
struct event_loop_timer {
    event_loop_timer_handler *handler;
    void *context;
    int64_t due_ms;                /* monotonic */
    struct event_loop_timer *next; /* the loop's list of armed timers */
    bool armed;
};

/* NULL where the system refuses (errno). */
struct event_loop *event_loop_open(void);
void event_loop_close(struct event_loop *loop);

/*
 * Calls handler whenever fd has one of events (EPOLLIN, EPOLLOUT); called
 * again for the same fd it changes them. 0, or -1 (errno).
 */
int event_loop_watch(struct event_loop *loop, int fd, uint32_t events,
                     event_loop_fd_handler *handler, void *context);

/* Stops watching fd: call it before fd is closed. Unknown fds are fine. */
void event_loop_forget(struct event_loop *loop, int fd);

/* Calls the timer's handler once, delay_ms from now; a later call moves it. */
void event_loop_arm(struct event_loop *loop, struct event_loop_timer *timer,
                    int64_t delay_ms);
void event_loop_disarm(struct event_loop *loop, struct event_loop_timer *timer);

/* Runs handlers until event_loop_stop; returns 0, or -1 where epoll fails
 * (errno). */
int event_loop_run(struct event_loop *loop);
void event_loop_stop(struct event_loop *loop);

#endif
