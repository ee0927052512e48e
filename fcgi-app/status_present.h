/*
 * What the programs say of themselves (store/presence.h), put in order for the
 * status page: web hosts, workers of reporters, sinks and destinations.
 */
#ifndef STATUS_PRESENT_H
#define STATUS_PRESENT_H

#include <stddef.h>

struct json_t;

/*
 * Takes "present" out of status (see status_look), and adds in its place the
 * lists "web", "reporters", "sinks" and "destinations", the worst of these, and
 * "callbacks", the sums of all workers that live.
 */
void status_present_sort(struct json_t *status);

/* Cuts each of the lists to at most `most` rows. */
void status_present_cut(struct json_t *status, size_t most);

#endif
