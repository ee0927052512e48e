/*
 * Judges what the status page shows: the state in one word, and what is wrong,
 * each finding with what to do. Pure.
 */
#ifndef STATUS_JUDGE_H
#define STATUS_JUDGE_H

struct json_t;

/*
 * Adds to page "state" ("ok", "warning" or "down") and "findings", the worst
 * first: {"severity": "down", "warning" or "note", "code", "text", "todo"}. A
 * note does not change the state. page has "redis", and "store" unless nothing
 * was ever read from Redis: see docs/status.md.
 */
void status_judge(struct json_t *page);

#endif
