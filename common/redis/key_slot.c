/*
 * key_slot: CRC-16/XMODEM, bit by bit. It is computed for a few keys when a
 * program starts, and never for a request.
 */
#include "key_slot.h"

#include <stdint.h>
#include <string.h>

enum { POLYNOMIAL = 0x1021 };

static uint16_t
crc16(const char *bytes, size_t len)
{
    unsigned crc = 0;

    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned)(uint8_t)bytes[i] << 8;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc << 1 ^ ((crc & 0x8000) != 0 ? POLYNOMIAL : 0);
        }
    }
    return (uint16_t)crc;
}

int
key_slot(const char *key, size_t len)
{
    const char *open = memchr(key, '{', len);
    const char *tag = open == NULL ? NULL : open + 1;
    const char *close =
        tag == NULL ? NULL : memchr(tag, '}', len - (size_t)(tag - key));

    return close == NULL || close == tag
               ? crc16(key, len) % KEY_SLOTS
               : crc16(tag, (size_t)(close - tag)) % KEY_SLOTS;
}
