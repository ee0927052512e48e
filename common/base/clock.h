/*
 * The local clocks. No count depends on them: windows follow the clock of Redis
 * (see counter.h and window_closer.h).
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC: for time limits and durations. */
int64_t clock_mono_ms(void);

/* The same in microseconds. */
int64_t clock_mono_us(void);

/* Milliseconds of CLOCK_BOOTTIME, which goes on while the machine sleeps: to
   know what a clock elsewhere shows by now. */
int64_t clock_boot_ms(void);

/* Milliseconds since the Unix epoch: for logs and for receivers. */
int64_t clock_wall_ms(void);

#endif
