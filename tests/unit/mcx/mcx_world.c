#include "tests/unit/mcx/mcx_world.h"

#include <string.h>

static uint64_t u64(const json_t *object, const char *name)
{
    assert_true(vec_has(object, name));
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

static void party_add(mcx_world *w, const json_t *entry, uint64_t period_number)
{
    const size_t i = w->party_count++;
    mcx_identity *party = &w->parties[i];
    const vec_bytes pvt = vec_hex(entry, "PVT"), uid = vec_hex(entry, "uid");
    poc_secret *ssk = mcx_secret(entry, "SSK"), *rsk = mcx_secret(entry, "RSK");
    *party = (mcx_identity){ .uri = mcx_text(entry, "uri"), .kms = &w->kms, .period_number = period_number };
    assert_int_equal(mcx_identity_init(party), POC_OK);
    assert_memory_equal(party->uid, uid.b, MCX_UID_LEN);
    assert_int_equal(mcx_receiver_new(&w->receivers[i], vec_span(&uid), w->sakke, rsk), POC_OK);
    assert_int_equal(mcx_signer_new(&w->signers[i], w->kpak.b, vec_span(&uid), ssk, pvt.b), POC_OK);
    party->receiver = w->receivers[i];
    party->signer = w->signers[i];
    poc_secret_free(ssk);
    poc_secret_free(rsk);
}

void mcx_world_open(mcx_world *w, const json_t *vectors, const char *family)
{
    const json_t *all = json_object_get(vectors, family), *kms = json_object_get(all, "kms");
    json_t *identities = json_object_get(all, "identities"), *entry;
    const char *name;
    size_t i;
    memset(w, 0, sizeof(*w));
    w->messages = mcx_messages(vectors, family);
    w->z = vec_hex(kms, "PubEncKey");
    w->kpak = vec_hex(kms, "PubAuthKey");
    assert_int_equal(mcx_sakke_new(&w->sakke, w->z.b), POC_OK);
    assert_int_equal(mcx_verifier_new(&w->verifier, 16), POC_OK);
    w->kms = (mcx_certificate){ .kms_uri = mcx_text(kms, "kms_uri"),
                                .period_s = u64(kms, "user_key_period"),
                                .offset_s = u64(kms, "user_key_offset"),
                                .sakke = w->sakke,
                                .kpak = w->kpak.b };
    if (json_is_array(identities)) {
        json_array_foreach(identities, i, entry) party_add(w, entry, u64(entry, "key_period_no"));
    } else {
        json_object_foreach(identities, name, entry) party_add(w, entry, u64(kms, "key_period_no"));
    }
}

void mcx_world_close(mcx_world *w)
{
    for (size_t i = 0; i < w->party_count; i++) {
        mcx_receiver_free(w->receivers[i]);
        mcx_signer_free(w->signers[i]);
    }
    mcx_verifier_free(w->verifier);
    mcx_sakke_free(w->sakke);
}

const mcx_identity *mcx_world_party(const mcx_world *w, poc_span uri)
{
    for (size_t i = 0; i < w->party_count; i++) {
        if (poc_span_eq(w->parties[i].uri, uri))
            return &w->parties[i];
    }
    fail_msg("no party %.*s", (int)uri.n, (const char *)uri.p);
    return NULL;
}

mcx_expected mcx_world_expects(const mcx_world *w, const json_t *message, const mikey_msg *msg)
{
    poc_rd ts = poc_rd_over(msg->ts, NULL);
    uint32_t seconds;
    assert_int_equal(poc_rd_u32(&ts, &seconds), POC_OK);
    return (mcx_expected){ .now_ntp_s = seconds,
                           .skew_s = 300,
                           .own = mcx_world_party(w, mcx_text(message, "receiver")),
                           .own_count = 1,
                           .certificates = &w->kms,
                           .certificate_count = 1,
                           .sender = mcx_text(message, "sender"),
                           .types = MCX_TYPE_BIT(MCX_KEY_TYPES) - 1,
                           .verifier = w->verifier };
}

void mcx_world_resign(const mcx_identity *who, vec_bytes *octets)
{
    const size_t covered = octets->n - MIKEY_SIGNATURE_LEN;
    assert_int_equal(mcx_sign(octets->b + covered, who->signer, poc_span_of(octets->b, covered), &poc_rng_system),
                     POC_OK);
}
