/*
 * What the programs say of themselves (store/presence.h), put in order for the
 * status page: web hosts, workers of reporters, sinks and destinations.
 */
#ifndef STATUS_PRESENT_H
#define STATUS_PRESENT_H

#include <stddef.h>

struct json_t;

/*
 * Takes "present" out of status (see status_look), and adds in its place
 * "web", "reporters", "sinks" and "destinations", each with at most `most`
 * rows, and "callbacks", the sums of all workers that live.
 */
void status_present_sort(struct json_t *status, size_t most);

#endif
