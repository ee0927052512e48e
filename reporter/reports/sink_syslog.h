/*
 * The system log: each window is one message of syslog(3).
 */
#ifndef SINK_SYSLOG_H
#define SINK_SYSLOG_H

#include "sink.h"

extern const struct sink_type sink_syslog;

#endif
