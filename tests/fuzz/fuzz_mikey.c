/* A MIKEY datagram from anybody: decoded, then opened with the keys of the vectors in every role. A MAC cannot be found by
 * chance, so a second pass gives the message one that holds and encrypts its key data: what is inside is fuzzed as well. */
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "mikey/mikey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t muk_octets[POC_MUK_LEN] = {
    0x47, 0x29, 0x57, 0xb5, 0x95, 0xa1, 0x08, 0x89, 0xee, 0x09, 0x3d, 0x9c, 0xff, 0x75, 0x3c, 0xf5,
    0x14, 0x3d, 0x95, 0x8a, 0xb7, 0xf2, 0x18, 0x63, 0x20, 0xe9, 0xe9, 0x88, 0xe7, 0x4a, 0x1f, 0x89,
};
static const uint8_t msk_octets[POC_MSK_LEN] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                                 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
static const uint8_t group_rand[MIKEY_RAND_LEN] = { 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
                                                    0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf };

static poc_secret *muk, *msk;

static void keys_init(void)
{
    if (muk == NULL && (poc_secret_from(&muk, muk_octets, sizeof(muk_octets)) != POC_OK ||
                        poc_secret_from(&msk, msk_octets, sizeof(msk_octets)) != POC_OK))
        abort();
}

static void derive(uint8_t *out, size_t n, uint32_t constant, poc_span key, const mikey_msg *msg, poc_span rand)
{
    uint8_t label[9 + MIKEY_RAND_MAX];
    poc_wr wr = poc_wr_into(label, sizeof(label));
    poc_wr_u32(&wr, constant);
    poc_wr_u8(&wr, 0xff);
    poc_wr_u32(&wr, msg->csb_id);
    poc_wr_span(&wr, rand);
    if (mikey_prf(out, n, key, poc_span_of(label, wr.len)) != POC_OK)
        abort();
}

/* Encrypts the key data of `octets`, which decoded to `msg`, in place and puts the right MAC behind it. */
static void make_authentic(uint8_t *octets, const mikey_msg *msg, poc_span key, poc_span rand)
{
    uint8_t encr[16], salt[16] = { 0 }, auth[20];
    derive(encr, sizeof(encr), 0x150533e1, key, msg, rand);
    derive(auth, sizeof(auth), 0x2d22ac75, key, msg, rand);
    derive(salt, 14, 0x29b88916, key, msg, rand);
    for (size_t i = 0; i < 4; i++)
        salt[2 + i] ^= (uint8_t)(msg->csb_id >> (24 - 8 * i));
    for (size_t i = 0; i < msg->ts.n; i++)
        salt[14 - msg->ts.n + i] ^= msg->ts.p[i];
    uint8_t *data = octets + (msg->encr_data.p - msg->raw.p);
    const size_t covered = msg->raw.n - POC_SHA1_LEN;
    if (poc_aes128_ctr(data, encr, salt, poc_span_of(data, msg->encr_data.n)) != POC_OK ||
        poc_hmac_sha1(octets + covered, poc_span_of(auth, sizeof(auth)), poc_span_of(octets, covered)) != POC_OK)
        abort();
}

static void open_as_msk(const mikey_msg *msg)
{
    mikey_msk opened;
    poc_fault fault = { 0, NULL };
    const poc_err err = mikey_msk_open(&opened, msg, muk, &fault);
    if (err == POC_E_BUG || (err == POC_E_INPUT && (fault.reason == NULL || fault.offset > msg->raw.n)))
        abort();
    if (err != POC_OK && opened.msk != NULL)
        abort();
    mikey_msk_done(&opened);
}

static void open_as_mtk(const mikey_msg *msg)
{
    poc_secret *mtk;
    poc_fault fault = { 0, NULL };
    const mikey_context context = { msg->csb_id, poc_span_of(group_rand, sizeof(group_rand)) };
    const poc_err err = mikey_mtk_open(&mtk, msg, context, msk, &fault);
    if (err == POC_E_BUG || (err == POC_OK) != (mtk != NULL))
        abort();
    poc_secret_free(mtk);
}

static void answer_and_check(const mikey_msg *msg)
{
    uint8_t out[MIKEY_MESSAGE_MAX];
    poc_wr wr = poc_wr_into(out, sizeof(out));
    const poc_span rand = poc_span_of(group_rand, sizeof(group_rand));
    const mikey_expected expected = { msg->csb_id, msg->counter, rand, msg->idi.data, msg->idr.data, true };
    (void)mikey_verification_check(msg, &expected, muk);
    (void)mikey_error_check(msg, (mikey_context){ msg->csb_id, rand }, muk);
    if (msg->data_type != MIKEY_PSK || mikey_verification_seal(&wr, msg, muk) != POC_OK)
        return;
    mikey_msg answer;
    if (mikey_decode(&answer, poc_span_of(out, wr.len), NULL) != POC_OK)
        abort();
    wr = poc_wr_into(out, sizeof(out));
    if (mikey_error_seal(&wr, msg, 0, muk) != POC_OK || mikey_decode(&answer, poc_span_of(out, wr.len), NULL) != POC_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t octets[MIKEY_MESSAGE_MAX];
    mikey_msg msg;
    poc_fault fault;
    keys_init();
    if (mikey_decode(&msg, poc_span_of(data, size), &fault) != POC_OK) {
        if (fault.reason == NULL || fault.offset > size)
            abort();
        return 0;
    }
    open_as_msk(&msg);
    open_as_mtk(&msg);
    answer_and_check(&msg);
    memcpy(octets, data, size);
    if (!msg.has_kemac || mikey_decode(&msg, poc_span_of(octets, size), NULL) != POC_OK)
        return 0;
    if (msg.rand.n > 0) {
        make_authentic(octets, &msg, poc_span_of(muk_octets, sizeof(muk_octets)), msg.rand);
        open_as_msk(&msg);
    } else {
        make_authentic(octets, &msg, poc_span_of(msk_octets, sizeof(msk_octets)),
                       poc_span_of(group_rand, sizeof(group_rand)));
        open_as_mtk(&msg);
    }
    return 0;
}
