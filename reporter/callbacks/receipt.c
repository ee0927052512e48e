/*
 * receipt: bounds, and the one header that matters to us.
 */
#include "receipt.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "retry_after.h"

#define RETRY_AFTER "Retry-After:"

/* A longer value is neither seconds nor a date. */
enum { VALUE_SIZE = 64, NAME_LEN = sizeof(RETRY_AFTER) - 1 };

static int64_t
read_retry_after(const char *text, size_t len)
{
    char value[VALUE_SIZE];
    int64_t wait_ms;

    if (len >= sizeof(value)) {
        return 0;
    }
    memcpy(value, text, len);
    value[len] = '\0';
    wait_ms = retry_after_ms(value, clock_wall_ms() / 1000);
    return wait_ms > 0 ? wait_ms : 0;
}

bool
receipt_head(struct receipt *receipt, const char *line, size_t len)
{
    receipt->head_bytes += len;
    receipt->head_cut = receipt->head_bytes > RECEIPT_HEAD_MAX_BYTES;
    if (len > NAME_LEN && strncasecmp(line, RETRY_AFTER, NAME_LEN) == 0) {
        receipt->retry_after_ms =
            read_retry_after(line + NAME_LEN, len - NAME_LEN);
    }
    return !receipt->head_cut;
}

bool
receipt_body(struct receipt *receipt, size_t len)
{
    receipt->body_bytes += len;
    receipt->body_cut = receipt->body_bytes >= RECEIPT_BODY_MAX_BYTES;
    return !receipt->body_cut;
}
