/*
 * address_load: a hash table of the addresses with attempts. It has at most as
 * many entries as there are attempts under way, times ADDRESS_SET_MAX.
 */
#include "address_load.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024 };

struct entry {
    struct entry *next;
    size_t count; /* attempts; never 0 */
    uint8_t key[ADDRESS_KEY_SIZE];
};

struct address_load {
    struct entry *buckets[BUCKETS];
};

/* Reads one address, [IPv6] or IPv4, which a port may follow. False if it is
   none. */
static bool
read_key(const char *text, size_t len, uint8_t key[ADDRESS_KEY_SIZE])
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t bytes[sizeof(struct in6_addr)];
    bool bracket = len > 0 && text[0] == '[';
    const char *end;

    text += bracket;
    len -= bracket;
    end = memchr(text, bracket ? ']' : ':', len);
    len = end == NULL ? len : (size_t)(end - text);
    if (len >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    memset(key, 0, ADDRESS_KEY_SIZE);
    if (inet_pton(AF_INET, copy, bytes) == 1) {
        key[0] = 4;
        memcpy(key + 1, bytes, 4);
        return true;
    }
    if (inet_pton(AF_INET6, copy, bytes) == 1) {
        key[0] = 6;
        memcpy(key + 1, bytes, 8);
        return true;
    }
    return false;
}

static bool
has_key(const struct address_set *set, const uint8_t key[ADDRESS_KEY_SIZE])
{
    for (size_t i = 0; i < set->count; i++) {
        if (memcmp(set->keys[i], key, ADDRESS_KEY_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

void
address_set_read(struct address_set *set, const char *addresses)
{
    uint8_t key[ADDRESS_KEY_SIZE];

    set->count = 0;
    while (*addresses != '\0' && set->count < ADDRESS_SET_MAX) {
        size_t len = strcspn(addresses, ",");

        if (read_key(addresses, len, key) && !has_key(set, key)) {
            memcpy(set->keys[set->count++], key, ADDRESS_KEY_SIZE);
        }
        addresses += len;
        addresses += *addresses == ',';
    }
}

struct address_load *
address_load_open(void)
{
    return calloc(1, sizeof(struct address_load));
}

void
address_load_close(struct address_load *load)
{
    if (load == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (load->buckets[i] != NULL) {
            struct entry *entry = load->buckets[i];

            load->buckets[i] = entry->next;
            free(entry);
        }
    }
    free(load);
}

/* FNV-1a. If a client chooses addresses that collide, the table has at most
   some thousand entries. */
static size_t
bucket_of(const uint8_t key[ADDRESS_KEY_SIZE])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < ADDRESS_KEY_SIZE; i++) {
        hash = (hash ^ key[i]) * UINT64_C(0x100000001b3);
    }
    return (size_t)((hash ^ hash >> 32) % BUCKETS);
}

/* The link to the entry of the key; to NULL if there is none. */
static struct entry *const *
find(const struct address_load *load, const uint8_t key[ADDRESS_KEY_SIZE])
{
    struct entry *const *link = &load->buckets[bucket_of(key)];

    while (*link != NULL && memcmp((*link)->key, key, ADDRESS_KEY_SIZE) != 0) {
        link = &(*link)->next;
    }
    return link;
}

bool
address_load_has_room(const struct address_load *load,
                      const struct address_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct entry *entry = *find(load, set->keys[i]);

        if (entry != NULL && entry->count >= ADDRESS_LOAD_MAX) {
            return false;
        }
    }
    return true;
}

static int
take_key(struct address_load *load, const uint8_t key[ADDRESS_KEY_SIZE])
{
    struct entry *entry = *find(load, key);

    if (entry == NULL) {
        struct entry **head = &load->buckets[bucket_of(key)];

        entry = calloc(1, sizeof(*entry));
        if (entry == NULL) {
            return -1;
        }
        memcpy(entry->key, key, ADDRESS_KEY_SIZE);
        entry->next = *head;
        *head = entry;
    }
    entry->count++;
    return 0;
}

static void
give_key(struct address_load *load, const uint8_t key[ADDRESS_KEY_SIZE])
{
    struct entry **link = (struct entry **)find(load, key);
    struct entry *entry = *link;

    if (entry != NULL && --entry->count == 0) {
        *link = entry->next;
        free(entry);
    }
}

int
address_load_take(struct address_load *load, const struct address_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (take_key(load, set->keys[i]) != 0) {
            while (i > 0) {
                give_key(load, set->keys[--i]);
            }
            return -1;
        }
    }
    return 0;
}

void
address_load_give(struct address_load *load, const struct address_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        give_key(load, set->keys[i]);
    }
}
