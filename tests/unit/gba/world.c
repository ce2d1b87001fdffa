#include "tests/unit/gba/world.h"

#include <string.h>

const uint8_t world_k[16] = "the subscriber K", world_opc[16] = "subscribers' OPc", world_amf[2] = { 0x80, 0x00 };

poc_err world_subscribe(world *w, const char *impi, const char *impu, uint64_t sqn)
{
    gba_subscriber s = { .impi = poc_span_str(impi), .sqn = sqn, .impus = { poc_span_str(impu) }, .impu_count = 1 };
    memcpy(s.k, world_k, 16);
    memcpy(s.opc, world_opc, 16);
    memcpy(s.amf, world_amf, 2);
    poc_err err = gba_bsf_add(w->bsf, &s);
    poc_wipe(&s, sizeof(s));
    return err;
}

static poc_err fill(world *w)
{
    gba_naf_settings settings = { .fqdn = poc_span_str(WORLD_NAF),
                                  .nonce_lifetime_s = WORLD_NONCE_LIFETIME_S,
                                  .users_max = WORLD_USERS_MAX };
    memcpy(settings.ua_id, gba_ua_id_mbms, sizeof(settings.ua_id));
    POC_TRY(gba_usim_init(&w->usim, world_k, world_opc, 0, world_amf));
    POC_TRY(gba_bsf_new(&w->bsf, poc_span_str(WORLD_BSF), WORLD_KEY_LIFETIME_S, &w->rng));
    POC_TRY(gba_naf_new(&w->naf, &settings, &w->rng));
    return world_subscribe(w, WORLD_IMPI, WORLD_ALICE, 0);
}

poc_err world_new(world *w)
{
    *w = (world){ .now_s = 1893456000 };
    w->rng = test_rng_of(&w->chance, 7);
    poc_err err = fill(w);
    if (err != POC_OK)
        world_done(w);
    return err;
}

void world_done(world *w)
{
    gba_bsf_free(w->bsf);
    gba_naf_free(w->naf);
    gba_usim_done(&w->usim);
    w->bsf = NULL;
    w->naf = NULL;
}

static poc_err exchange(world *w, gba_ub_client *c, gba_ub_next *next, gba_bootstrap *out)
{
    static gba_http_answer answer; /* 8 KiB: not for the stack of every test */
    char request[GBA_HEADER_MAX];
    poc_wr wr = poc_wr_into(request, sizeof(request));
    POC_TRY(gba_ub_client_request(c, &wr));
    poc_err served =
        gba_bsf_ub(w->bsf, w->now_s, poc_span_str("GET"), poc_span_str("/"), poc_span_of(request, wr.len), &answer);
    if (served == POC_E_NOMEM)
        return served;
    return gba_ub_client_answer(c, answer.status, poc_span_str(answer.www_authenticate),
                                poc_span_str(answer.authentication_info), poc_span_of(answer.body, answer.body_len),
                                next, out);
}

poc_err world_bootstrap(world *w, const char *impi, gba_usim *usim, gba_bootstrap *out)
{
    gba_ub_next next = GBA_UB_AGAIN;
    POC_OWNED(gba_ub_client, c, gba_ub_client_free);
    *out = (gba_bootstrap){ 0 };
    POC_TRY(gba_ub_client_new(&c, poc_span_str(impi), poc_span_str(WORLD_BSF), usim, &w->rng));
    while (next == GBA_UB_AGAIN)
        POC_TRY(exchange(w, c, &next, out));
    return POC_OK;
}

poc_err world_ue_keys(const char *impi, const gba_bootstrap *b, gba_mbms_keys *out)
{
    gba_naf_id id;
    POC_OWNED(poc_secret, ks_naf, poc_secret_free);
    *out = (gba_mbms_keys){ 0 };
    POC_TRY(gba_naf_id_make(&id, poc_span_str(WORLD_NAF), gba_ua_id_mbms));
    POC_TRY(gba_ks_naf(&ks_naf, GBA_KS_NAF, b->ks, b->rand, poc_span_str(impi), poc_span_of(id.b, id.n)));
    return gba_mbms_keys_make(out, ks_naf, NULL);
}

poc_err world_learn(world *w, poc_span btid)
{
    gba_zn_answer answer;
    poc_err err = gba_bsf_zn(w->bsf, w->now_s, btid, gba_naf_naf_id(w->naf), &answer);
    if (err == POC_OK)
        err = gba_naf_learn(w->naf, w->now_s, btid, &answer);
    gba_zn_answer_done(&answer);
    return err;
}
