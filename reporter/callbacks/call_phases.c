/*
 * call_phases: libcurl tells the times since the start of the transfer at which
 * each phase ended; 0 if it did not. For a kept connection the ends of its
 * phases are those of the look for it.
 */
#include "call_phases.h"

#include <stdbool.h>

static int64_t
time_of(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;

    curl_easy_getinfo(easy, info, &us);
    return (int64_t)us;
}

static int64_t
between(int64_t from_us, int64_t to_us)
{
    return to_us > from_us ? to_us - from_us : -1;
}

static bool
is_kept(CURL *easy)
{
    long connects = 0;

    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    return connects == 0;
}

struct call_phases
call_phases_read(CURL *easy)
{
    int64_t connected_us = time_of(easy, CURLINFO_CONNECT_TIME_T);
    struct call_phases phases = {
        .connect_us = -1,
        .tls_us = -1,
        .answer_us = between(time_of(easy, CURLINFO_PRETRANSFER_TIME_T),
                             time_of(easy, CURLINFO_STARTTRANSFER_TIME_T)),
    };

    if (connected_us > 0 && !is_kept(easy)) {
        phases.connect_us =
            between(time_of(easy, CURLINFO_NAMELOOKUP_TIME_T), connected_us);
        phases.tls_us =
            between(connected_us, time_of(easy, CURLINFO_APPCONNECT_TIME_T));
    }
    return phases;
}
