/* What a client heard, as sound: 16 bit, 8 kHz, one channel, with silence where nothing was played. */
#ifndef TESTS_HARNESS_WAV_H
#define TESTS_HARNESS_WAV_H

#include "tests/harness/record.h"

/** The whole WAV file from the start of the scenario to its end, malloc'ed; NULL when out of memory. */
uint8_t *wav_of(const record *rec, int client, size_t *len);
/** G.711 mu-law to 16 bits. */
int16_t wav_from_ulaw(uint8_t code);

#endif
