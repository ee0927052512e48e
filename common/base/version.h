/* The version of verve, as -V and the header User-Agent show it. */
#ifndef VERSION_H
#define VERSION_H

#define VERVE_VERSION "1.0.0"

#endif
