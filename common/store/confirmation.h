/*
 * Whether Redis still has what a responder has confirmed to clients (marks.h):
 * when that has to be compared, and what was found to be lost.
 */
#ifndef CONFIRMATION_H
#define CONFIRMATION_H

#include <stdbool.h>
#include <stdint.h>

#include "config/options.h"
#include "marks.h"
#include "redis/redis.h"

struct confirmation {
    struct marks marks;
    bool wanted;               /* it has to be compared before anything else */
    uint64_t connection;       /* on which Redis was last seen to have it all */
    uint64_t tried_connection; /* on which it was compared last */
    int64_t tried_ms;          /* monotonic: when it was compared last */
    struct marks_loss loss;    /* that was found, and not taken yet */
};

/* Nothing was confirmed yet. */
void confirmation_init(struct confirmation *confirmation);

/* True if it has to be compared, on this connection. */
bool confirmation_is_due(const struct confirmation *confirmation,
                         uint64_t connection, int64_t now_ms);

/*
 * Milliseconds until it has to be compared although there is no request; -1:
 * there is nothing to compare.
 */
int64_t confirmation_idle_ms(const struct confirmation *confirmation,
                             uint64_t connection, int64_t now_ms);

/* It is compared now, or was to be: the next try follows after a second. */
void confirmation_try(struct confirmation *confirmation, uint64_t connection);

enum confirmation_result {
    CONFIRMATION_DONE,
    CONFIRMATION_RESET,  /* Redis's data was reset: see marks-confirm.lua */
    CONFIRMATION_BROKEN, /* no reply of the script */
};

/* Takes the reply of marks-confirm.lua (marks_call). */
enum confirmation_result
confirmation_take_reply(struct confirmation *confirmation, uint64_t connection,
                        const struct redis_reply *reply);

/*
 * The batch of the last marks_add_batch was counted in window_s, with so many
 * jobs, and was sent at sent_ms: Redis lost nothing before it.
 */
void confirmation_note_batch(struct confirmation *confirmation,
                             uint64_t connection, int64_t window_s,
                             int64_t jobs, int64_t sent_ms);

/* True if data was lost since the last call: sets *loss. */
bool confirmation_take_loss(struct confirmation *confirmation,
                            struct marks_loss *loss);

#endif
