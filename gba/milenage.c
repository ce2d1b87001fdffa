#include "gba/gba.h"

#include <string.h>

#include "base/crypto.h"

static void xor16(uint8_t out[16], const uint8_t a[16], const uint8_t b[16])
{
    for (size_t i = 0; i < 16; i++)
        out[i] = a[i] ^ b[i];
}

/* OPc = E(OP) xor OP. */
poc_err gba_opc(uint8_t opc[16], const uint8_t k[16], const uint8_t op[16])
{
    uint8_t out[16];
    poc_err err = poc_aes128_block(out, k, op);
    if (err == POC_OK)
        xor16(opc, out, op);
    poc_wipe(out, sizeof(out));
    return err;
}

/* The rotations r2..r5 of TS 35.206 4.1 in octets, and the last octet of c2..c5. */
static const struct {
    uint8_t turn, c;
} rounds[] = { { 0, 1 }, { 4, 2 }, { 8, 4 }, { 12, 8 } };

typedef struct work {
    uint8_t temp[16], in[16], out1[16], out[POC_COUNT(rounds)][16];
} work;

/* OUT1 = E(TEMP xor rot(IN1 xor OPc, 64)) xor OPc. */
static poc_err out1_make(work *w, const uint8_t k[16], const uint8_t opc[16], const uint8_t sqn[6],
                         const uint8_t amf[2])
{
    for (size_t i = 0; i < 16; i++) {
        uint8_t in1 = i % 8 < 6 ? sqn[i % 8] : amf[i % 8 - 6];
        w->in[(i + 8) % 16] = in1 ^ opc[i];
    }
    xor16(w->in, w->in, w->temp);
    POC_TRY(poc_aes128_block(w->out1, k, w->in));
    xor16(w->out1, w->out1, opc);
    return POC_OK;
}

/* OUTn = E(rot(TEMP xor OPc, rn) xor cn) xor OPc for n = 2..5. */
static poc_err outs_make(work *w, const uint8_t k[16], const uint8_t opc[16])
{
    for (size_t n = 0; n < POC_COUNT(rounds); n++) {
        for (size_t i = 0; i < 16; i++) {
            size_t from = (i + rounds[n].turn) % 16;
            w->in[i] = w->temp[from] ^ opc[from];
        }
        w->in[15] ^= rounds[n].c;
        POC_TRY(poc_aes128_block(w->out[n], k, w->in));
        xor16(w->out[n], w->out[n], opc);
    }
    return POC_OK;
}

static poc_err run(work *w, const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16], const uint8_t sqn[6],
                   const uint8_t amf[2])
{
    xor16(w->in, rand, opc);
    POC_TRY(poc_aes128_block(w->temp, k, w->in));
    POC_TRY(out1_make(w, k, opc, sqn, amf));
    return outs_make(w, k, opc);
}

poc_err gba_milenage_run(gba_milenage *out, const uint8_t k[16], const uint8_t opc[16], const uint8_t rand[16],
                         const uint8_t sqn[6], const uint8_t amf[2])
{
    work w;
    poc_err err = run(&w, k, opc, rand, sqn, amf);
    if (err == POC_OK) {
        memcpy(out->mac_a, w.out1, 8);     /* f1  */
        memcpy(out->mac_s, w.out1 + 8, 8); /* f1* */
        memcpy(out->ak, w.out[0], 6);      /* f5  */
        memcpy(out->res, w.out[0] + 8, 8); /* f2  */
        memcpy(out->ck, w.out[1], 16);     /* f3  */
        memcpy(out->ik, w.out[2], 16);     /* f4  */
        memcpy(out->ak_star, w.out[3], 6); /* f5* */
    }
    poc_wipe(&w, sizeof(w));
    return err;
}
