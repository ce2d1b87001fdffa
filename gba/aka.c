#include "gba/gba.h"

#include <string.h>

#include "base/crypto.h"

#define SQN_MAX    ((UINT64_C(1) << 48) - 1)
#define SQN_WINDOW (UINT64_C(1) << 28) /* how far ahead a USIM lets the network be (TS 33.102 C.2.1) */

/* TS 33.102 6.3.3: AUTS is made with a dummy AMF of zeros. */
static const uint8_t amf_star[2] = { 0, 0 };

poc_err gba_usim_init(gba_usim *u, const uint8_t k[16], const uint8_t opc[16], uint64_t sqn, const uint8_t amf[2])
{
    *u = (gba_usim){ .sqn = sqn };
    if (sqn > SQN_MAX)
        return POC_E_LIMIT;
    memcpy(u->amf, amf, sizeof(u->amf));
    POC_TRY(poc_secret_new(&u->k_opc, 32));
    memcpy(poc_secret_edit(u->k_opc), k, 16);
    memcpy(poc_secret_edit(u->k_opc) + 16, opc, 16);
    return POC_OK;
}

void gba_usim_done(gba_usim *u)
{
    poc_secret_free(u->k_opc);
    *u = (gba_usim){ 0 };
}

static void sqn_put(uint8_t out[6], uint64_t sqn)
{
    for (size_t i = 0; i < 6; i++)
        out[i] = (uint8_t)(sqn >> (40 - 8 * i));
}

static uint64_t sqn_get(const uint8_t in[6])
{
    uint64_t sqn = 0;
    for (size_t i = 0; i < 6; i++)
        sqn = sqn << 8 | in[i];
    return sqn;
}

static void xor6(uint8_t out[6], const uint8_t a[6], const uint8_t b[6])
{
    for (size_t i = 0; i < 6; i++)
        out[i] = a[i] ^ b[i];
}

static poc_err run(gba_milenage *out, const gba_usim *u, const uint8_t rand[16], uint64_t sqn, const uint8_t amf[2])
{
    const uint8_t *k = poc_secret_bytes(u->k_opc);
    uint8_t octets[6];
    sqn_put(octets, sqn);
    return gba_milenage_run(out, k, k + 16, rand, octets, amf);
}

/* Ks = CK || IK (TS 33.220 4.5.2). */
static poc_err vector_fill(gba_vector *out, const gba_milenage *m, const uint8_t rand[16])
{
    POC_TRY(poc_secret_new(&out->ks, GBA_KS_LEN));
    memcpy(poc_secret_edit(out->ks), m->ck, 16);
    memcpy(poc_secret_edit(out->ks) + 16, m->ik, 16);
    memcpy(out->rand, rand, 16);
    memcpy(out->res, m->res, 8);
    return POC_OK;
}

poc_err gba_vector_make(gba_vector *out, gba_usim *u, const uint8_t rand[16])
{
    gba_milenage m;
    *out = (gba_vector){ 0 };
    if (u->sqn >= SQN_MAX)
        return POC_E_LIMIT;
    poc_err err = run(&m, u, rand, u->sqn + 1, u->amf);
    if (err == POC_OK)
        err = vector_fill(out, &m, rand);
    if (err == POC_OK) {
        u->sqn++;
        sqn_put(out->autn, u->sqn);
        xor6(out->autn, out->autn, m.ak);
        memcpy(out->autn + 6, u->amf, 2);
        memcpy(out->autn + 8, m.mac_a, 8);
    }
    poc_wipe(&m, sizeof(m));
    return err;
}

void gba_vector_done(gba_vector *v)
{
    poc_secret_free(v->ks);
    poc_wipe(v, sizeof(*v));
    *v = (gba_vector){ 0 };
}

static poc_err auts_make(uint8_t auts[14], gba_milenage *m, const gba_usim *u, const uint8_t rand[16])
{
    POC_TRY(run(m, u, rand, u->sqn, amf_star));
    sqn_put(auts, u->sqn);
    xor6(auts, auts, m->ak_star);
    memcpy(auts + 6, m->mac_s, 8);
    return POC_OK;
}

static poc_err usim_answer(gba_vector *out, gba_milenage *m, gba_usim *u, const uint8_t rand[16],
                           const uint8_t autn[16], uint8_t auts[14])
{
    uint8_t octets[6];
    POC_TRY(run(m, u, rand, 0, amf_star)); /* AK does not depend on SQN */
    xor6(octets, autn, m->ak);
    uint64_t sqn = sqn_get(octets);
    POC_TRY(run(m, u, rand, sqn, autn + 6));
    if (!poc_equal_ct(m->mac_a, autn + 8, 8))
        return POC_E_AUTH;
    if (sqn <= u->sqn || sqn - u->sqn > SQN_WINDOW) {
        POC_TRY(auts_make(auts, m, u, rand));
        return POC_E_STATE;
    }
    POC_TRY(vector_fill(out, m, rand));
    memcpy(out->autn, autn, 16);
    u->sqn = sqn;
    return POC_OK;
}

poc_err gba_usim_answer(gba_vector *out, gba_usim *u, const uint8_t rand[16], const uint8_t autn[16], uint8_t auts[14])
{
    gba_milenage m;
    *out = (gba_vector){ 0 };
    poc_err err = usim_answer(out, &m, u, rand, autn, auts);
    poc_wipe(&m, sizeof(m));
    return err;
}

static poc_err resynchronise(gba_milenage *m, gba_usim *u, const uint8_t rand[16], const uint8_t auts[14])
{
    uint8_t octets[6];
    POC_TRY(run(m, u, rand, 0, amf_star));
    xor6(octets, auts, m->ak_star);
    uint64_t sqn_ms = sqn_get(octets);
    POC_TRY(run(m, u, rand, sqn_ms, amf_star));
    if (!poc_equal_ct(m->mac_s, auts + 6, 8))
        return POC_E_AUTH;
    u->sqn = sqn_ms;
    return POC_OK;
}

poc_err gba_resynchronise(gba_usim *u, const uint8_t rand[16], const uint8_t auts[14])
{
    gba_milenage m;
    poc_err err = resynchronise(&m, u, rand, auts);
    poc_wipe(&m, sizeof(m));
    return err;
}
