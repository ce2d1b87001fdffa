/* pocpfctl gba derive and gba milenage: what two sides should have computed alike. */
#include <string.h>

#include "gba/gba.h"
#include "pf/ctl/ctl.h"

enum { DERIVE_KS, DERIVE_RAND, DERIVE_IMPI, DERIVE_FQDN, DERIVE_UA_ID, DERIVE_GBA_U };
static const ctl_option derive_options[] = {
    [DERIVE_KS] = { "--ks", "HEX", "Ks = CK || IK, 32 octets" },
    [DERIVE_RAND] = { "--rand", "HEX", "RAND of the bootstrapping run, 16 octets" },
    [DERIVE_IMPI] = { "--impi", "TEXT", "private identity of the subscriber" },
    [DERIVE_FQDN] = { "--naf-fqdn", "TEXT", "host name of the NAF, lower case" },
    [DERIVE_UA_ID] = { "--ua-id", "HEX", "Ua security protocol identifier, 5 octets; 0100000001 (MBMS) when left out" },
    [DERIVE_GBA_U] = { "--gba-u", NULL, "keys of GBA_U: MUK is Ks_int_NAF, MRK is Ks_ext_NAF" },
};

typedef struct derived {
    gba_naf_id naf_id;
    poc_secret *ks, *ks_naf, *ks_int_naf; /* owned */
    gba_mbms_keys keys;
} derived;

static void derived_done(derived *d)
{
    poc_secret_free(d->ks);
    poc_secret_free(d->ks_naf);
    poc_secret_free(d->ks_int_naf);
    gba_mbms_keys_done(&d->keys);
}

static int naf_id_of(derived *d, const ctl_args *args)
{
    const char *ua_text = args->values[DERIVE_UA_ID], *fqdn = args->values[DERIVE_FQDN];
    uint8_t ua_id[GBA_UA_ID_LEN];
    const uint8_t *ua = gba_ua_id_mbms;
    size_t n;
    if (ua_text != NULL) {
        if (!ctl_hex(ua_id, &n, sizeof(ua_id), sizeof(ua_id), "--ua-id", ua_text))
            return CTL_USAGE;
        ua = ua_id;
    }
    if (fqdn == NULL || gba_naf_id_make(&d->naf_id, poc_span_str(fqdn), ua) != POC_OK) {
        ctl_complain("--naf-fqdn wants a host name in lower case");
        return CTL_USAGE;
    }
    return CTL_OK;
}

static poc_err derive(derived *d, const uint8_t rand[GBA_RAND_LEN], poc_span impi, bool gba_u)
{
    const poc_span naf_id = poc_span_of(d->naf_id.b, d->naf_id.n);
    POC_TRY(gba_ks_naf(&d->ks_naf, gba_u ? GBA_KS_EXT_NAF : GBA_KS_NAF, d->ks, rand, impi, naf_id));
    POC_TRY(gba_ks_naf(&d->ks_int_naf, GBA_KS_INT_NAF, d->ks, rand, impi, naf_id));
    return gba_mbms_keys_make(&d->keys, d->ks_naf, gba_u ? d->ks_int_naf : NULL);
}

static int derive_with(derived *d, const ctl_args *args)
{
    const char *impi = args->values[DERIVE_IMPI];
    uint8_t rand[GBA_RAND_LEN];
    size_t n;
    if (!ctl_secret(&d->ks, GBA_KS_LEN, "--ks", args->values[DERIVE_KS]) ||
        !ctl_hex(rand, &n, sizeof(rand), sizeof(rand), "--rand", args->values[DERIVE_RAND]))
        return CTL_USAGE;
    if (impi == NULL) {
        ctl_complain("--impi is missing");
        return CTL_USAGE;
    }
    int status = naf_id_of(d, args);
    if (status != CTL_OK)
        return status;
    const poc_err err = derive(d, rand, poc_span_str(impi), args->values[DERIVE_GBA_U] != NULL);
    if (err != POC_OK)
        return ctl_failed(err);
    json_t *o = json_object();
    json_object_set_new(o, "naf_id", ctl_json_hex(true, poc_span_of(d->naf_id.b, d->naf_id.n)));
    json_object_set_new(o, "ks_naf", ctl_json_hex(true, poc_secret_span(d->ks_naf)));
    json_object_set_new(o, "ks_int_naf", ctl_json_hex(true, poc_secret_span(d->ks_int_naf)));
    json_object_set_new(o, "muk", ctl_json_hex(true, poc_secret_span(d->keys.muk)));
    json_object_set_new(o, "mrk", ctl_json_hex(true, poc_secret_span(d->keys.mrk)));
    return ctl_json_print(o, CTL_OK);
}

static int derive_run(const ctl_args *args)
{
    derived d = { .ks = NULL };
    int status = derive_with(&d, args);
    derived_done(&d);
    return status;
}

const ctl_command ctl_gba_derive = {
    .group = "gba",
    .name = "derive",
    .synopsis = "--ks HEX --rand HEX --impi TEXT --naf-fqdn TEXT [--ua-id HEX] [--gba-u]",
    .what = "Derives Ks_NAF, Ks_int_NAF, MUK and MRK from Ks.",
    .options = derive_options,
    .option_count = POC_COUNT(derive_options),
    .run = derive_run,
};

enum { MIL_K, MIL_OP, MIL_OPC, MIL_RAND, MIL_SQN, MIL_AMF };
static const ctl_option milenage_options[] = {
    [MIL_K] = { "--k", "HEX", "K, 16 octets" },       [MIL_OP] = { "--op", "HEX", "OP, 16 octets" },
    [MIL_OPC] = { "--opc", "HEX", "OPc, 16 octets" }, [MIL_RAND] = { "--rand", "HEX", "RAND, 16 octets" },
    [MIL_SQN] = { "--sqn", "HEX", "SQN, 6 octets" },  [MIL_AMF] = { "--amf", "HEX", "AMF, 2 octets" },
};

typedef struct milenage_input {
    uint8_t k[16], op[16], rand[16], sqn[6], amf[2];
} milenage_input;

static bool milenage_read(milenage_input *in, const ctl_args *args)
{
    const bool has_op = args->values[MIL_OP] != NULL;
    const struct {
        uint8_t *to;
        size_t n;
        int option;
    } fields[] = { { in->k, 16, MIL_K },
                   { in->op, 16, has_op ? MIL_OP : MIL_OPC },
                   { in->rand, 16, MIL_RAND },
                   { in->sqn, 6, MIL_SQN },
                   { in->amf, 2, MIL_AMF } };
    if (has_op && args->values[MIL_OPC] != NULL) {
        ctl_complain("--op or --opc, not both");
        return false;
    }
    for (size_t i = 0; i < POC_COUNT(fields); i++) {
        size_t n;
        if (!ctl_hex(fields[i].to, &n, fields[i].n, fields[i].n, milenage_options[fields[i].option].name,
                     args->values[fields[i].option]))
            return false;
    }
    return true;
}

static int milenage_print(const uint8_t opc[16], const milenage_input *in, const gba_milenage *m)
{
    uint8_t autn[16];
    poc_wr wr = poc_wr_into(autn, sizeof(autn));
    for (size_t i = 0; i < sizeof(in->sqn); i++)
        poc_wr_u8(&wr, in->sqn[i] ^ m->ak[i]);
    poc_wr_put(&wr, in->amf, sizeof(in->amf));
    poc_wr_put(&wr, m->mac_a, sizeof(m->mac_a));
    const struct {
        const char *name;
        poc_span value;
    } rows[] = {
        { "opc", poc_span_of(opc, 16) },
        { "mac_a", poc_span_of(m->mac_a, sizeof(m->mac_a)) },
        { "mac_s", poc_span_of(m->mac_s, sizeof(m->mac_s)) },
        { "res", poc_span_of(m->res, sizeof(m->res)) },
        { "ck", poc_span_of(m->ck, sizeof(m->ck)) },
        { "ik", poc_span_of(m->ik, sizeof(m->ik)) },
        { "ak", poc_span_of(m->ak, sizeof(m->ak)) },
        { "ak_star", poc_span_of(m->ak_star, sizeof(m->ak_star)) },
        { "autn", poc_span_of(autn, sizeof(autn)) },
    };
    json_t *o = json_object();
    for (size_t i = 0; i < POC_COUNT(rows); i++)
        json_object_set_new(o, rows[i].name, ctl_json_hex(true, rows[i].value));
    return ctl_json_print(o, CTL_OK);
}

static int milenage_with(milenage_input *in, gba_milenage *m, const ctl_args *args)
{
    uint8_t opc[16];
    if (!milenage_read(in, args))
        return CTL_USAGE;
    poc_err err = POC_OK;
    memcpy(opc, in->op, sizeof(opc));
    if (args->values[MIL_OP] != NULL)
        err = gba_opc(opc, in->k, in->op);
    if (err == POC_OK)
        err = gba_milenage_run(m, in->k, opc, in->rand, in->sqn, in->amf);
    const int status = err == POC_OK ? milenage_print(opc, in, m) : ctl_failed(err);
    poc_wipe(opc, sizeof(opc));
    return status;
}

static int milenage_run(const ctl_args *args)
{
    milenage_input in;
    gba_milenage m;
    const int status = milenage_with(&in, &m, args);
    poc_wipe(&in, sizeof(in));
    poc_wipe(&m, sizeof(m));
    return status;
}

const ctl_command ctl_gba_milenage = {
    .group = "gba",
    .name = "milenage",
    .synopsis = "--k HEX (--op HEX | --opc HEX) --rand HEX --sqn HEX --amf HEX",
    .what = "Computes the MILENAGE functions and AUTN.",
    .options = milenage_options,
    .option_count = POC_COUNT(milenage_options),
    .run = milenage_run,
};
