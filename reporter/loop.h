/*
 * The daemon's one event loop: fds by epoll, timers by the monotonic clock,
 * signals as an fd. It knows nothing of what it runs.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

typedef void loop_fd_handler(void *context, int fd, uint32_t events);
typedef void loop_timer_handler(void *context);

/* Belongs to the user; zeroed but for handler and context it is unarmed. */
struct loop_timer {
    loop_timer_handler *handler;
    void *context;
    int64_t due_ms;          /* monotonic */
    struct loop_timer *next; /* the loop's list of armed timers */
    bool armed;
};

/* NULL where the system refuses (errno). */
struct loop *loop_open(void);
void loop_close(struct loop *loop);

/*
 * Calls handler whenever fd has one of events (EPOLLIN, EPOLLOUT); called
 * again for the same fd it changes them. 0, or -1 (errno).
 */
int loop_watch(struct loop *loop, int fd, uint32_t events,
               loop_fd_handler *handler, void *context);

/* Stops watching fd: call it before fd is closed. Unknown fds are fine. */
void loop_forget(struct loop *loop, int fd);

/* Calls the timer's handler once, delay_ms from now; a later call moves it. */
void loop_arm(struct loop *loop, struct loop_timer *timer, int64_t delay_ms);
void loop_disarm(struct loop *loop, struct loop_timer *timer);

/* Runs handlers until loop_stop; returns 0, or -1 where epoll fails (errno). */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
