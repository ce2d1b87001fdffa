/* A BSF, a USIM known to it, and a NAF, in one process and on a clock turned by hand. */
#ifndef TESTS_UNIT_GBA_WORLD_H
#define TESTS_UNIT_GBA_WORLD_H

#include "gba/gba.h"
#include "tests/support/rng.h"

#define WORLD_BSF   "bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define WORLD_NAF   "pf1.poc.example.org"
#define WORLD_IMPI  "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
#define WORLD_ALICE "sip:alice@example.org"

enum { WORLD_KEY_LIFETIME_S = 3600, WORLD_NONCE_LIFETIME_S = 300, WORLD_USERS_MAX = 3 };

typedef struct world {
    test_rng chance;
    poc_rng rng;
    int64_t now_s;
    gba_bsf *bsf;
    gba_naf *naf;
    gba_usim usim;
} world;

/** With the NAF's book limited to WORLD_USERS_MAX and one subscriber who may act as Alice. Any error comes back with the
 *  world empty. */
poc_err world_new(world *w);
void world_done(world *w);
/** K and OPc of every subscriber here. */
extern const uint8_t world_k[16], world_opc[16], world_amf[2];
/** One more subscriber with one identity. */
poc_err world_subscribe(world *w, const char *impi, const char *impu, uint64_t sqn);
/** The whole of Ub. */
poc_err world_bootstrap(world *w, const char *impi, gba_usim *usim, gba_bootstrap *out);
/** MUK and MRK as the UE derives them for WORLD_NAF. */
poc_err world_ue_keys(const char *impi, const gba_bootstrap *b, gba_mbms_keys *out);
/** Zn and the book: what the shell does on GBA_NAF_ASK_ZN. */
poc_err world_learn(world *w, poc_span btid);

#endif
