/* The daemon's clock: milliseconds since 1970 that never run backwards. The wall clock is read once, then the monotonic one
 * counts on, so that a stepped wall clock neither ends keys early nor lets them live. Private to pf/io. */
#ifndef PF_IO_NOW_H
#define PF_IO_NOW_H

#include <stdint.h>

/** Thread-safe. */
int64_t io_now_ms(void);

#endif
