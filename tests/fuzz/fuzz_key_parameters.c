/* Key parameters: as an extension from anybody; then the same octets as content, encrypted under the key as its sender would
 * have done, which must read as they do in clear. */
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "mcx/mcx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key_octets[16] = { 0xd8, 0x57, 0x0d, 0xea, 0x53, 0x84, 0xc6, 0xf8,
                                        0x76, 0x2a, 0x1a, 0x7e, 0x9a, 0xd7, 0x68, 0x2c };

static poc_secret *key;

static void must(bool good)
{
    if (!good)
        abort();
}

static void check(poc_err err, const poc_fault *fault, size_t size)
{
    must(err == POC_OK || err == POC_E_AUTH || (err == POC_E_INPUT && fault->reason != NULL && fault->offset <= size));
}

/* Written again, what was read is the same, and read again it says the same. */
static void check_round_trip(const mcx_key_parameters *p)
{
    uint8_t out[2 * MCX_PARAMETERS_MAX];
    poc_wr wr = poc_wr_into(out, sizeof(out));
    mcx_key_parameters again;
    must(mcx_key_parameters_write(&wr, p) == POC_OK);
    must(mcx_key_parameters_read(&again, poc_span_of(out, wr.len), p->type, false, NULL) == POC_OK);
    must(again.is_revoked == p->is_revoked && again.expiry_s == p->expiry_s && again.group_count == p->group_count);
    must(poc_span_eq(again.text, p->text));
}

static size_t seal(uint8_t *out, size_t cap, uint32_t csb_id, poc_span content)
{
    const uint8_t id[] = { (uint8_t)(csb_id >> 24), 0xbc, 0xde, 0xf0 };
    const uint8_t kdf_input[] = { 0x53, id[0], id[1], id[2], id[3], 0, 4 };
    uint8_t dpck[32];
    const uint8_t iv[16] = { 1 };
    poc_wr wr = poc_wr_into(out, cap);
    must(poc_hmac_sha256(dpck, poc_secret_span(key), poc_span_of(kdf_input, sizeof(kdf_input))) == POC_OK);
    poc_wr_put(&wr, "\x43\0\0\0\0\1\0\0\0\0\0\1", 12);
    poc_wr_put(&wr, iv, sizeof(iv));
    poc_wr_put(&wr, id, sizeof(id));
    poc_wr_u8(&wr, 0);
    poc_wr_u16(&wr, (uint16_t)(content.n + POC_GCM_TAG_LEN));
    uint8_t *at = poc_wr_room(&wr, content.n + POC_GCM_TAG_LEN);
    must(poc_gcm_seal_iv(at, poc_span_of(dpck + 16, 16), poc_span_of(iv, 16), poc_span_of(out, 32), content) == POC_OK);
    return wr.len;
}

static void open_as_type(poc_span data, mcx_key_type type)
{
    uint8_t plain[MCX_PARAMETERS_MAX], sealed[MCX_SEALED_MAX];
    const uint32_t csb_id = (uint32_t)type << 28 | 0x00bcdef0;
    mcx_key_parameters p, q;
    poc_fault fault = { 0, NULL };
    check(mcx_key_parameters_open(&p, plain, data, key, csb_id, &fault), &fault, data.n);
    fault = (poc_fault){ 0, NULL };
    const poc_err err = mcx_key_parameters_read(&p, data, type, false, &fault);
    check(err, &fault, data.n);
    if (err == POC_OK)
        check_round_trip(&p);
    if (data.n > MCX_PARAMETERS_MAX)
        return;
    const size_t n = seal(sealed, sizeof(sealed), csb_id, data);
    must(mcx_key_parameters_open(&q, plain, poc_span_of(sealed, n), key, csb_id, NULL) == err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (key == NULL)
        must(poc_secret_from(&key, key_octets, sizeof(key_octets)) == POC_OK);
    open_as_type(poc_span_of(data, size), MCX_CSK);
    open_as_type(poc_span_of(data, size), MCX_MUSIK);
    return 0;
}
