#include "pf/io/now.h"

#include <pthread.h>
#include <time.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int64_t offset_ms; /* wall clock minus monotonic clock at the first call; constant afterwards */

static int64_t read_ms(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void take_offset(void)
{
    offset_ms = read_ms(CLOCK_REALTIME) - read_ms(CLOCK_MONOTONIC);
}

int64_t io_now_ms(void)
{
    (void)pthread_once(&once, take_offset);
    return offset_ms + read_ms(CLOCK_MONOTONIC);
}
