/* A client and all it talks to, without sockets: a BSF to bootstrap at, the PF's side of the keys, and an air. */
#ifndef TESTS_UNIT_UE_PAIR_H
#define TESTS_UNIT_UE_PAIR_H

#include "bcast/bcast.h"
#include "gba/gba.h"
#include "mikey/mikey.h"
#include "support/rng.h"
#include "ue/api/pocue.h"

#define PAIR_NOW_MS    INT64_C(1790000000000)
#define PAIR_GROUP     0x1001
#define PAIR_OFFER_MAX 8192
#define PAIR_AIR_MAX   64

typedef struct pair_datagram {
    bcast_flow flow;
    uint8_t b[BCAST_PACKET_MAX];
    size_t n;
} pair_datagram;

typedef struct pair {
    test_rng chance;
    poc_rng rng;
    int64_t now_ms;
    gba_bsf *bsf;
    gba_naf_id naf_id;
    pocue *ue;
    pocue_local local;
    gba_mbms_keys pf; /* what the PF got over Zn */
    char btid[POC_BTID_MAX + 1];
    uint32_t counter; /* last one the PF used for this MUK */
    uint8_t mikey_rand[MIKEY_RAND_LEN];
    mikey_msk_params params;
    poc_secret *msk;
    bcast_protector *protector;
    pair_datagram air[PAIR_AIR_MAX];
    size_t air_count;
} pair;

/** A client that has bootstrapped; `change` (may be NULL) edits its settings. */
void pair_open(pair *p, void (*change)(pocue_settings *settings));
void pair_close(pair *p);
/** One whole run on Ub; the PF fetches the new keys. */
void pair_bootstrap(pair *p);
/** The PF fetches the keys of this B-TID. */
void pair_learn(pair *p, const char *btid);
/** Alice's settings. */
void pair_settings(pocue_settings *s);
/** A fresh MSK of this number, with its RAND. */
void pair_new_msk(pair *p, uint16_t number);
/** The next message that carries it. */
size_t pair_seal(pair *p, uint8_t out[MIKEY_MESSAGE_MAX]);
/** Digest example B (or D with `ip6`) with version `version` of the description and the next message on the STKM line. */
void pair_offer(pair *p, char out[PAIR_OFFER_MAX], unsigned version, bool ip6);
/** Replaces the `nth` (from 1; 0: every) occurrence; the test fails when there is none. */
void pair_replace(char text[PAIR_OFFER_MAX], const char *from, const char *to, unsigned nth);
/** Gives the offer to the client. */
pocue_reply pair_give(pair *p, const char *offer, char answer[PAIR_OFFER_MAX]);
/** The next event of this type; others before it are passed over. */
bool pair_event(pair *p, pocue_event_type type, pocue_event *out);
void pair_events_clear(pair *p);
/** The channel goes on air under the current MSK, or changes to it. */
void pair_on_air(pair *p);
/** One RTP packet of the talker to everybody. */
void pair_talk(pair *p, uint16_t seq);
/** Delivers what is in the air and empties it. */
void pair_deliver(pair *p);

#endif
