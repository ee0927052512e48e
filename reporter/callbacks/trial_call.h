/*
 * verve-reporter --call URL: one test callback, so that an operator sees how a
 * receiver takes it. The request is made by the same modules as those of the
 * queue. The queue and the callback log are not touched.
 */
#ifndef TRIAL_CALL_H
#define TRIAL_CALL_H

#include "config/cli.h"
#include "config/options.h"

/*
 * Calls url, with an id that begins with test- and the count 0. Writes request
 * and response to stdout, without the response's body, then a line with status
 * and error word. Returns EXIT_OK if the status was 2xx, EXIT_NO if it was not,
 * EXIT_USAGE if no request may have that endpoint, or EXIT_SYSTEM if Redis is
 * away, which is needed for its clock and its address. Reasons go to stderr.
 * Blocks until the end of the call.
 */
enum exit_code trial_call(const struct options *options, const char *url);

#endif
