/*
 * redis_reason: the first word of an error of Redis is its kind.
 */
#include "redis_reason.h"

#include "base/util.h"

const char *const redis_reason_names[REDIS_REASONS_COUNT] = {
    [REDIS_REASON_AWAY] = "away",
    [REDIS_REASON_LOST] = "lost",
    [REDIS_REASON_FULL] = "full",
    [REDIS_REASON_REFUSED] = "refused",
    [REDIS_REASON_SPARSE] = "sparse",
    [REDIS_REASON_MOVED] = "moved",
    [REDIS_REASON_TRYAGAIN] = "tryagain",
    [REDIS_REASON_CLUSTERDOWN] = "clusterdown",
};

enum redis_reason
redis_reason_of(enum redis_result result, const char *refusal)
{
    static const struct {
        const char *word;
        enum redis_reason reason;
    } kinds[] = {
        {"OOM ", REDIS_REASON_FULL},
        {"MOVED ", REDIS_REASON_MOVED},
        {"TRYAGAIN ", REDIS_REASON_TRYAGAIN},
        {"CLUSTERDOWN ", REDIS_REASON_CLUSTERDOWN},
    };

    switch (result) {
    case REDIS_AWAY:
        return starts_with(refusal, "MOVED ") ? REDIS_REASON_MOVED
                                              : REDIS_REASON_AWAY;
    case REDIS_SPARSE:
        return REDIS_REASON_SPARSE;
    case REDIS_LOST:
    case REDIS_DONE:
    case REDIS_PENDING:
        return REDIS_REASON_LOST;
    case REDIS_REFUSED:
        break;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (starts_with(refusal, kinds[i].word)) {
            return kinds[i].reason;
        }
    }
    return REDIS_REASON_REFUSED;
}
