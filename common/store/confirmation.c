/*
 * confirmation: a comparison is due after each connect, and once a second while
 * there are windows that are not recorded.
 */
#include "confirmation.h"

#include "base/clock.h"
#include "base/util.h"

enum {
    CONFIRM_MS = 1000, /* between two comparisons */
};

void
confirmation_init(struct confirmation *confirmation)
{
    *confirmation = (struct confirmation){0};
    marks_init(&confirmation->marks);
}

/* True if nothing was compared on this connection, and there may be a mark. */
static bool
is_new(const struct confirmation *confirmation, uint64_t connection)
{
    return marks_has_sent(&confirmation->marks) &&
           confirmation->connection != connection;
}

bool
confirmation_is_due(const struct confirmation *confirmation,
                    uint64_t connection, int64_t now_ms)
{
    return confirmation->wanted || is_new(confirmation, connection) ||
           (marks_is_needed(&confirmation->marks) &&
            now_ms - confirmation->tried_ms >= CONFIRM_MS);
}

int64_t
confirmation_idle_ms(const struct confirmation *confirmation,
                     uint64_t connection, int64_t now_ms)
{
    bool new_connection = is_new(confirmation, connection);

    if (!new_connection && !marks_is_needed(&confirmation->marks)) {
        return -1;
    }
    return new_connection && confirmation->tried_connection != connection
               ? 0
               : int64_max(confirmation->tried_ms + CONFIRM_MS - now_ms, 0);
}

void
confirmation_try(struct confirmation *confirmation, uint64_t connection)
{
    confirmation->tried_connection = connection;
    confirmation->tried_ms = clock_mono_ms();
}

enum confirmation_result
confirmation_take_reply(struct confirmation *confirmation, uint64_t connection,
                        const struct redis_reply *reply)
{
    struct marks_loss loss;
    int64_t kind;

    if (!redis_reply_int(redis_reply_at(reply, 0), &kind)) {
        return CONFIRMATION_BROKEN;
    }
    if (kind == 2) {
        return CONFIRMATION_RESET;
    }
    loss = marks_take_reply(&confirmation->marks, reply);
    if (loss.lost + loss.late > 0) {
        confirmation->loss = loss;
    }
    confirmation->wanted = false;
    confirmation->connection = connection;
    return CONFIRMATION_DONE;
}

void
confirmation_note_batch(struct confirmation *confirmation, uint64_t connection,
                        int64_t window_s, int64_t jobs, int64_t sent_ms)
{
    if (!marks_is_needed(&confirmation->marks)) {
        confirmation->tried_ms = sent_ms;
    }
    confirmation->connection = connection;
    marks_confirm_batch(&confirmation->marks, window_s, jobs);
}

bool
confirmation_take_loss(struct confirmation *confirmation,
                       struct marks_loss *loss)
{
    *loss = confirmation->loss;
    confirmation->loss = (struct marks_loss){0};
    return loss->lost + loss->late > 0;
}
