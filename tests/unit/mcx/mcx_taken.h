/* A message of the vectors in the hands of its receiver, who may get it altered. */
#ifndef TESTS_UNIT_MCX_MCX_TAKEN_H
#define TESTS_UNIT_MCX_MCX_TAKEN_H

#include "tests/unit/mcx/mcx_world.h"

typedef struct taken {
    const json_t *entry;
    vec_bytes octets;
    mikey_msg msg;
    mcx_expected expected;
} taken;

/** A message of the vectors and what its receiver expects; stands until the next one is taken. */
taken *take(const mcx_world *w, const char *name);
const mcx_identity *sender_of(const mcx_world *w, const taken *t);
/** After a change to the octets: signed anew by `who` (NULL: not), and read again. */
void change(taken *t, const mcx_identity *who);
void assert_opens(const taken *t);
/** Refused with this kind and reason, and nothing of it is left. */
void assert_refused(const taken *t, poc_err want, const char *reason);
/** What it was sealed with. */
void params_of(mcx_seal_params *p, mcx_key_parameters *parameters, const mcx_world *w, const taken *t);

#endif
