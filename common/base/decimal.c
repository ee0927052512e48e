/*
 * decimal: a strict conversion of text to int64_t, and back. strtoll(3) would
 * skip blanks, stop at the first wrong byte and need a terminator. snprintf(3)
 * costs ten times as much as the rest of an argument to Redis.
 */
#include "decimal.h"

#include <stdlib.h>
#include <string.h>

bool
decimal_parse(const char *text, size_t len, int64_t *value)
{
    bool negative = len > 0 && text[0] == '-';
    size_t i = len > 0 && (text[0] == '-' || text[0] == '+');
    int64_t sum = 0;

    if (i == len) {
        return false;
    }
    for (; i < len; i++) {
        int digit = text[i] - '0';

        if (digit < 0 || digit > 9) {
            return false;
        }
        /* The sum is negative, because -INT64_MIN is not an int64_t. */
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_sub_overflow(sum, digit, &sum)) {
            return false;
        }
    }
    if (!negative && sum == INT64_MIN) {
        return false;
    }
    *value = negative ? sum : -sum;
    return true;
}

int64_t
decimal_getenv(const char *name, int64_t fallback)
{
    const char *text = getenv(name);
    int64_t value = fallback;

    if (text != NULL) {
        decimal_parse(text, strlen(text), &value);
    }
    return value;
}

size_t
decimal_format(char text[DECIMAL_TEXT_SIZE], int64_t value)
{
    char digits[DECIMAL_TEXT_SIZE];
    char *first = digits + sizeof(digits);
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    size_t len;

    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        *--first = '-';
    }
    len = (size_t)(digits + sizeof(digits) - first);
    memcpy(text, first, len);
    return len;
}
