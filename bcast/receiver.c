/* The receiving side: digest "GBA", 4.9, for MTK messages, then SRTP. What a receiver costs: some 300 octets per MSK, and
 * 29 kB per MTK (libsrtp's session), of which an honest one keeps four: 116 kB once the channel has rolled that often. */
#include <stdlib.h>
#include <string.h>

#include "bcast/bcast.h"
#include "bcast/srtp.h"
#include "mikey/mikey.h"

enum { MSKS_PER_GROUP = 2, GROUPS_MAX = 8, MTKS_PER_MSK = 2 };

typedef struct held_msk {
    poc_msk_id id;
    uint16_t seq_low, seq_high; /* MTK IDs in (seq_low, seq_high]; seq_low rises with each one accepted */
    uint32_t csb_id;
    uint8_t rand[255];
    uint8_t rand_len;
    poc_secret *key;  /* owned */
    uint32_t counter; /* of the last MTK message accepted, 0 before */
} held_msk;

typedef struct held_mtk {
    uint32_t counter; /* of the message that brought it */
    bcast_srtp *srtp; /* owned */
} held_mtk;

/* Both lists run from the oldest to the newest. */
struct bcast_receiver {
    poc_key_domain key_domain;
    size_t msks_per_group;
    held_msk *msks;
    size_t msk_count;
    held_mtk *mtks;
    size_t mtk_count;
};

poc_err bcast_receiver_new(bcast_receiver **out, poc_key_domain key_domain)
{
    *out = calloc(1, sizeof(**out));
    if (*out == NULL)
        return POC_E_NOMEM;
    (*out)->key_domain = key_domain;
    (*out)->msks_per_group = MSKS_PER_GROUP;
    return POC_OK;
}

void bcast_receiver_free(bcast_receiver *r)
{
    if (r == NULL)
        return;
    bcast_receiver_clear(r);
    free(r);
}

/* ---- what is kept ---- */

static held_msk *find_msk(const bcast_receiver *r, poc_msk_id id)
{
    for (size_t i = 0; i < r->msk_count; i++) {
        if (r->msks[i].id == id)
            return &r->msks[i];
    }
    return NULL;
}

static held_mtk *find_mtk(const bcast_receiver *r, poc_mki mki)
{
    for (size_t i = r->mtk_count; i-- > 0;) {
        if (poc_mki_eq(bcast_srtp_mki(r->mtks[i].srtp), mki))
            return &r->mtks[i];
    }
    return NULL;
}

static void drop_mtk(bcast_receiver *r, size_t i)
{
    bcast_srtp_free(r->mtks[i].srtp);
    r->mtk_count--;
    memmove(&r->mtks[i], &r->mtks[i + 1], (r->mtk_count - i) * sizeof(*r->mtks));
}

static void drop_msk(bcast_receiver *r, held_msk *msk)
{
    for (size_t i = r->mtk_count; i-- > 0;) {
        if (bcast_srtp_mki(r->mtks[i].srtp).msk_id == msk->id)
            drop_mtk(r, i);
    }
    poc_secret_free(msk->key);
    r->msk_count--;
    memmove(msk, msk + 1, (size_t)(r->msks + r->msk_count - msk) * sizeof(*msk));
}

void bcast_receiver_clear(bcast_receiver *r)
{
    while (r->msk_count > 0)
        drop_msk(r, &r->msks[r->msk_count - 1]);
    free(r->msks);
    free(r->mtks);
    r->msks = NULL;
    r->mtks = NULL;
}

void bcast_receiver_keep(bcast_receiver *r, size_t msks_per_group)
{
    r->msks_per_group = msks_per_group > MSKS_PER_GROUP ? msks_per_group : MSKS_PER_GROUP;
}

bool bcast_receiver_has_msk(const bcast_receiver *r, poc_msk_id id)
{
    return find_msk(r, id) != NULL;
}

/* ---- MSKs ---- */

static void renew_interval(held_msk *known, const bcast_msk *msk)
{
    known->seq_high = msk->seq_high;
    if (msk->seq_low > known->seq_low)
        known->seq_low = msk->seq_low;
}

static void make_place_in_group(bcast_receiver *r, uint16_t group)
{
    held_msk *oldest = NULL;
    size_t count = 0;
    for (size_t i = r->msk_count; i-- > 0;) {
        if (poc_msk_group(r->msks[i].id) != group)
            continue;
        oldest = &r->msks[i];
        count++;
    }
    if (oldest != NULL && count >= r->msks_per_group)
        drop_msk(r, oldest);
}

static poc_err append_msk(bcast_receiver *r, const bcast_msk *msk)
{
    if (r->msk_count >= r->msks_per_group * GROUPS_MAX)
        return POC_E_LIMIT;
    held_msk *grown = realloc(r->msks, (r->msk_count + 1) * sizeof(*grown));
    if (grown == NULL)
        return POC_E_NOMEM;
    r->msks = grown;
    held_msk *place = &grown[r->msk_count++];
    *place = (held_msk){
        .id = msk->id,
        .seq_low = msk->seq_low,
        .seq_high = msk->seq_high,
        .csb_id = msk->csb_id,
        .rand_len = msk->rand_len,
        .key = poc_secret_ref(msk->key),
    };
    memcpy(place->rand, msk->rand, msk->rand_len);
    return POC_OK;
}

poc_err bcast_receiver_add_msk(bcast_receiver *r, const bcast_msk *msk)
{
    if (!poc_key_domain_eq(msk->key_domain, r->key_domain))
        return POC_E_INPUT;
    held_msk *known = find_msk(r, msk->id);
    if (msk->seq_low > msk->seq_high) {
        if (known != NULL)
            drop_msk(r, known);
        return POC_OK;
    }
    if (msk->key == NULL || poc_secret_len(msk->key) != POC_MSK_LEN || poc_msk_number(msk->id) == 0)
        return POC_E_INPUT;
    if (known != NULL && poc_secret_eq(known->key, msk->key)) {
        renew_interval(known, msk);
        return POC_OK;
    }
    if (known != NULL)
        drop_msk(r, known); /* another key under the same id: counters and MTKs of the former mean nothing */
    make_place_in_group(r, poc_msk_group(msk->id));
    return append_msk(r, msk);
}

/* ---- STKMs ---- */

static bool is_mtk_message(const bcast_receiver *r, const mikey_msg *msg)
{
    return msg->data_type == MIKEY_PSK && msg->has_kemac && msg->has_key_domain && msg->has_msk_id && msg->has_mtk_id &&
           msg->ts_type == 2 && poc_key_domain_eq(msg->key_domain, r->key_domain);
}

static poc_err install_mtk(bcast_receiver *r, const poc_secret *key, poc_mki mki, uint32_t counter)
{
    POC_OWNED(bcast_srtp, srtp, bcast_srtp_free);
    POC_TRY(bcast_srtp_new(&srtp, BCAST_SRTP_RECEIVES, key, mki));
    held_mtk *grown = realloc(r->mtks, (r->mtk_count + 1) * sizeof(*grown));
    if (grown == NULL)
        return POC_E_NOMEM;
    r->mtks = grown;
    if (r->mtk_count >= r->msks_per_group * MTKS_PER_MSK)
        drop_mtk(r, 0);
    r->mtks[r->mtk_count++] = (held_mtk){ counter, POC_RELEASE(srtp) };
    return POC_OK;
}

static poc_err accept_mtk(bcast_receiver *r, held_msk *msk, const mikey_msg *msg)
{
    POC_OWNED(poc_secret, key, poc_secret_free);
    mikey_context context = { msk->csb_id, poc_span_of(msk->rand, msk->rand_len) };
    POC_TRY(mikey_mtk_open(&key, msg, context, msk->key, NULL));
    POC_TRY(install_mtk(r, key, (poc_mki){ msg->msk_id, msg->mtk_id }, msg->counter));
    msk->counter = msg->counter;
    msk->seq_low = msg->mtk_id;
    return POC_OK;
}

bcast_stkm_result bcast_receiver_stkm(bcast_receiver *r, poc_span datagram, poc_mki *mki)
{
    mikey_msg msg;
    *mki = (poc_mki){ 0, 0 };
    if (mikey_decode(&msg, datagram, NULL) != POC_OK || !is_mtk_message(r, &msg))
        return BCAST_STKM_REFUSED;
    *mki = (poc_mki){ msg.msk_id, msg.mtk_id };
    held_msk *msk = find_msk(r, msg.msk_id);
    if (msk == NULL)
        return BCAST_STKM_UNKNOWN_MSK;
    const held_mtk *known = find_mtk(r, *mki);
    if (known != NULL && known->counter == msg.counter)
        return BCAST_STKM_DUPLICATE;
    if (!poc_serial_after(msg.counter, msk->counter))
        return BCAST_STKM_REFUSED;
    if (msg.mtk_id <= msk->seq_low || msg.mtk_id > msk->seq_high)
        return BCAST_STKM_REFUSED;
    return accept_mtk(r, msk, &msg) == POC_OK ? BCAST_STKM_NEW : BCAST_STKM_REFUSED;
}

/* ---- packets ---- */

poc_err bcast_receiver_open(bcast_receiver *r, bcast_flow flow, poc_span datagram, uint8_t *out, size_t *out_len,
                            poc_mki *mki)
{
    _Alignas(uint32_t) uint8_t work[BCAST_PACKET_MAX]; /* libsrtp wants alignment; `out` is the caller's */
    *out_len = 0;
    *mki = (poc_mki){ 0, 0 };
    if (flow != BCAST_FLOW_RTP && flow != BCAST_FLOW_FLOOR)
        return POC_E_INPUT;
    POC_TRY(bcast_srtp_find_mki(mki, flow, datagram));
    const held_mtk *mtk = find_mtk(r, *mki);
    if (mtk == NULL)
        return POC_E_STATE;
    size_t n = datagram.n;
    memcpy(work, datagram.p, n);
    POC_TRY(bcast_srtp_unprotect(mtk->srtp, flow, work, &n));
    memcpy(out, work, n);
    *out_len = n;
    return POC_OK;
}
