/*
 * wishes: a list without duplicates. A destination that a look found is taken
 * out of the hungry ones.
 */
#include "wishes.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

void
wishes_init(struct wishes *wishes, struct fair_queue *queue, int64_t now_ms)
{
    wishes->queue = queue;
    wishes->now_ms = now_ms;
    wishes->strangers = fair_queue_room_for_strangers(queue);
    wishes->count = 0;
    wishes->cut = false;
}

void
wishes_fini(struct wishes *wishes)
{
    while (wishes->count > 0) {
        free(wishes->origins[--wishes->count]);
    }
}

/* Without memory, the destination is found again. */
static void
add(struct wishes *wishes, const char *origin, size_t most, int64_t wait_ms)
{
    char *copy = strdup(origin);

    if (copy != NULL) {
        wishes->origins[wishes->count] = copy;
        wishes->list[wishes->count++] = (struct job_queue_wish){
            .origin = copy, .most = most, .wait_ms = wait_ms};
    }
}

void
wishes_found(void *context, const char *origin, bool proven)
{
    struct wishes *wishes = context;
    bool stranger;
    int64_t wait_ms;
    size_t room = fair_queue_room_of(wishes->queue, origin, proven, &stranger,
                                     &wait_ms, wishes->now_ms);

    fair_queue_note_left(wishes->queue, origin, 0);
    if (stranger && room > 0) {
        if (wishes->strangers == 0) {
            return; /* it keeps its place in Redis */
        }
        wishes->strangers--;
    }
    add(wishes, origin, room, wait_ms);
}

void
wishes_complete(struct wishes *wishes, size_t room)
{
    const char *origin;
    size_t most;
    size_t asking = 0;
    size_t share;

    while (wishes->count < 2 * JOB_QUEUE_FOUND_MAX &&
           (origin = fair_queue_hungry(wishes->queue, &most, wishes->now_ms)) !=
               NULL) {
        add(wishes, origin, most, 0);
    }
    for (size_t i = 0; i < wishes->count; i++) {
        asking += wishes->list[i].most > 0;
    }
    share = asking == 0 ? 0 : size_min(room, JOB_QUEUE_BATCH) / asking;
    for (size_t i = 0; i < wishes->count; i++) {
        wishes->cut = wishes->cut || wishes->list[i].most > share;
        wishes->list[i].most = size_min(wishes->list[i].most, share);
    }
}

void
wishes_note_left(const struct wishes *wishes)
{
    for (size_t i = 0; i < wishes->count; i++) {
        fair_queue_note_left(wishes->queue, wishes->list[i].origin,
                             wishes->list[i].left);
    }
}
