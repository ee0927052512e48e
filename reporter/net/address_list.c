/*
 * address_list: see RFC 8305, 4, for the order in which families alternate.
 */
#include "address_list.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int
address_list_pick(const char *list, int round,
                  char pair[ADDRESS_LIST_PAIR_SIZE])
{
    int seen[2] = {0, 0}; /* of IPv4, of IPv6 */
    size_t used = 0;

    pair[0] = '\0';
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        bool six = list[0] == '[';

        if (seen[six] == round) {
            used +=
                (size_t)snprintf(pair + used, ADDRESS_LIST_PAIR_SIZE - used,
                                 "%s%.*s", used > 0 ? "," : "", (int)len, list);
        }
        seen[six]++;
        list += len + (list[len] == ',');
    }
    return seen[0] > seen[1] ? seen[0] : seen[1];
}
