#include "tests/harness/forge.h"

#include <string.h>

enum { HEADER = 12, TAIL = POC_MKI_LEN + 10, NOISE_MIN = HEADER + TAIL, NOISE_MORE = 300 };

void forge_hear(forge_ear *ear, poc_span datagram)
{
    if (datagram.n == 0 || datagram.n > BCAST_PACKET_MAX)
        return;
    memcpy(ear->last, datagram.p, datagram.n);
    ear->last_len = datagram.n;
    if (ear->first_len > 0)
        return;
    memcpy(ear->first, datagram.p, datagram.n);
    ear->first_len = datagram.n;
}

static size_t noise(test_rng *chance, uint8_t *out)
{
    size_t n = NOISE_MIN + (size_t)test_rng_below(chance, NOISE_MORE);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)test_rng_next(chance);
    return n;
}

static size_t noise_with(test_rng *chance, const forge_ear *ear, size_t head, size_t tail, uint8_t *out)
{
    size_t n = noise(chance, out);
    if (ear->last_len < head + tail)
        return 0;
    memcpy(out, ear->last, head);
    memcpy(out + n - tail, ear->last + ear->last_len - tail, tail);
    return n;
}

static size_t again(const uint8_t *datagram, size_t n, uint8_t *out)
{
    if (n > 0)
        memcpy(out, datagram, n);
    return n;
}

static size_t flipped(test_rng *chance, const forge_ear *ear, uint8_t *out)
{
    size_t n = again(ear->last, ear->last_len, out);
    if (n > 0)
        out[test_rng_below(chance, n)] ^= (uint8_t)(1u << test_rng_below(chance, 8));
    return n;
}

size_t forge_make(const forge_ear *ear, unsigned kind, test_rng *chance, uint8_t out[BCAST_PACKET_MAX])
{
    switch (kind) {
    case 0:
        return noise(chance, out);
    case 1:
        return noise_with(chance, ear, HEADER, 0, out);
    case 2:
        return noise_with(chance, ear, HEADER, TAIL, out);
    case 3:
        return flipped(chance, ear, out);
    case 4:
        return again(ear->last, ear->last_len, out);
    default:
        return again(ear->first, ear->first_len, out);
    }
}
