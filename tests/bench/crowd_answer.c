#include "tests/bench/crowd_answer.h"

#include <string.h>

#include "mikey/lanes.h"
#include "mikey/payloads.h"

typedef struct wave {
    crowd_letter *letter[POC_LANES];
    mikey_msg msg[POC_LANES];
    uint8_t text[POC_LANES][CROWD_OCTETS_MAX]; /* under the MAC of the answer */
    mikey_lanes lanes;
} wave;

static void answer_alone(crowd_letter *l)
{
    mikey_msg msg;
    mikey_msk opened;
    poc_wr wr = poc_wr_into(l->out, CROWD_OCTETS_MAX);
    if (l->muk == NULL || mikey_decode(&msg, l->in, NULL) != POC_OK ||
        mikey_msk_open(&opened, &msg, l->muk, NULL) != POC_OK)
        return;
    mikey_msk_done(&opened);
    if (mikey_verification_seal(&wr, &msg, l->muk) == POC_OK)
        l->out_len = wr.len;
}

/* ---- sixteen at once ---- */

static bool is_asked(const mikey_msg *m)
{
    return m->data_type == MIKEY_PSK && m->wants_verification && m->ts_type == MIKEY_TS_COUNTER && m->has_msk_id &&
           m->rand.n == MIKEY_RAND_LEN && m->idi.present && m->idr.present && m->encr_data.n <= POC_LANES_KEYSTREAM;
}

static bool mac_holds(const wave *w, size_t lane)
{
    return poc_equal_ct(w->lanes.mac[lane], w->msg[lane].mac.p, MIKEY_MAC_LEN);
}

static bool key_is_there(const wave *w, size_t lane)
{
    const mikey_msg *m = &w->msg[lane];
    uint8_t plain[POC_LANES_KEYSTREAM];
    mikey_key_data key;
    for (size_t i = 0; i < m->encr_data.n; i++)
        plain[i] = m->encr_data.p[i] ^ w->lanes.stream[lane][i];
    const bool good = mikey_key_data_single(&key, m, plain, NULL) == POC_OK && key.kv == MIKEY_KV_INTERVAL;
    poc_wipe(plain, sizeof(plain));
    return good;
}

/* HDR, T, IDr, V without the MAC: its text goes on with what is not sent. */
static void answer_begin(wave *w, size_t lane)
{
    const mikey_msg *m = &w->msg[lane];
    crowd_letter *l = w->letter[lane];
    mikey_msg hdr = *m;
    poc_wr wr = poc_wr_into(w->text[lane], CROWD_OCTETS_MAX);
    hdr.data_type = MIKEY_PSK_VERIFICATION;
    hdr.wants_verification = false;
    mikey_hdr_encode(&wr, &hdr, MIKEY_T);
    mikey_t_encode(&wr, MIKEY_ID, m->ts_type, m->ts);
    mikey_id_encode(&wr, MIKEY_V, m->idr.type, m->idr.data);
    poc_wr_u8(&wr, MIKEY_LAST);
    poc_wr_u8(&wr, MIKEY_MAC_HMAC);
    l->out_len = wr.len;
    memcpy(l->out, w->text[lane], wr.len);
    poc_wr_span(&wr, m->idi.data);
    poc_wr_span(&wr, m->idr.data);
    poc_wr_span(&wr, m->ts);
    w->lanes.text[lane] = poc_span_of(w->text[lane], wr.len);
    if (poc_wr_done(&wr) != POC_OK)
        l->out_len = 0;
}

static void wave_open(wave *w)
{
    mikey_transport labels;
    const mikey_msg *first = &w->msg[0];
    (void)mikey_transport_labels(&labels, (mikey_context){ first->csb_id, first->rand });
    mikey_lanes_context(&w->lanes, &labels, first->csb_id);
    mikey_lanes_derive(&w->lanes, MIKEY_USE_ENCR, MIKEY_USE_SALT);
    mikey_lanes_encrypt(&w->lanes);
    mikey_lanes_mac(&w->lanes);
}

static void wave_answer(wave *w)
{
    bool good[POC_LANES];
    if (w->lanes.used == 0)
        return;
    wave_open(w);
    for (size_t lane = 0; lane < w->lanes.used; lane++) {
        good[lane] = mac_holds(w, lane) && key_is_there(w, lane);
        answer_begin(w, lane);
    }
    mikey_lanes_mac(&w->lanes);
    for (size_t lane = 0; lane < w->lanes.used; lane++) {
        crowd_letter *l = w->letter[lane];
        memcpy(l->out + l->out_len, w->lanes.mac[lane], MIKEY_MAC_LEN);
        l->out_len = good[lane] && l->out_len > 0 ? l->out_len + MIKEY_MAC_LEN : 0;
    }
    w->lanes.used = 0;
}

static void wave_add(wave *w, crowd_letter *l)
{
    mikey_msg *m = &w->msg[w->lanes.used];
    if (l->muk == NULL || mikey_decode(m, l->in, NULL) != POC_OK || !is_asked(m))
        return;
    if (w->lanes.used > 0 && (m->csb_id != w->msg[0].csb_id || !poc_span_eq(m->rand, w->msg[0].rand))) {
        answer_alone(l);
        return;
    }
    w->letter[w->lanes.used] = l;
    w->lanes.psk[w->lanes.used] = l->muk;
    w->lanes.counter[w->lanes.used] = m->counter;
    w->lanes.text[w->lanes.used] = poc_span_of(m->raw.p, m->raw.n - MIKEY_MAC_LEN);
    if (++w->lanes.used == POC_LANES)
        wave_answer(w);
}

void crowd_answer(crowd_letter *letters, size_t n)
{
    const poc_lanes_kernel *k = mikey_lanes_best(n);
    static _Thread_local wave w;
    if (k != NULL)
        mikey_lanes_init(&w.lanes, k, n);
    for (size_t i = 0; i < n; i++) {
        letters[i].out_len = 0;
        if (k != NULL)
            wave_add(&w, &letters[i]);
        else
            answer_alone(&letters[i]);
    }
    if (k == NULL)
        return;
    wave_answer(&w);
    mikey_lanes_done(&w.lanes);
}
