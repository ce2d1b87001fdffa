#include "base/lanes.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/lanes_x86.h"
#include "base/secret.h"

/* Asked once: on a virtual machine CPUID is a call to the host. */
static const poc_lanes_kernel *sha_ni, *avx512;
static pthread_once_t looked = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)
#include <cpuid.h>

static bool has_sha(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
}

static void look(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("aes") || !__builtin_cpu_supports("sse4.1"))
        return;
    if (has_sha())
        sha_ni = &poc_lanes_kernel_sha_ni;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) /* and the system saves them */
        avx512 = &poc_lanes_kernel_avx512;
}
#else
static void look(void)
{
}
#endif

const poc_lanes_kernel *poc_lanes_sha_ni(void)
{
    pthread_once(&looked, look);
    return sha_ni;
}

const poc_lanes_kernel *poc_lanes_avx512(void)
{
    pthread_once(&looked, look);
    return avx512;
}

void poc_lanes_fill(const poc_lanes_kernel *k, poc_tile *t, size_t first, size_t n, uint32_t value, size_t lanes)
{
    for (size_t word = first; word < first + n; word++) {
        for (size_t lane = 0; lane < lanes; lane++)
            t->w[poc_lanes_at(k, word, lane)] = value;
    }
}

void poc_lanes_wipe(const poc_lanes_kernel *k, poc_tile *t, size_t lanes)
{
    const size_t used = k->lane_step == 1 ? POC_LANES_WORDS * POC_LANES : lanes * k->lane_step;
    poc_wipe(t->w, used * sizeof(t->w[0]));
}
