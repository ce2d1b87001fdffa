/* pocpfctl mikey decode: one MIKEY message as JSON, opened when the keys for it are given. */
#include <string.h>
#include <time.h>

#include "mcx/mcx.h"
#include "mikey/mikey.h"
#include "pf/ctl/ctl.h"

enum {
    OPT_MUK,
    OPT_MSK,
    OPT_RAND,
    OPT_CSB_ID,
    OPT_IDI,
    OPT_RSK,
    OPT_Z,
    OPT_KPAK,
    OPT_KMS_URI,
    OPT_PERIOD,
    OPT_PERIOD_OFFSET,
    OPT_PERIOD_LENGTH
};
static const ctl_option options[] = {
    [OPT_MUK] = { "--muk", "HEX", "MUK, 32 octets: opens an MSK message, checks a verification or an error message" },
    [OPT_MSK] = { "--msk", "HEX", "MSK, 16 octets: opens an MTK message" },
    [OPT_RAND] = { "--rand", "HEX", "RAND of the MSK message, for every message that does not carry it itself" },
    [OPT_CSB_ID] = { "--csb-id", "HEX", "CSB ID of the MSK message, 4 octets; that of this message when left out" },
    [OPT_IDI] = { "--idi", "HEX", "IDi of the MSK message (NAF_Id), for a verification message" },
    [OPT_RSK] = { "--sakke-rsk", "HEX", "RSK of the receiver, 257 octets: opens an I_MESSAGE" },
    [OPT_Z] = { "--sakke-z", "HEX", "Z of the receiver's KMS, 257 octets (PubEncKey)" },
    [OPT_KPAK] = { "--eccsi-kpak", "HEX", "KPAK of the sender's KMS, 65 octets (PubAuthKey): checks the signature" },
    [OPT_KMS_URI] = { "--kms-uri", "TEXT", "the URI in the KMS certificate; that in the message when left out" },
    [OPT_PERIOD] = { "--period", "N", "number of the key period; that of the time of the message when left out" },
    [OPT_PERIOD_OFFSET] = { "--period-offset", "N", "UserKeyOffset in seconds; 0 when left out" },
    [OPT_PERIOD_LENGTH] = { "--period-length", "N", "UserKeyPeriod in seconds; 2592000 when left out" },
};

#define TS_COUNTER 2u /* the TS type that makes mikey_msg.counter one */

/* ---- what stands in it ---- */

static json_t *json_of_u16(bool present, uint16_t v)
{
    const uint8_t octets[] = { (uint8_t)(v >> 8), (uint8_t)v };
    return ctl_json_hex(present, poc_span_of(octets, sizeof(octets)));
}

static void describe_t(json_t *o, const mikey_msg *m, const mikey_payload *p)
{
    (void)p;
    json_object_set_new(o, "ts_type", json_integer(m->ts_type));
    json_object_set_new(o, "value", ctl_json_hex(true, m->ts));
}

static void describe_rand(json_t *o, const mikey_msg *m, const mikey_payload *p)
{
    (void)p;
    json_object_set_new(o, "rand", ctl_json_hex(true, m->rand));
}

static void describe_id(json_t *o, const mikey_msg *m, const mikey_payload *p)
{
    const bool is_idi = m->idi.present && m->idi.data.p < p->body.p + p->body.n && m->idi.data.p >= p->body.p;
    const mikey_id *id = is_idi ? &m->idi : &m->idr;
    json_object_set_new(o, "role", json_string(is_idi ? "IDi" : "IDr"));
    json_object_set_new(o, "id_type", json_integer(id->type));
    json_object_set_new(o, "data", ctl_json_hex(true, id->data));
    json_object_set_new(o, "text", ctl_json_text(id->data));
}

static void describe_sp(json_t *o, const mikey_msg *m, const mikey_payload *p)
{
    (void)m;
    poc_rd rd = poc_rd_over(p->body, NULL);
    json_t *list = json_array();
    mikey_sp sp = { 0 };
    mikey_sp_param param;
    (void)mikey_sp_read(&sp, &rd);
    json_object_set_new(o, "policy_no", json_integer(sp.policy_no));
    json_object_set_new(o, "protocol", json_integer(sp.protocol));
    json_object_set_new(o, "params", list);
    for (rd = poc_rd_over(sp.params, NULL); rd.left > 0 && mikey_sp_param_next(&param, &rd) == POC_OK;)
        json_array_append_new(list,
                              json_pack("{s:i, s:o}", "type", param.type, "value", ctl_json_hex(true, param.value)));
}

static void describe_ext(json_t *o, const mikey_msg *m, const mikey_payload *p)
{
    poc_rd rd = poc_rd_over(p->body, NULL);
    mikey_ext ext = { 0 };
    (void)mikey_ext_read(&ext, &rd);
    json_object_set_new(o, "ext_type", json_integer(ext.type));
    json_object_set_new(o, "data", ctl_json_hex(true, ext.data));
    if (ext.type == MIKEY_EXT_SDP_IDS)
        json_object_set_new(o, "protocols", ctl_json_text(ext.data));
    if (ext.type != MIKEY_EXT_KEY_ID)
        return;
    json_object_set_new(o, "key_domain_id", ctl_json_hex(m->has_key_domain, poc_span_of(m->key_domain.b, 3)));
    json_object_set_new(o, "msk_id", m->has_msk_id ? ctl_json_u32(m->msk_id) : json_null());
    json_object_set_new(o, "mtk_id", json_of_u16(m->has_mtk_id, m->mtk_id));
}

static void describe_kemac(json_t *o, const mikey_msg *m, const mikey_payload *p)
{
    (void)p;
    json_object_set_new(o, "encr_alg", json_integer(m->encr_alg));
    json_object_set_new(o, "encr_data", ctl_json_hex(true, m->encr_data));
    json_object_set_new(o, "mac_alg", json_integer(m->mac_alg));
    json_object_set_new(o, "mac", ctl_json_hex(true, m->mac));
}

static void describe_v(json_t *o, const mikey_msg *m, const mikey_payload *p)
{
    (void)p;
    json_object_set_new(o, "auth_alg", json_integer(m->mac_alg));
    json_object_set_new(o, "mac", ctl_json_hex(true, m->mac));
}

static void describe_idr(json_t *o, const mikey_msg *m, const mikey_payload *p)
{
    poc_rd rd = poc_rd_over(p->body, NULL);
    uint8_t role = 0, type = 0;
    (void)m;
    (void)poc_rd_u8(&rd, &role);
    (void)poc_rd_u8(&rd, &type);
    const poc_span data = poc_span_of(p->body.p + 4, p->body.n - 4); /* behind role, type and length */
    json_object_set_new(o, "role", json_integer(role));
    json_object_set_new(o, "id_type", json_integer(type));
    json_object_set_new(o, "data", ctl_json_hex(true, data));
    json_object_set_new(o, "text", ctl_json_text(data));
}

static void describe_sakke(json_t *o, const mikey_msg *m, const mikey_payload *p)
{
    json_object_set_new(o, "params", json_integer(p->body.p[0]));
    json_object_set_new(o, "id_scheme", json_integer(p->body.p[1]));
    json_object_set_new(o, "sed", ctl_json_hex(true, m->sed));
}

static void describe_sign(json_t *o, const mikey_msg *m, const mikey_payload *p)
{
    json_object_set_new(o, "s_type", json_integer(p->body.p[0] >> 4));
    json_object_set_new(o, "signature", ctl_json_hex(true, m->signature));
}

static void describe_err(json_t *o, const mikey_msg *m, const mikey_payload *p)
{
    (void)m;
    json_object_set_new(o, "error_no", json_integer(p->body.p[0]));
}

static const struct {
    uint8_t type;
    void (*describe)(json_t *o, const mikey_msg *m, const mikey_payload *p);
} describers[] = {
    { MIKEY_T, describe_t },         { MIKEY_RAND, describe_rand }, { MIKEY_ID, describe_id },
    { MIKEY_SP, describe_sp },       { MIKEY_EXT, describe_ext },   { MIKEY_KEMAC, describe_kemac },
    { MIKEY_V, describe_v },         { MIKEY_ERR, describe_err },   { MIKEY_IDR, describe_idr },
    { MIKEY_SAKKE, describe_sakke }, { MIKEY_SIGN, describe_sign },
};

static void generic_add(json_t *map, const mikey_generic_cs *cs)
{
    json_array_append_new(map, json_pack("{s:i, s:o, s:o, s:o}", "cs_id", cs->cs_id, "policies",
                                         ctl_json_hex(true, cs->policies), "session_data",
                                         ctl_json_hex(true, cs->session_data), "spi", ctl_json_hex(true, cs->spi)));
}

static json_t *json_of_hdr(const mikey_msg *m)
{
    json_t *map = json_array();
    for (size_t i = 0; i < m->cs_count && m->map_type == MIKEY_MAP_GENERIC_ID; i++)
        generic_add(map, &m->generic[i]);
    for (size_t i = 0; i < m->cs_count && m->map_type == MIKEY_MAP_SRTP_ID; i++)
        json_array_append_new(map, json_pack("{s:i, s:o, s:o}", "policy_no", m->cs[i].policy_no, "ssrc",
                                             ctl_json_u32(m->cs[i].ssrc), "roc", ctl_json_u32(m->cs[i].roc)));
    return json_pack("{s:s, s:i, s:i, s:i, s:o}", "type", "HDR", "offset", 0, "cs_count", m->cs_count, "map_type",
                     m->map_type, "map", map);
}

static json_t *json_of_payload(const mikey_msg *m, const mikey_payload *p)
{
    json_t *o = json_pack("{s:s, s:i}", "type", mikey_payload_name(p->type), "offset", (int)p->offset);
    for (size_t i = 0; i < POC_COUNT(describers); i++) {
        if (describers[i].type == p->type)
            describers[i].describe(o, m, p);
    }
    return o;
}

static json_t *json_of_ntp(poc_span ts)
{
    poc_rd rd = poc_rd_over(ts, NULL);
    uint32_t seconds;
    if (poc_rd_u32(&rd, &seconds) != POC_OK)
        return json_null();
    const uint64_t now = (uint64_t)time(NULL) + MCX_NTP_MINUS_UNIX;
    return ctl_json_time((int64_t)(mcx_ntp_expand(seconds, now) - MCX_NTP_MINUS_UNIX));
}

/* What an I_MESSAGE has besides. */
static void i_message_add(json_t *o, const mikey_msg *m)
{
    if (m->data_type != MIKEY_I_MESSAGE)
        return;
    json_object_set_new(o, "idkmsi", ctl_json_hex(m->idkmsi.present, m->idkmsi.data));
    json_object_set_new(o, "idkmsr", ctl_json_hex(m->idkmsr.present, m->idkmsr.data));
    json_object_set_new(o, "timestamp", ctl_json_hex(true, m->ts));
    json_object_set_new(o, "timestamp_utc", json_of_ntp(m->ts));
}

static json_t *json_of_message(const mikey_msg *m)
{
    json_t *o = json_object(), *payloads = json_array();
    json_array_append_new(payloads, json_of_hdr(m));
    for (size_t i = 0; i < m->payload_count; i++)
        json_array_append_new(payloads, json_of_payload(m, &m->payloads[i]));
    json_object_set_new(o, "data_type", json_integer(m->data_type));
    json_object_set_new(o, "v", json_boolean(m->wants_verification));
    json_object_set_new(o, "prf", json_integer(m->prf));
    json_object_set_new(o, "csb_id", ctl_json_u32(m->csb_id));
    json_object_set_new(o, "payloads", payloads);
    json_object_set_new(o, "key_domain_id", ctl_json_hex(m->has_key_domain, poc_span_of(m->key_domain.b, 3)));
    json_object_set_new(o, "msk_id", m->has_msk_id ? ctl_json_u32(m->msk_id) : json_null());
    json_object_set_new(o, "mtk_id", json_of_u16(m->has_mtk_id, m->mtk_id));
    json_object_set_new(o, "counter", m->ts_type == TS_COUNTER ? json_integer(m->counter) : json_null());
    json_object_set_new(o, "rand", ctl_json_hex(m->rand.n > 0, m->rand));
    json_object_set_new(o, "idi", ctl_json_hex(m->idi.present, m->idi.data));
    json_object_set_new(o, "idr", ctl_json_hex(m->idr.present, m->idr.data));
    i_message_add(o, m);
    return o;
}

/* ---- what its keys open ---- */

typedef struct opening {
    const mikey_msg *msg;
    const ctl_args *args;
    json_t *keys; /* filled when the MAC holds */
    poc_fault fault;
} opening;

#define NOT_ASKED (-1) /* no key on the command line fits this kind of message: an opener complained */

static void key_add(opening *o, const char *type, poc_span key, poc_span salt, const mikey_msk *interval)
{
    json_t *entry = json_pack("{s:s, s:o, s:o}", "type", type, "key", ctl_json_hex(true, key), "salt",
                              ctl_json_hex(salt.n > 0, salt));
    json_object_set_new(entry, "seq_low", interval == NULL ? json_null() : json_integer(interval->seq_low));
    json_object_set_new(entry, "seq_high", interval == NULL ? json_null() : json_integer(interval->seq_high));
    json_array_append_new(o->keys, entry);
}

static bool context_of(mikey_context *out, uint8_t rand[MIKEY_RAND_MAX], const opening *o)
{
    const char *csb_text = o->args->values[OPT_CSB_ID];
    uint8_t csb[4];
    size_t n;
    *out = (mikey_context){ .csb_id = o->msg->csb_id };
    if (!ctl_hex(rand, &out->rand.n, MIKEY_RAND_LEN, MIKEY_RAND_MAX, "--rand", o->args->values[OPT_RAND]))
        return false;
    out->rand.p = rand;
    if (csb_text == NULL)
        return true;
    if (!ctl_hex(csb, &n, sizeof(csb), sizeof(csb), "--csb-id", csb_text))
        return false;
    poc_rd rd = poc_rd_over(poc_span_of(csb, sizeof(csb)), NULL);
    return poc_rd_u32(&rd, &out->csb_id) == POC_OK;
}

static int open_msk(opening *o)
{
    POC_OWNED(poc_secret, muk, poc_secret_free);
    mikey_msk opened;
    if (!ctl_secret(&muk, POC_MUK_LEN, "--muk", o->args->values[OPT_MUK]))
        return NOT_ASKED;
    const poc_err err = mikey_msk_open(&opened, o->msg, muk, &o->fault);
    if (err == POC_OK && opened.msk != NULL)
        key_add(o, opened.key_type == MIKEY_TEK ? "TEK" : "TGK", poc_secret_span(opened.msk), poc_span_of(NULL, 0),
                &opened);
    mikey_msk_done(&opened);
    return (int)err;
}

static int open_mtk(opening *o)
{
    POC_OWNED(poc_secret, msk, poc_secret_free);
    POC_OWNED(poc_secret, mtk, poc_secret_free);
    uint8_t rand[MIKEY_RAND_MAX];
    mikey_context context;
    if (!ctl_secret(&msk, POC_MSK_LEN, "--msk", o->args->values[OPT_MSK]) || !context_of(&context, rand, o))
        return NOT_ASKED;
    const poc_err err = mikey_mtk_open(&mtk, o->msg, context, msk, &o->fault);
    if (err != POC_OK)
        return (int)err;
    const poc_span all = poc_secret_span(mtk);
    key_add(o, all.n > POC_MTK_LEN ? "TEK+SALT" : "TEK", poc_span_of(all.p, POC_MTK_LEN),
            poc_span_of(all.p + POC_MTK_LEN, all.n - POC_MTK_LEN), NULL);
    return POC_OK;
}

static int check_verification(opening *o)
{
    POC_OWNED(poc_secret, muk, poc_secret_free);
    uint8_t rand[MIKEY_RAND_MAX], idi[MIKEY_MESSAGE_MAX];
    mikey_context context;
    size_t idi_len;
    if (!ctl_secret(&muk, POC_MUK_LEN, "--muk", o->args->values[OPT_MUK]) || !context_of(&context, rand, o) ||
        !ctl_hex(idi, &idi_len, 1, sizeof(idi), "--idi", o->args->values[OPT_IDI]))
        return NOT_ASKED;
    const mikey_expected expected = {
        .csb_id = context.csb_id,
        .counter = o->msg->counter,
        .rand = context.rand,
        .idi = poc_span_of(idi, idi_len),
        .idr = o->msg->idr.data,
    };
    return (int)mikey_verification_check(o->msg, &expected, muk);
}

static int check_error(opening *o)
{
    POC_OWNED(poc_secret, muk, poc_secret_free);
    uint8_t rand[MIKEY_RAND_MAX];
    mikey_context context;
    if (!ctl_secret(&muk, POC_MUK_LEN, "--muk", o->args->values[OPT_MUK]) || !context_of(&context, rand, o))
        return NOT_ASKED;
    return (int)mikey_error_check(o->msg, context, muk);
}

static int open_by_kind(opening *o)
{
    if (o->msg->data_type == MIKEY_PSK_VERIFICATION)
        return check_verification(o);
    if (o->msg->data_type == MIKEY_ERROR)
        return check_error(o);
    return o->msg->has_mtk_id ? open_mtk(o) : open_msk(o);
}

static int malformed(const poc_fault *fault)
{
    ctl_complain("offset %zu: %s", fault->offset, fault->reason != NULL ? fault->reason : "not the expected message");
    return CTL_DATA;
}

static int open_message(opening *o)
{
    o->keys = json_array();
    const int result = open_by_kind(o);
    json_t *object = NULL;
    int status = CTL_OK;
    if (result == NOT_ASKED)
        status = CTL_USAGE;
    else if (result == POC_E_INPUT)
        status = malformed(&o->fault);
    else if (result != POC_OK && result != POC_E_AUTH)
        status = ctl_failed((poc_err)result);
    else
        object = json_of_message(o->msg);
    if (object != NULL) {
        json_object_set_new(object, "mac_valid", json_boolean(result == POC_OK));
        if (result == POC_OK)
            json_object_set(object, "keys", o->keys);
        status = ctl_json_print(object, result == POC_OK ? CTL_OK : CTL_NO);
    }
    json_decref(o->keys);
    return status;
}

static int open_i_message(const mikey_msg *msg, const ctl_args *args)
{
    const ctl_sakke_keys keys = { .rsk = args->values[OPT_RSK],
                                  .z = args->values[OPT_Z],
                                  .kpak = args->values[OPT_KPAK],
                                  .kms_uri = args->values[OPT_KMS_URI],
                                  .period = args->values[OPT_PERIOD],
                                  .period_offset = args->values[OPT_PERIOD_OFFSET],
                                  .period_length = args->values[OPT_PERIOD_LENGTH] };
    json_t *object = json_of_message(msg);
    const int status = ctl_i_message_open(object, msg, &keys);
    if (status == CTL_OK || status == CTL_NO)
        return ctl_json_print(object, status);
    json_decref(object);
    return status;
}

static bool has_key(const ctl_args *args)
{
    static const size_t keys[] = { OPT_MUK, OPT_MSK, OPT_RSK, OPT_KPAK };
    for (size_t i = 0; i < POC_COUNT(keys); i++) {
        if (args->values[keys[i]] != NULL)
            return true;
    }
    return false;
}

static int run(const ctl_args *args)
{
    uint8_t octets[2 * MIKEY_MESSAGE_MAX];
    size_t n;
    mikey_msg msg;
    poc_fault fault = { 0, NULL };
    int status = ctl_input_read(octets, sizeof(octets), &n, args->file);
    if (status != CTL_OK)
        return status;
    if (mikey_decode(&msg, poc_span_of(octets, n), &fault) != POC_OK)
        return malformed(&fault);
    if (!has_key(args))
        return ctl_json_print(json_of_message(&msg), CTL_OK);
    if (msg.data_type == MIKEY_I_MESSAGE)
        return open_i_message(&msg, args);
    opening o = { .msg = &msg, .args = args };
    return open_message(&o);
}

const ctl_command ctl_mikey_decode = {
    .group = "mikey",
    .name = "decode",
    .synopsis = "[--muk HEX | --msk HEX --rand HEX --csb-id HEX | --eccsi-kpak HEX [--sakke-rsk HEX --sakke-z HEX]\n"
                "       [--kms-uri TEXT] [--period N] [--period-offset N] [--period-length N]] [FILE]",
    .what = "Prints a MIKEY message, and with a key what it carries.",
    .more =
        "FILE or standard input holds one message, raw, hex or base64. A verification message takes --muk, --rand and\n"
        "--idi, an error message --muk and --rand. With a key that does not fit, \"mac_valid\" is false, there are no\n"
        "\"keys\" and the exit status is 1. An I_MESSAGE (data type 26) is checked with --eccsi-kpak (\"signature_valid\") and\n"
        "opened with --sakke-rsk and --sakke-z. Keys on a command line can be seen by other users of this machine.",
    .options = options,
    .option_count = POC_COUNT(options),
    .takes_file = true,
    .run = run,
};
