/*
 * attempt: which addresses were tried, and what was wrong with them.
 */
#include "attempt.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

void
attempt_start(struct attempt *attempt, const struct addrinfo *addresses)
{
    attempt->address = NULL;
    attempt->next = addresses;
    attempt->finding = ATTEMPT_NO_ANSWER;
    attempt->tried[0] = '\0';
}

const struct addrinfo *
attempt_next(struct attempt *attempt)
{
    attempt->address = attempt->next;
    attempt->next = attempt->address->ai_next;
    return attempt->address;
}

const char *
attempt_fail(struct attempt *attempt, enum attempt_finding finding,
             const char *why)
{
    const struct addrinfo *address = attempt->address;
    size_t used = strlen(attempt->tried);
    char text[NI_MAXHOST] = "?";

    if (attempt->finding < finding) {
        attempt->finding = finding;
    }
    if (used == 0 && (address == NULL || attempt->next == NULL)) {
        return why;
    }
    getnameinfo(address->ai_addr, address->ai_addrlen, text, sizeof(text), NULL,
                0, NI_NUMERICHOST);
    snprintf(attempt->tried + used, sizeof(attempt->tried) - used, "%s%s: %s",
             used > 0 ? "; " : "", text, why);
    return attempt->tried;
}

const char *
attempt_what(const struct attempt *attempt)
{
    switch (attempt->finding) {
    case ATTEMPT_NO_ANSWER:
        break;
    case ATTEMPT_UNUSABLE:
        return "cannot be used";
    case ATTEMPT_NOT_YET:
        return "cannot be used yet";
    }
    return "cannot connect";
}

enum redis_state
attempt_state(const struct attempt *attempt)
{
    return attempt->finding == ATTEMPT_UNUSABLE ? REDIS_STATE_UNUSABLE
                                                : REDIS_STATE_DOWN;
}
