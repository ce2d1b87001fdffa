/* What clients do with an MSK message, for many of them: private to crowd.c. */
#ifndef TESTS_BENCH_CROWD_ANSWER_H
#define TESTS_BENCH_CROWD_ANSWER_H

#include "base/bytes.h"
#include "base/secret.h"

#define CROWD_OCTETS_MAX 512u

typedef struct crowd_letter {
    poc_span in;           /* as it came */
    const poc_secret *muk; /* of whom it came to; NULL: of nobody */
    uint8_t *out;          /* room for CROWD_OCTETS_MAX */
    size_t out_len;        /* set: the verification message; 0: it does not open */
} crowd_letter;

/** Opens each letter (MAC, decryption, parsing of the key) and answers it. Side by side where the processor can, since one
 *  core stands for the processors of all members and is not what is to be measured. */
void crowd_answer(crowd_letter *letters, size_t n);

#endif
