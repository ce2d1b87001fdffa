/* Private to the room, sending side: an MSK in use, and the MTKs made under it. */
#ifndef BCAST_MTK_H
#define BCAST_MTK_H

#include "bcast/srtp.h"

#define BCAST_STKM_MAX 128u /* an MTK message with salt has 96 octets */

/** An MSK with the numbers that must never repeat under it: MTK ID and MIKEY counter. */
typedef struct bcast_service {
    poc_key_domain key_domain;
    poc_msk_id msk_id;
    uint32_t csb_id;
    uint8_t rand[255];
    uint8_t rand_len;
    poc_secret *msk;      /* owned; NULL: no MSK */
    uint32_t last_mtk_id; /* 32 bits: one more than 65535 must be seen */
    uint32_t mtk_id_max;
    uint32_t counter; /* of the last MTK message */
} bcast_service;

/** Starts with `msk`, of which a reference is taken. POC_E_INPUT: no key that can be used. */
poc_err bcast_service_begin(bcast_service *s, const bcast_msk *msk);
/** Wipes; a zero service is fine. */
void bcast_service_end(bcast_service *s);

/** An MTK ready for use: its SRTP context and its STKM. All copies of the STKM are this very datagram. The key itself is
 *  gone when this exists: libsrtp has its session keys, the members have the STKM. */
typedef struct bcast_mtk {
    poc_mki mki;
    bcast_srtp *srtp; /* owned; NULL: none */
    uint8_t stkm[BCAST_STKM_MAX];
    size_t stkm_len;
} bcast_mtk;

/** The next MTK: fresh random key and salt. POC_E_LIMIT: the MTK IDs are used up. On error `s` is as before. */
poc_err bcast_mtk_make(bcast_mtk *out, bcast_service *s, const poc_rng *rng);
void bcast_mtk_done(bcast_mtk *m);

#endif
