/*
 * wishes: a list without duplicates. A destination that a look found is taken
 * out of the hungry ones. If it is left out of the claim, it keeps its place in
 * Redis, so that the next look finds it before those that were served.
 */
#include "wishes.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* Serving a destination costs Redis as much as several of its jobs. */
enum { SHARE_MIN = 8 };

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

/* How many jobs each destination may have if all get the same. */
static size_t
even_share(const struct wishes *wishes, size_t room)
{
    size_t asking = 0;

    for (size_t i = 0; i < wishes->count; i++) {
        asking += wishes->list[i].most > 0;
    }
    return asking == 0 ? 0 : room / asking;
}

/*
 * A destination that asks for no more than an even share gets all. The others
 * get the rest in the order of the list, each at least SHARE_MIN jobs as long
 * as there is room. Those that get none are left out.
 */
static void
share_out(struct wishes *wishes, size_t room)
{
    size_t even = even_share(wishes, room);
    size_t share = even < SHARE_MIN ? SHARE_MIN : even;
    size_t kept = 0;

    for (size_t i = 0; i < wishes->count; i++) {
        room -= wishes->list[i].most <= even ? wishes->list[i].most : 0;
    }
    for (size_t i = 0; i < wishes->count; i++) {
        struct job_queue_wish wish = wishes->list[i];
        char *origin = wishes->origins[i];

        if (wish.most > even) {
            size_t given = size_min(wish.most, size_min(share, room));

            room -= given;
            wishes->cut = wishes->cut || given < wish.most;
            wish.most = given;
            if (given == 0) {
                free(origin);
                continue;
            }
        }
        wishes->list[kept] = wish;
        wishes->origins[kept++] = origin;
    }
    wishes->count = kept;
}

void
wishes_complete(struct wishes *wishes, size_t room)
{
    const char *origin;
    size_t most;
    size_t asked = 0;

    room = size_min(room, JOB_QUEUE_BATCH);
    for (size_t i = 0; i < wishes->count; i++) {
        asked += wishes->list[i].most;
    }
    while (wishes->count < 2 * JOB_QUEUE_FOUND_MAX && asked < room &&
           (origin = fair_queue_hungry(wishes->queue, &most, wishes->now_ms)) !=
               NULL) {
        add(wishes, origin, most, 0);
        asked += most;
    }
    share_out(wishes, room);
}

void
wishes_note_left(const struct wishes *wishes)
{
    for (size_t i = 0; i < wishes->count; i++) {
        fair_queue_note_left(wishes->queue, wishes->list[i].origin,
                             wishes->list[i].left);
    }
}
