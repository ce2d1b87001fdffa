/* The verification message of RFC 3830 3.1, by which a client proves that it holds the MSK: HDR, T, IDr, V. */
#include "mikey/lanes.h"
#include "mikey/payloads.h"

poc_err mikey_verification_seal(poc_wr *out, const mikey_msg *msk_message, const poc_secret *muk)
{
    const mikey_msg *m = msk_message;
    const size_t start = out->len;
    mikey_transport t;
    mikey_msg hdr = *m; /* CSB ID, #CS and map are repeated */
    hdr.data_type = MIKEY_PSK_VERIFICATION;
    hdr.wants_verification = false;
    if (!m->idi.present || !m->idr.present || m->rand.n == 0)
        return POC_E_INPUT;
    poc_err err = mikey_transport_init(&t, muk, (mikey_context){ m->csb_id, m->rand });
    if (err == POC_OK) {
        mikey_hdr_encode(out, &hdr, MIKEY_T);
        mikey_t_encode(out, MIKEY_ID, m->ts_type, m->ts);
        mikey_id_encode(out, MIKEY_V, m->idr.type, m->idr.data);
        err = mikey_v_seal(out, start, &t, m->idi.data, m->idr.data, m->ts);
    }
    mikey_transport_done(&t);
    return err;
}

static poc_err check_with(const mikey_msg *v, const mikey_expected *e, const mikey_transport *t)
{
    uint8_t ts64[MIKEY_TS64_LEN];
    poc_err err = mikey_v_check(v, t, e->idi, e->idr, v->ts);
    if (err != POC_E_AUTH || !e->accept_ts64)
        return err;
    mikey_t_64(ts64, v->ts);
    return mikey_v_check(v, t, e->idi, e->idr, poc_span_of(ts64, sizeof(ts64)));
}

/* Everything but the MAC. */
static poc_err answer_check(const mikey_msg *v, const mikey_expected *e)
{
    if (v->data_type != MIKEY_PSK_VERIFICATION || v->ts_type != MIKEY_TS_COUNTER)
        return POC_E_INPUT;
    if (v->csb_id != e->csb_id || v->counter != e->counter)
        return POC_E_INPUT;
    if (v->idr.present && !poc_span_eq(v->idr.data, e->idr))
        return POC_E_INPUT;
    return POC_OK;
}

poc_err mikey_verification_check(const mikey_msg *verification, const mikey_expected *expected, const poc_secret *muk)
{
    mikey_transport t;
    POC_TRY(answer_check(verification, expected));
    poc_err err = mikey_transport_init(&t, muk, (mikey_context){ expected->csb_id, expected->rand });
    if (err == POC_OK)
        err = check_with(verification, expected, &t);
    mikey_transport_done(&t);
    return err;
}

/* ---- many at once ---- */

#define TEXT_MAX 512u /* octets under the MAC of a usual answer: about 180 */

typedef struct wave {
    const mikey_expected *context; /* one with the CSB ID and RAND of this wave */
    mikey_verification_job *job[POC_LANES];
    uint8_t text[POC_LANES][TEXT_MAX];
    mikey_lanes lanes;
} wave;

static void check_alone(mikey_verification_job *job)
{
    job->err = mikey_verification_check(job->verification, &job->expected, job->muk);
}

static void wave_check(wave *w)
{
    if (w->lanes.used == 0)
        return;
    mikey_lanes_derive(&w->lanes, MIKEY_USE_AUTH, MIKEY_USE_AUTH);
    mikey_lanes_mac(&w->lanes);
    for (size_t lane = 0; lane < w->lanes.used; lane++) {
        mikey_verification_job *job = w->job[lane];
        if (poc_equal_ct(w->lanes.mac[lane], job->verification->mac.p, MIKEY_MAC_LEN))
            job->err = POC_OK;
        else
            check_alone(job); /* the counter may be padded; a wrong one costs what it costs alone */
    }
    w->lanes.used = 0;
}

/* Makes the wave one of answers to messages with this CSB ID and RAND; those of another are checked first. */
static void wave_turn_to(wave *w, const mikey_expected *e)
{
    mikey_transport labels;
    if (w->context != NULL && w->context->csb_id == e->csb_id && poc_span_eq(w->context->rand, e->rand))
        return;
    wave_check(w);
    (void)mikey_transport_labels(&labels, (mikey_context){ e->csb_id, e->rand });
    mikey_lanes_context(&w->lanes, &labels, e->csb_id);
    w->context = e;
}

/* The text must be in one piece: what was received, then what both sides know. False when there is no room for it. */
static bool text_put(wave *w, const mikey_verification_job *job)
{
    const poc_span raw = job->verification->raw;
    uint8_t *text = w->text[w->lanes.used];
    poc_wr wr = poc_wr_into(text, TEXT_MAX);
    poc_wr_put(&wr, raw.p, raw.n - MIKEY_MAC_LEN);
    poc_wr_span(&wr, job->expected.idi);
    poc_wr_span(&wr, job->expected.idr);
    poc_wr_span(&wr, job->verification->ts);
    w->lanes.text[w->lanes.used] = poc_span_of(text, wr.len);
    return poc_wr_done(&wr) == POC_OK;
}

static void wave_add(wave *w, mikey_verification_job *job)
{
    const mikey_expected *e = &job->expected;
    if (e->rand.n != MIKEY_RAND_LEN || job->muk == NULL || poc_secret_len(job->muk) != POC_MUK_LEN) {
        check_alone(job);
        return;
    }
    wave_turn_to(w, e);
    if (!text_put(w, job)) {
        check_alone(job);
        return;
    }
    w->lanes.psk[w->lanes.used] = job->muk;
    w->job[w->lanes.used++] = job;
    if (w->lanes.used == POC_LANES)
        wave_check(w);
}

static void check_side_by_side(const poc_lanes_kernel *k, mikey_verification_job *jobs, size_t n)
{
    wave w;
    w.context = NULL;
    mikey_lanes_init(&w.lanes, k, n);
    for (size_t i = 0; i < n; i++) {
        jobs[i].err = answer_check(jobs[i].verification, &jobs[i].expected);
        if (jobs[i].err == POC_OK)
            wave_add(&w, &jobs[i]);
    }
    wave_check(&w);
    mikey_lanes_done(&w.lanes);
}

size_t mikey_verification_check_with(const poc_lanes_kernel *k, mikey_verification_job *jobs, size_t n)
{
    size_t good = 0;
    if (k != NULL)
        check_side_by_side(k, jobs, n);
    for (size_t i = 0; i < n; i++) {
        if (k == NULL)
            check_alone(&jobs[i]);
        good += jobs[i].err == POC_OK;
    }
    return good;
}

size_t mikey_verification_check_many(mikey_verification_job *jobs, size_t n)
{
    return mikey_verification_check_with(mikey_lanes_best(n), jobs, n);
}
