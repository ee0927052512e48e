/*
 * cidr: strict about what it reads, as a typing error in it opens a network:
 * a block with bits behind its prefix is refused rather than rounded.
 */
#include "ip_block.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int
width(int family)
{
    return family == AF_INET ? 32 : 128;
}

/* The byte of a netmask of that many bits, at index i. */
static uint8_t
mask_byte(int bits, int i)
{
    int ones = bits - i * 8;

    if (ones <= 0) {
        return 0;
    }
    if (ones >= 8) {
        return UINT8_MAX;
    }
    return (uint8_t) ~(UINT8_MAX >> ones);
}

/* One to three digits without a leading zero; -1 for anything else. */
static int
read_bits(const char *text)
{
    size_t len = strspn(text, "0123456789");
    int bits = 0;

    if (len == 0 || len > 3 || text[len] != '\0' ||
        (text[0] == '0' && len > 1)) {
        return -1;
    }
    for (; *text != '\0'; text++) {
        bits = bits * 10 + (*text - '0');
    }
    return bits;
}

static bool
has_host_bits(const struct ip_block *block)
{
    for (int i = 0; i < (int)sizeof(block->first.bytes); i++) {
        if ((block->first.bytes[i] & ~mask_byte(block->bits, i)) != 0) {
            return true;
        }
    }
    return false;
}

const char *
ip_block_parse(const char *text, size_t len, struct ip_block *block)
{
    char copy[IP_BLOCK_TEXT_SIZE];
    char *slash;

    memset(block, 0, sizeof(*block));
    if (len >= sizeof(copy)) {
        return "is no address";
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    slash = strchr(copy, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    block->first.family = strchr(copy, ':') == NULL ? AF_INET : AF_INET6;
    if (inet_pton(block->first.family, copy, block->first.bytes) != 1) {
        return "is no address";
    }
    block->bits =
        slash == NULL ? width(block->first.family) : read_bits(slash + 1);
    if (block->bits < 0 || block->bits > width(block->first.family)) {
        return block->first.family == AF_INET
                   ? "needs 0 to 32 bits behind the slash"
                   : "needs 0 to 128 bits behind the slash";
    }
    return has_host_bits(block) ? "has bits set behind its prefix" : NULL;
}

bool
ip_block_holds(const struct ip_block *block, const struct ip_address *address)
{
    if (block->first.family != address->family) {
        return false;
    }
    for (int i = 0; i * 8 < block->bits; i++) {
        if (((block->first.bytes[i] ^ address->bytes[i]) &
             mask_byte(block->bits, i)) != 0) {
            return false;
        }
    }
    return true;
}

bool
ip_block_is_single(const struct ip_block *block)
{
    return block->bits == width(block->first.family);
}

void
ip_block_format(const struct ip_block *block, char text[IP_BLOCK_TEXT_SIZE])
{
    char first[IP_ADDRESS_TEXT_SIZE];

    ip_address_format(&block->first, first);
    snprintf(text, IP_BLOCK_TEXT_SIZE, "%s/%d", first, block->bits);
}
