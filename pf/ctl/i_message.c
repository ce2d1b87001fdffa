/* What mikey decode does with a MIKEY-SAKKE I_MESSAGE and keys for it. */
#include <string.h>
#include <time.h>

#include "mcx/mcx.h"
#include "pf/ctl/ctl.h"

#define PERIOD_S 2592000u

/* The options as values, and what is made of them. */
typedef struct bench {
    uint8_t kpak[MCX_POINT_LEN], z[MCX_SAKKE_POINT_LEN];
    uint64_t period_number;
    bool has_period;
    mcx_certificate certificates[2]; /* of the KMS of the sender and of that of the receiver */
    mcx_identity own;
    mcx_sakke *sakke;
    mcx_receiver *receiver;
    mcx_verifier *verifier;
    mcx_expected expected;
} bench;

static void bench_done(bench *b)
{
    mcx_receiver_free(b->receiver);
    mcx_sakke_free(b->sakke);
    mcx_verifier_free(b->verifier);
}

static int refused(poc_err err, const poc_fault *fault)
{
    if (err == POC_E_NOMEM || err == POC_E_BUG)
        return ctl_failed(err);
    ctl_complain("offset %zu: %s", fault->offset, fault->reason != NULL ? fault->reason : poc_err_name(err));
    return err == POC_E_INPUT ? CTL_DATA : CTL_NO;
}

static bool certificates_init(bench *b, const mikey_msg *msg, const ctl_sakke_keys *k)
{
    const poc_span given = k->kms_uri == NULL ? (poc_span){ NULL, 0 } : poc_span_str(k->kms_uri);
    uint64_t period_s, offset_s;
    size_t n;
    if (!ctl_hex(b->kpak, &n, sizeof(b->kpak), sizeof(b->kpak), "--eccsi-kpak", k->kpak) ||
        !ctl_number(&period_s, PERIOD_S, UINT32_MAX, "--period-length", k->period_length) ||
        !ctl_number(&offset_s, 0, UINT32_MAX, "--period-offset", k->period_offset) ||
        !ctl_number(&b->period_number, 0, UINT32_MAX, "--period", k->period))
        return false;
    b->has_period = k->period != NULL;
    for (size_t i = 0; i < 2; i++)
        b->certificates[i] = (mcx_certificate){ .kms_uri = given.n > 0 ? given
                                                           : i == 0    ? msg->idkmsi.data
                                                                       : msg->idkmsr.data,
                                                .period_s = period_s,
                                                .offset_s = offset_s,
                                                .kpak = b->kpak };
    return true;
}

static poc_err expected_init(bench *b)
{
    b->expected = (mcx_expected){ .now_ntp_s = (uint64_t)time(NULL) + MCX_NTP_MINUS_UNIX,
                                  .any_time = true,
                                  .period_number = b->has_period ? &b->period_number : NULL,
                                  .own = &b->own,
                                  .own_count = 1,
                                  .certificates = b->certificates,
                                  .certificate_count = 2,
                                  .types = MCX_TYPE_BIT(MCX_KEY_TYPES) - 1,
                                  .accepts_revoked = true };
    POC_TRY(mcx_verifier_new(&b->verifier, 1));
    b->expected.verifier = b->verifier;
    return POC_OK;
}

/* The identity that the RSK is for: IDRr in the given period, or in that of the time of the message. */
static poc_err own_init(bench *b, const mikey_msg *msg)
{
    const mcx_certificate *kms = &b->certificates[1];
    poc_rd ts = poc_rd_over(msg->ts, NULL);
    uint32_t seconds;
    POC_TRY(poc_rd_u32(&ts, &seconds));
    const uint64_t ntp_s = mcx_ntp_expand(seconds, b->expected.now_ntp_s);
    b->own = (mcx_identity){ .kms = kms,
                             .period_number = b->has_period ? b->period_number
                                                            : mcx_period_number(ntp_s, kms->period_s, kms->offset_s) };
    if (msg->idr.role == MIKEY_ROLE_UID_RESPONDER) {
        if (msg->idr.data.n != MCX_UID_LEN)
            return POC_E_INPUT;
        memcpy(b->own.uid, msg->idr.data.p, MCX_UID_LEN);
        return POC_OK;
    }
    b->own.uri = msg->idr.data;
    return mcx_identity_init(&b->own);
}

static int receiver_init(bench *b, const mikey_msg *msg, const ctl_sakke_keys *k)
{
    POC_OWNED(poc_secret, rsk, poc_secret_free);
    size_t n;
    if (!ctl_secret(&rsk, MCX_SAKKE_POINT_LEN, "--sakke-rsk", k->rsk) ||
        !ctl_hex(b->z, &n, sizeof(b->z), sizeof(b->z), "--sakke-z", k->z))
        return CTL_USAGE;
    poc_err err = mcx_sakke_new(&b->sakke, b->z);
    if (err == POC_E_INPUT) {
        ctl_complain("--sakke-z is not a point of the curve");
        return CTL_USAGE;
    }
    if (err == POC_OK)
        err = own_init(b, msg);
    if (err == POC_OK)
        err = mcx_receiver_new(&b->receiver, poc_span_of(b->own.uid, MCX_UID_LEN), b->sakke, rsk);
    b->own.receiver = b->receiver;
    if (err == POC_OK)
        return CTL_OK;
    if (err != POC_E_INPUT && err != POC_E_AUTH)
        return ctl_failed(err);
    ctl_complain("--sakke-rsk is not a key of IDRr in this period under --sakke-z");
    return CTL_NO;
}

/* ---- what comes out ---- */

static json_t *json_of_parameters(const mcx_opened *o)
{
    const mcx_key_parameters *p = &o->parameters;
    json_t *groups = json_array(), *object;
    if (!o->has_parameters) {
        json_decref(groups);
        return json_null();
    }
    for (size_t i = 0; i < p->group_count; i++)
        json_array_append_new(groups, ctl_json_text(p->groups[i]));
    object = json_pack("{s:s, s:b, s:b, s:I, s:I, s:o, s:o}", "key_type", mcx_key_type_name(p->type), "revoked",
                       p->is_revoked, "shared", p->is_shared, "activation", (json_int_t)p->activation_s, "expiry",
                       (json_int_t)p->expiry_s, "text", ctl_json_text(p->text), "groups", groups);
    return object;
}

static void opened_put(json_t *object, const mcx_opened *o)
{
    json_t *key = json_pack("{s:s, s:o, s:o, s:n, s:n, s:n}", "type", mcx_key_type_name(o->type), "key_id",
                            ctl_json_u32(o->key_id), "key", ctl_json_hex(true, poc_secret_span(o->key)), "salt",
                            "seq_low", "seq_high");
    json_t *keys = json_array();
    json_array_append_new(keys, key);
    json_object_set_new(object, "keys", keys);
    json_object_set_new(object, "key_parameters", json_of_parameters(o));
}

static int open_with(json_t *object, const mikey_msg *msg, const bench *b)
{
    mcx_opened opened;
    poc_fault fault = { 0, NULL };
    const poc_err err = mcx_i_message_open(&opened, msg, &b->expected, &fault);
    if (err != POC_OK)
        return refused(err, &fault);
    opened_put(object, &opened);
    mcx_opened_done(&opened);
    return CTL_OK;
}

static int bench_run(json_t *object, bench *b, const mikey_msg *msg, const ctl_sakke_keys *k)
{
    poc_fault fault = { 0, NULL };
    if (!certificates_init(b, msg, k))
        return CTL_USAGE;
    poc_err err = expected_init(b);
    if (err == POC_OK)
        err = mcx_i_message_verify(msg, &b->expected, &fault);
    json_object_set_new(object, "signature_valid", json_boolean(err == POC_OK));
    if (err == POC_E_INPUT) { /* a signature of that form is none; the message itself has been read */
        ctl_complain("offset %zu: %s", fault.offset, fault.reason);
        return CTL_NO;
    }
    if (err != POC_OK)
        return refused(err, &fault);
    if (k->rsk == NULL && k->z == NULL)
        return CTL_OK;
    const int status = receiver_init(b, msg, k);
    return status == CTL_OK ? open_with(object, msg, b) : status;
}

int ctl_i_message_open(json_t *object, const mikey_msg *msg, const ctl_sakke_keys *keys)
{
    bench b = { .sakke = NULL };
    const int status = bench_run(object, &b, msg, keys);
    bench_done(&b);
    return status;
}
