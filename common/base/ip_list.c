/*
 * ip_list: an array of blocks, which is searched from its start; lists are
 * written by hand and short.
 */
#include "ip_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATORS ", \t"

/* How much of a bad entry is shown: enough for any address. */
enum { ENTRY_SHOWN = IP_BLOCK_TEXT_SIZE };

int
ip_list_read(struct ip_list *list, const char *text, char why[IP_LIST_WHY_SIZE])
{
    size_t len;

    /* Each entry has at least one byte and, except the last, a separator. */
    *list = (struct ip_list){
        .blocks = calloc(strlen(text) / 2 + 1, sizeof(struct ip_block))};
    if (list->blocks == NULL) {
        snprintf(why, IP_LIST_WHY_SIZE, "no memory");
        return -1;
    }
    for (text += strspn(text, SEPARATORS); *text != '\0';
         text += len + strspn(text + len, SEPARATORS)) {
        const char *problem;

        len = strcspn(text, SEPARATORS);
        problem = ip_block_parse(text, len, &list->blocks[list->count++]);
        if (problem != NULL) {
            snprintf(why, IP_LIST_WHY_SIZE, "\"%.*s\" %s",
                     len < ENTRY_SHOWN ? (int)len : ENTRY_SHOWN, text, problem);
            errno = EINVAL;
            return -1;
        }
    }
    return 0;
}

void
ip_list_fini(struct ip_list *list)
{
    free(list->blocks);
    *list = (struct ip_list){0};
}

const char *
ip_list_problem(const char *text)
{
    char why[IP_LIST_WHY_SIZE];
    struct ip_list list;
    bool right = ip_list_read(&list, text, why) == 0;

    ip_list_fini(&list);
    return right ? NULL
                 : "an entry is an address (192.0.2.1, 2001:db8::1) or a block "
                   "(10.0.0.0/8) without bits behind its prefix";
}

bool
ip_list_has(const struct ip_list *list, const struct ip_address *address,
            bool exact)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct ip_block *block = &list->blocks[i];

        if (ip_block_contains(block, address) &&
            (!exact || ip_block_is_single(block))) {
            return true;
        }
    }
    return false;
}
