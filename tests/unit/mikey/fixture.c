#include "tests/unit/mikey/fixture.h"

#include <string.h>

const char *const msk_vector_ids[MSK_VECTORS] = {
    "msk-stream",
    "msk-empty-map",
    "msk-empty-map-csb",
    "msk-empty-map-idi-fqdn",
    "msk-empty-map-gba-u",
    "msk-rekey",
    "msk-invalidate",
    "solicited-pull",
    "msk-sdp",
};

int vectors_open(void **state)
{
    *state = vec_load(POC_VECTORS "/gba-mbms-mikey.json");
    return 0;
}

int vectors_close(void **state)
{
    json_decref(*state);
    return 0;
}

const json_t *message_entry(const json_t *vectors, const char *id)
{
    return vec_by_id(json_object_get(vectors, "mikey_messages"), id);
}

vec_bytes message_octets(const json_t *vectors, const char *id)
{
    return vec_hex(message_entry(vectors, id), "message");
}

poc_secret *secret_member(const json_t *object, const char *name)
{
    vec_bytes octets = vec_hex(object, name);
    poc_secret *s;
    assert_int_equal(poc_secret_from(&s, octets.b, octets.n), POC_OK);
    return s;
}

static uint32_t number_of(const json_t *object, const char *name)
{
    vec_bytes octets = vec_hex(object, name);
    uint32_t v = 0;
    for (size_t i = 0; i < octets.n; i++)
        v = v << 8 | octets.b[i];
    return v;
}

void msk_vector_init(msk_vector *v, const json_t *vectors, const char *id)
{
    const json_t *entry = message_entry(vectors, id);
    const json_t *in = json_object_get(entry, "inputs");
    const vec_bytes domain = vec_hex(in, "key_domain_id"), rand = vec_hex(entry, "mikey_rand");
    v->message = vec_hex(entry, "message");
    v->idi = vec_hex(in, "idi");
    v->idr = vec_hex(in, "idr");
    v->muk = secret_member(in, "MUK");
    v->msk = secret_member(in, "MSK");
    v->counter = (uint32_t)json_integer_value(json_object_get(in, "ts_counter"));
    const bool streaming = strcmp(id, "msk-stream") == 0;
    v->params = (mikey_msk_params){
        .msk_id = number_of(in, "msk_id"),
        .csb_id = number_of(entry, "csb_id"),
        .seq_low = (uint16_t)number_of(in, "SEQl"),
        .seq_high = (uint16_t)number_of(in, "SEQu"),
        .wants_verification = (v->message.b[3] & 0x80) != 0,
        .sdp_ids = strcmp(id, "msk-sdp") == 0,
        .key_type = MIKEY_TGK,
        .idi_type = (uint8_t)json_integer_value(json_object_get(in, "idi_type")),
        .idi = vec_span(&v->idi),
        .idr_type = (uint8_t)json_integer_value(json_object_get(in, "idr_type")),
        .srtp_id_map = streaming,
        .ssrc = streaming ? 0x11223344 : 0,
    };
    memcpy(v->params.key_domain.b, domain.b, POC_KEY_DOMAIN_LEN);
    memcpy(v->params.rand, rand.b, MIKEY_RAND_LEN);
}

void msk_vector_done(msk_vector *v)
{
    poc_secret_free(v->muk);
    poc_secret_free(v->msk);
}

size_t seal_one(const msk_vector *v, uint8_t *out)
{
    mikey_msk_job job = {
        .muk = v->muk, .idr = vec_span(&v->idr), .counter = v->counter, .out = out, .cap = MIKEY_MESSAGE_MAX
    };
    assert_int_equal(mikey_msk_seal(&v->params, v->msk, &job, 1), POC_OK);
    assert_int_equal(job.err, POC_OK);
    return job.len;
}
