/* What carries a key to the client: any octets as a body (the first line is its Content-Type), and key parameters as the ring
 * keeps them, which come from a server that is authentic but may say anything. */
#include <stdlib.h>
#include <string.h>

#include "ue/core/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_S UINT64_C(1772323200)

static void body_try(poc_span type, poc_span body)
{
    static ue_mcx_user *user;
    uint8_t octets[MIKEY_MESSAGE_MAX];
    size_t n = 0;
    mikey_msg msg;
    mcx_opened opened;
    if (user == NULL &&
        (ue_mcx_user_new(&user, poc_span_str("sip:alice@mcptt.example.org"), 300, &poc_rng_system) != POC_OK ||
         ue_mcx_user_server(user, poc_span_str("mcx.example.org"), poc_span_str("kms.example.org")) != POC_OK))
        abort();
    if (ue_mcx_body_read(octets, sizeof(octets), &n, type, body) != POC_OK)
        return;
    if (n > sizeof(octets))
        abort();
    if (ue_mcx_download_open(user, (int64_t)NOW_S * 1000, poc_span_of(octets, n), &msg, &opened, NULL) == POC_OK ||
        opened.key != NULL)
        abort(); /* there is no server that could have signed it */
    mcx_opened_done(&opened);
}

/* The id, the key, and what comes with it. */
static poc_err opened_make(mcx_opened *out, poc_rd *rd)
{
    uint8_t seed;
    uint16_t len;
    poc_span content;
    *out = (mcx_opened){ .rand_len = MIKEY_RAND_LEN, .offer = { .algorithms = { mcx_aes128_gcm }, .count = 1 } };
    POC_TRY(poc_rd_u8(rd, &seed));
    out->key_id = out->csb_id = ((seed & 1) != 0 ? 0x20000000u : 0x60000000u) | seed >> 4;
    POC_TRY(mcx_key_type_of(&out->type, out->key_id));
    POC_TRY(poc_rd_u16(rd, &len));
    POC_TRY(poc_rd_span(rd, &content, len % (MCX_PARAMETERS_MAX + 1)));
    out->plain = malloc(MCX_PARAMETERS_MAX);
    if (out->plain == NULL)
        return POC_E_NOMEM;
    if (content.n > 0)
        memcpy(out->plain, content.p, content.n);
    POC_TRY(mcx_key_parameters_read(&out->parameters, poc_span_of(out->plain, content.n), out->type, false, NULL));
    uint8_t octets[16] = { seed >> 1 & 1 };
    return poc_secret_from(&out->key, octets, sizeof(octets));
}

static void check(const ue_mcx_ring *ring, uint64_t now_s)
{
    const uint32_t csk = ue_mcx_ring_csk(ring, now_s), musik = ue_mcx_ring_musik(ring, now_s, poc_span_str("sip:a@x"));
    ue_mcx_key key;
    for (size_t i = 0; ue_mcx_ring_at(ring, i, &key); i++) {
        if ((key.id == csk || key.id == musik) &&
            (key.is_revoked || key.activation_s > now_s || (key.expiry_s != 0 && key.expiry_s <= now_s)))
            abort();
        if (key.is_revoked != (ue_mcx_ring_key(ring, key.id) == NULL))
            abort();
    }
    if ((csk != 0 && csk >> 28 != MCX_CSK) || (musik != 0 && musik >> 28 != MCX_MUSIK) ||
        ue_mcx_ring_deadline_s(ring, now_s) <= now_s)
        abort();
}

static void ring_try(poc_span octets)
{
    poc_rd rd = poc_rd_over(octets, NULL);
    ue_mcx_ring *ring;
    uint64_t now_s = NOW_S;
    uint8_t digest[32] = { 0 };
    if (ue_mcx_ring_new(&ring, 10, false) != POC_OK)
        abort();
    while (rd.left > 0) {
        mcx_opened opened;
        ue_mcx_change change;
        const char *why;
        digest[0]++;
        if (opened_make(&opened, &rd) == POC_OK)
            (void)ue_mcx_ring_take(ring, &opened, digest, &change, &why);
        mcx_opened_done(&opened);
        ue_mcx_ring_tick(ring, now_s);
        check(ring, now_s);
        now_s += 60;
    }
    ue_mcx_ring_free(ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size == 0 ? NULL : memchr(data, '\n', size);
    const size_t head = line == NULL ? size : (size_t)(line - data);
    if (size == 0)
        return 0;
    body_try(poc_span_of(data, head), poc_span_of(data + head + (line != NULL), size - head - (line != NULL)));
    ring_try(poc_span_of(data, size));
    return 0;
}
