/*
 * cidr: strict about what it reads, as a typing error in it opens a network:
 * a block with bits behind its prefix is refused rather than rounded.
 */
#include "cidr.h"

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
has_host_bits(const struct cidr *cidr)
{
    for (int i = 0; i < (int)sizeof(cidr->first.bytes); i++) {
        if ((cidr->first.bytes[i] & ~mask_byte(cidr->bits, i)) != 0) {
            return true;
        }
    }
    return false;
}

const char *
cidr_parse(const char *text, size_t len, struct cidr *cidr)
{
    char copy[CIDR_TEXT_SIZE];
    char *slash;

    memset(cidr, 0, sizeof(*cidr));
    if (len >= sizeof(copy)) {
        return "is no address";
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    slash = strchr(copy, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    cidr->first.family = strchr(copy, ':') == NULL ? AF_INET : AF_INET6;
    if (inet_pton(cidr->first.family, copy, cidr->first.bytes) != 1) {
        return "is no address";
    }
    cidr->bits =
        slash == NULL ? width(cidr->first.family) : read_bits(slash + 1);
    if (cidr->bits < 0 || cidr->bits > width(cidr->first.family)) {
        return cidr->first.family == AF_INET
                   ? "needs 0 to 32 bits behind the slash"
                   : "needs 0 to 128 bits behind the slash";
    }
    return has_host_bits(cidr) ? "has bits set behind its prefix" : NULL;
}

bool
cidr_holds(const struct cidr *cidr, const struct address *address)
{
    if (cidr->first.family != address->family) {
        return false;
    }
    for (int i = 0; i * 8 < cidr->bits; i++) {
        if (((cidr->first.bytes[i] ^ address->bytes[i]) &
             mask_byte(cidr->bits, i)) != 0) {
            return false;
        }
    }
    return true;
}

bool
cidr_is_single(const struct cidr *cidr)
{
    return cidr->bits == width(cidr->first.family);
}

void
cidr_format(const struct cidr *cidr, char text[CIDR_TEXT_SIZE])
{
    char first[ADDRESS_TEXT_SIZE];

    address_format(&cidr->first, first);
    snprintf(text, CIDR_TEXT_SIZE, "%s/%d", first, cidr->bits);
}
