/*
 * The sink that appends to a file, one line a window, each exactly once: the
 * append is fenced in the file itself, by a lock and by what its tail says.
 */
#ifndef SINK_FILE_H
#define SINK_FILE_H

#include "sink.h"

extern const struct sink_type sink_file;

#endif
