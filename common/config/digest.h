/*
 * A short digest of the settings that all hosts should share, so that a host
 * with another configuration is found.
 */
#ifndef DIGEST_H
#define DIGEST_H

#include "options.h"

enum { CONFIG_DIGEST_SIZE = 9 }; /* 8 hexadecimal digits and a NUL */

/*
 * Writes 32 bits of a hash of all effective values, defaults included, but
 * without secrets, without what belongs to a host (addresses of Redis, paths,
 * logs, metrics), and without the choice of what a host does
 * (docs/configuration.md). It is the same in both programs, and only comparable
 * within one version. The hash is FNV-1a: it finds mistakes, not forgeries, and
 * needs no cryptography that a system may forbid. 0, or -1: no memory.
 */
int config_digest(const struct options *options,
                  char digest[CONFIG_DIGEST_SIZE]);

#endif
