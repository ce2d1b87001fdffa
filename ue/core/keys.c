#include <stdlib.h>
#include <string.h>

#include "ue/core/core.h"

/* Two places: the newest MUK and, until that one has opened a message, the last one that did. */
enum { NEWEST, FORMER, PLACES };

typedef struct ue_muk {
    poc_secret *muk; /* NULL: free place */
    gba_naf_id naf_id;
    uint8_t btid[POC_BTID_MAX];
    size_t btid_len;
    int64_t expires_ms;
    bool proven; /* opened a message */
    uint32_t counter;
    uint8_t last[UE_KEY_MESSAGES_MAX][POC_SHA256_LEN]; /* the messages accepted last, together */
    size_t last_count;
} ue_muk;

struct ue_muks {
    ue_muk place[PLACES];
};

poc_err ue_muks_new(ue_muks **out)
{
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? POC_E_NOMEM : POC_OK;
}

static void muk_forget(ue_muk *m)
{
    poc_secret_free(m->muk);
    *m = (ue_muk){ .muk = NULL };
}

void ue_muks_free(ue_muks *k)
{
    if (k == NULL)
        return;
    for (size_t i = 0; i < PLACES; i++)
        muk_forget(&k->place[i]);
    free(k);
}

poc_err ue_muks_add(ue_muks *k, poc_secret *muk, const gba_naf_id *naf_id, poc_span btid, int64_t expires_ms)
{
    if (btid.n > POC_BTID_MAX)
        return POC_E_LIMIT;
    if (k->place[NEWEST].proven) {
        muk_forget(&k->place[FORMER]);
        k->place[FORMER] = k->place[NEWEST];
    } else {
        muk_forget(&k->place[NEWEST]);
    }
    k->place[NEWEST] =
        (ue_muk){ .muk = poc_secret_ref(muk), .naf_id = *naf_id, .btid_len = btid.n, .expires_ms = expires_ms };
    memcpy(k->place[NEWEST].btid, btid.p, btid.n);
    return POC_OK;
}

size_t ue_muks_count(const ue_muks *k)
{
    return (size_t)(k->place[NEWEST].muk != NULL) + (size_t)(k->place[FORMER].muk != NULL);
}

static bool is_named(const ue_muk *m, const mikey_msg *msg)
{
    poc_span naf_id = poc_span_of(m->naf_id.b, m->naf_id.n);
    poc_span fqdn = poc_span_of(m->naf_id.b, m->naf_id.n - GBA_UA_ID_LEN);
    return (poc_span_eq(msg->idi.data, naf_id) || poc_span_eq(msg->idi.data, fqdn)) &&
           poc_span_eq(msg->idr.data, poc_span_of(m->btid, m->btid_len));
}

static const ue_muk *muk_find(const ue_muks *k, int64_t now_ms, const mikey_msg *msg)
{
    for (size_t i = 0; i < PLACES; i++) {
        const ue_muk *m = &k->place[i];
        if (m->muk != NULL && now_ms < m->expires_ms && is_named(m, msg))
            return m;
    }
    return NULL;
}

static bool is_last(const ue_muk *m, const uint8_t digest[POC_SHA256_LEN])
{
    for (size_t i = 0; i < m->last_count; i++)
        if (memcmp(m->last[i], digest, POC_SHA256_LEN) == 0)
            return true;
    return false;
}

static poc_err refuse(poc_fault *fault, poc_err err, const char *reason)
{
    if (fault != NULL)
        *fault = (poc_fault){ .offset = 0, .reason = reason };
    return err;
}

/* Freshness comes after the MAC: who cannot make a MAC learns nothing about the counter. */
static poc_err open_under(const ue_muk *m, ue_key_message *out, poc_fault *fault)
{
    POC_TRY(mikey_msk_open(&out->msk, &out->msg, m->muk, fault));
    out->duplicate = is_last(m, out->digest);
    if (!out->duplicate && !poc_serial_after(out->msk.counter, m->counter)) {
        mikey_msk_done(&out->msk);
        return refuse(fault, POC_E_DENIED, "counter is not newer than the last one");
    }
    out->muk = poc_secret_ref(m->muk);
    return POC_OK;
}

poc_err ue_muks_open(const ue_muks *k, int64_t now_ms, poc_span raw, ue_key_message *out, poc_fault *fault)
{
    memset(out, 0, sizeof(*out));
    POC_TRY(mikey_decode(&out->msg, raw, fault));
    if (out->msg.data_type != MIKEY_PSK || !out->msg.has_key_domain || !out->msg.has_msk_id || out->msg.has_mtk_id ||
        !out->msg.idi.present || !out->msg.idr.present || out->msg.rand.n == 0)
        return refuse(fault, POC_E_INPUT, "not an MSK message");
    const ue_muk *m = muk_find(k, now_ms, &out->msg);
    if (m == NULL)
        return refuse(fault, POC_E_STATE, "no MUK for the identities of the message");
    POC_TRY(poc_sha256(out->digest, raw));
    return open_under(m, out, fault);
}

void ue_key_message_done(ue_key_message *m)
{
    mikey_msk_done(&m->msk);
    poc_secret_free(m->muk);
    m->muk = NULL;
}

static ue_muk *muk_of(ue_muks *k, const ue_key_message *message)
{
    for (size_t i = 0; i < PLACES; i++)
        if (k->place[i].muk == message->muk)
            return &k->place[i];
    return NULL;
}

void ue_muks_accept(ue_muks *k, const ue_key_message *messages, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!messages[i].duplicate && muk_of(k, &messages[i]) != NULL)
            muk_of(k, &messages[i])->last_count = 0;
    for (size_t i = 0; i < n; i++) {
        ue_muk *m = muk_of(k, &messages[i]);
        if (m == NULL || messages[i].duplicate)
            continue;
        if (m->last_count < UE_KEY_MESSAGES_MAX)
            memcpy(m->last[m->last_count++], messages[i].digest, POC_SHA256_LEN);
        if (poc_serial_after(messages[i].msk.counter, m->counter))
            m->counter = messages[i].msk.counter;
        m->proven = true;
        if (m == &k->place[NEWEST])
            muk_forget(&k->place[FORMER]);
    }
}
