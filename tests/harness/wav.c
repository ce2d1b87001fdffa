#include "tests/harness/wav.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLES_PER_S 8000
#define HEADER_LEN    44u

int16_t wav_from_ulaw(uint8_t code)
{
    uint8_t u = (uint8_t)~code;
    int magnitude = (((u & 0x0F) << 3) + 0x84) << ((u & 0x70) >> 4);
    return (int16_t)((u & 0x80) != 0 ? 0x84 - magnitude : magnitude - 0x84);
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v & 0xFFFF);
    put16(p + 2, v >> 16);
}

static void put_header(uint8_t *p, uint32_t data_len)
{
    memcpy(p, "RIFF", 4);
    put32(p + 4, data_len + HEADER_LEN - 8);
    memcpy(p + 8, "WAVEfmt ", 8);
    put32(p + 16, 16);
    put16(p + 20, 1); /* PCM */
    put16(p + 22, 1);
    put32(p + 24, SAMPLES_PER_S);
    put32(p + 28, SAMPLES_PER_S * 2);
    put16(p + 32, 2);
    put16(p + 34, 16);
    memcpy(p + 36, "data", 4);
    put32(p + 40, data_len);
}

/* Where a burst of one talker lies in the file: packets follow its first one by RTP timestamp, so that jitter is not heard. */
typedef struct burst {
    uint32_t ssrc, timestamp;
    int64_t at; /* sample of that timestamp */
    bool known;
} burst;

static int64_t place(burst *b, const world_seen *seen)
{
    int64_t by_clock = seen->at_us * SAMPLES_PER_S / 1000000;
    if (b->known && b->ssrc == seen->ssrc) {
        int64_t at = b->at + (int32_t)(seen->timestamp - b->timestamp);
        int64_t off = at - by_clock;
        if (off < SAMPLES_PER_S / 4 && off > -SAMPLES_PER_S / 4)
            return at;
    }
    *b = (burst){ seen->ssrc, seen->timestamp, by_clock, true };
    return by_clock;
}

uint8_t *wav_of(const record *rec, int client, size_t *len)
{
    size_t samples = (size_t)(rec->end_us * SAMPLES_PER_S / 1000000) + SAMPLES_PER_S / 4;
    *len = HEADER_LEN + samples * 2;
    uint8_t *file = calloc(1, *len);
    if (file == NULL)
        return NULL;
    put_header(file, (uint32_t)(samples * 2));
    burst b = { 0 };
    for (size_t i = 0; i < rec->seen_count; i++) {
        const world_seen *seen = &rec->seen[i];
        if (seen->what != WORLD_PLAYED || seen->client != client)
            continue;
        int64_t at = place(&b, seen);
        for (size_t n = 0; n < seen->payload_len && at >= 0 && (size_t)at + n < samples; n++)
            put16(file + HEADER_LEN + ((size_t)at + n) * 2, (uint16_t)wav_from_ulaw(seen->payload[n]));
    }
    return file;
}
