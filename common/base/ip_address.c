/*
 * ip_address: addresses and blocks, from text and to text. A block with bits
 * set after its prefix is refused, not rounded: such a typing error could open
 * a whole network.
 */
#include "ip_address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

int
ip_address_read(const struct sockaddr *from, struct ip_address *address,
                uint16_t *port)
{
    memset(address, 0, sizeof(*address));
    address->family = from->sa_family;
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;

        memcpy(address->bytes, &in->sin_addr, sizeof(in->sin_addr));
        *port = ntohs(in->sin_port);
        return 0;
    }
    if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

        memcpy(address->bytes, &in6->sin6_addr, sizeof(in6->sin6_addr));
        *port = ntohs(in6->sin6_port);
        return 0;
    }
    return -1;
}

bool
ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
    return a->family == b->family &&
           memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void
ip_address_format(const struct ip_address *address,
                  char text[IP_ADDRESS_TEXT_SIZE])
{
    if (inet_ntop(address->family, address->bytes, text,
                  IP_ADDRESS_TEXT_SIZE) == NULL) {
        text[0] = '\0';
    }
}

static int
width(int family)
{
    return family == AF_INET ? 32 : 128;
}

/* Byte i of the netmask for a prefix of that many bits. */
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
ip_block_contains(const struct ip_block *block,
                  const struct ip_address *address)
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
