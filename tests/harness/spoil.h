/* Peers that do not keep to the agreement, for both worlds: what goes wrong between an offer of the PF and its answer. */
#ifndef TESTS_HARNESS_SPOIL_H
#define TESTS_HARNESS_SPOIL_H

#include <stdbool.h>

#define SPOIL_WORD_MAX 20u

/** Is this something that can go wrong? "": nothing does. */
bool spoil_knows(const char *word);
/** Edits a description in place, without changing its length: an offer as it comes in, or the answer as it goes out. */
void spoil_sdp(const char *word, bool is_answer, char *sdp);

#endif
