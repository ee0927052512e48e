/*
 * call_phases: libcurl tells the times since the start of the transfer at which
 * each phase ended; 0 if it did not, or if the connection was kept.
 */
#include "call_phases.h"

static int64_t
time_of(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;

    curl_easy_getinfo(easy, info, &us);
    return (int64_t)us;
}

static int64_t
between(CURL *easy, CURLINFO from, CURLINFO to)
{
    int64_t us = time_of(easy, to) - time_of(easy, from);

    return us > 0 ? us : -1;
}

struct call_phases
call_phases_read(CURL *easy)
{
    return (struct call_phases){
        .connect_us =
            between(easy, CURLINFO_NAMELOOKUP_TIME_T, CURLINFO_CONNECT_TIME_T),
        .tls_us =
            between(easy, CURLINFO_CONNECT_TIME_T, CURLINFO_APPCONNECT_TIME_T),
        .answer_us = between(easy, CURLINFO_PRETRANSFER_TIME_T,
                             CURLINFO_STARTTRANSFER_TIME_T),
    };
}
