/*
 * reply_limit: in place of hiredis's function that makes an array. Its own
 * limit (maxelements) came after release 0.14.
 */
#include "reply_limit.h"

#include <hiredis/hiredis.h>
#include <stddef.h>

#if HIREDIS_MAJOR >= 1
typedef size_t elements;
#else
typedef int elements;
#endif

static redisReplyObjectFunctions functions;
static void *(*create_any)(const redisReadTask *, elements);

static void *
create_array(const redisReadTask *task, elements count)
{
    return count > REPLY_LIMIT_ELEMENTS ? NULL : create_any(task, count);
}

void
reply_limit_set(struct redisReader *reader)
{
    if (create_any == NULL) {
        functions = *reader->fn;
        create_any = functions.createArray;
        functions.createArray = create_array;
    }
    reader->fn = &functions;
}
