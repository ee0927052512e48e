/*
 * number: strict text to int64. Not strtoll, which skips blanks, stops at the
 * first byte it dislikes and needs a terminator.
 */
#include "number.h"

bool
number_parse(const char *text, size_t len, int64_t *value)
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
        /* Downwards from zero, as the smallest number has no positive twin. */
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
