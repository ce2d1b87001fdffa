/* Floor control of mission critical services as a content source sends it (TS 24.380 8.2): what goes on air under a MuSiK. */
#ifndef TESTS_HARNESS_FLOOR_H
#define TESTS_HARNESS_FLOOR_H

#include "base/bytes.h"

#define FLOOR_MESSAGE_MAX 64u

/** Appends a clear Floor Taken with this message sequence number. */
void floor_taken_put(poc_wr *out, uint32_t ssrc, uint16_t number);

#endif
