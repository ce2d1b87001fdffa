#include "tests/unit/wire/desk.h"

#include <string.h>

#include "base/text.h"

static const wire_keyman_service services[] = {
    { "fire", WIRE_ADMIT_AUTHENTICATED },
    { "list", WIRE_ADMIT_LISTED },
    { "dispatch", WIRE_ADMIT_SESSION },
};
static const char *const service_ids[] = { DESK_FIRE, DESK_LIST, DESK_DISPATCH };

static const wire_keyman_service *service_of(void *user, const char *service_id)
{
    (void)user;
    for (size_t i = 0; i < POC_COUNT(services); i++)
        if (strcmp(service_id, service_ids[i]) == 0)
            return &services[i];
    return NULL;
}

static bool listed(void *user, const char *channel, const char *impu)
{
    (void)user;
    return strcmp(channel, "list") == 0 && strcmp(impu, DESK_ALICE) == 0;
}

static int random_fill(void *user, uint8_t *out, size_t n)
{
    const poc_rng *rng = user;
    return rng->fill(rng->ctx, out, n) == POC_OK ? 0 : -1;
}

static poc_err channel_add(desk *d, const char *id, const char *group, uint16_t key_group)
{
    pocpf_channel c = { .size = sizeof(c), .id = id, .group_uri = group, .key_group = key_group };
    memcpy(c.key_domain, "\x00\xf1\x10", 3);
    c.rekey.delivery = POCPF_BY_PUSH;
    return (poc_err)pocpf_channel_add(d->pf, d->now_ms, &c);
}

static poc_err engine_up(desk *d)
{
    const pocpf_host host = { .size = sizeof(host), .user = &d->rng, .random = random_fill };
    poc_span naf_id = gba_naf_naf_id(d->naf);
    d->store_key = pocpf_secret_new("a key of 32 octets for the store", 32);
    if (d->store_key == NULL)
        return POC_E_NOMEM;
    const pocpf_settings set = { .size = sizeof(set),
                                 .naf_id = naf_id.p,
                                 .naf_id_len = naf_id.n,
                                 .store_key = d->store_key,
                                 .members_max = DESK_MEMBERS_MAX };
    POC_TRY((poc_err)pocpf_new(&d->pf, &host, &set));
    POC_TRY(channel_add(d, "fire", NULL, 0x1001));
    POC_TRY(channel_add(d, "list", NULL, 0x1002));
    return channel_add(d, "dispatch", DESK_DISPATCH, 0x1003);
}

static poc_err fill(desk *d)
{
    gba_naf_settings naf = { .fqdn = poc_span_str(DESK_FQDN), .nonce_lifetime_s = DESK_NONCE_LIFE_S, .users_max = 8 };
    memcpy(naf.ua_id, gba_ua_id_mbms, sizeof(naf.ua_id));
    d->rules = (wire_keyman_rules){ .path = "/keymanagement",
                                    .muk_renew_s = DESK_RENEW_S,
                                    .requests_per_btid_s = DESK_RATE,
                                    .strict_identities = true,
                                    .service_of = service_of,
                                    .listed = listed };
    POC_TRY(gba_naf_new(&d->naf, &naf, &d->rng));
    POC_TRY(engine_up(d));
    POC_TRY(wire_keyman_new(&d->k, &d->rules, d->naf, d->pf));
    POC_TRY(desk_learn(d, &d->alice, "AAECAwQFBgcICQoLDA0ODw==@bsf.example.org", 1, DESK_KEY_LIFE_S));
    return desk_learn(d, &d->bob, "AQECAwQFBgcICQoLDA0ODw==@bsf.example.org", 2, DESK_KEY_LIFE_S);
}

poc_err desk_new(desk *d)
{
    memset(d, 0, sizeof(*d));
    d->now_ms = INT64_C(1893456000000);
    d->rng = test_rng_of(&d->chance, 11);
    d->address = "192.0.2.7:2269";
    d->alice.impi = "alice@ims.example.org";
    d->bob.impi = "bob@ims.example.org";
    poc_err err = fill(d);
    if (err != POC_OK)
        desk_done(d);
    return err;
}

void desk_done(desk *d)
{
    wire_keyman_free(d->k);
    pocpf_free(d->pf);
    pocpf_secret_free(d->store_key);
    gba_naf_free(d->naf);
    gba_mbms_keys_done(&d->alice.keys);
    gba_mbms_keys_done(&d->bob.keys);
    memset(d, 0, sizeof(*d));
}

poc_err desk_learn(desk *d, desk_user *u, const char *btid, uint8_t key_octet, int64_t life_s)
{
    uint8_t key[32];
    gba_zn_answer zn = { .expires_s = d->now_ms / 1000 + life_s, .impu_count = u == &d->alice ? 2 : 1 };
    memset(key, key_octet, sizeof(key));
    strcpy(zn.impi, u->impi);
    strcpy(zn.impus[0], u == &d->alice ? DESK_ALICE : DESK_BOB);
    strcpy(zn.impus[1], DESK_ALICE_2);
    poc_err err = poc_secret_from(&zn.me_key, key, sizeof(key));
    gba_mbms_keys_done(&u->keys);
    if (err == POC_OK)
        err = gba_mbms_keys_make(&u->keys, zn.me_key, NULL);
    if (err == POC_OK)
        err = gba_naf_learn(d->naf, d->now_ms / 1000, poc_span_str(btid), &zn);
    gba_zn_answer_done(&zn);
    u->btid = btid;
    u->client = (gba_ua_client){ .btid = btid, .mrk = u->keys.mrk };
    return err;
}

static poc_err carry_out(desk *d, const pocpf_effect *e)
{
    switch (e->type) {
    case POCPF_DO_PERSIST:
        return (poc_err)pocpf_persisted(d->pf, d->now_ms, true);
    case POCPF_DO_ENABLER_START:
        return (poc_err)pocpf_enabler_changed(d->pf, d->now_ms, e->channel, POCPF_ENABLER_STARTED);
    case POCPF_DO_ENABLER_STOP:
        return (poc_err)pocpf_enabler_changed(d->pf, d->now_ms, e->channel, POCPF_ENABLER_STOPPED);
    case POCPF_DO_PUSH:
        d->pushes++;
        d->pushed_msk = e->u.push.msk_id;
        memcpy(d->pushed_to, e->u.push.address, e->u.push.address_len);
        d->pushed_to[e->u.push.address_len] = '\0';
        return POC_OK;
    default:
        return POC_OK;
    }
}

poc_err desk_run(desk *d)
{
    pocpf_effect e;
    while (pocpf_poll(d->pf, &e))
        POC_TRY(carry_out(d, &e));
    return POC_OK;
}

static poc_span text(const char *t)
{
    return t == NULL ? poc_span_of(NULL, 0) : poc_span_str(t);
}

wire_keyman_outcome desk_serve(desk *d, const char *method, const char *target, const char *type, const char *body)
{
    const wire_keyman_request request = { .method = text(method),
                                          .target = text(target),
                                          .content_type = text(type),
                                          .authorization = text(d->authorization),
                                          .intended_identity = text(d->intended),
                                          .body = text(body),
                                          .address = d->address,
                                          .address_len = strlen(d->address) };
    return wire_keyman_serve(d->k, d->now_ms, &request, &d->answer);
}

poc_err desk_challenge(desk *d)
{
    d->authorization[0] = '\0';
    (void)desk_serve(d, "POST", DESK_REGISTER, desk_type(DESK_REGISTER), "");
    if (d->answer.status == 503)
        return POC_E_NOMEM;
    strcpy(d->challenge, d->answer.www_authenticate);
    d->alice.client.nc = d->bob.client.nc = 0;
    return POC_OK;
}

poc_err desk_authorize(desk *d, desk_user *u, const char *target, const char *body)
{
    poc_wr wr = poc_wr_into(d->authorization, sizeof(d->authorization));
    POC_TRY(gba_ua_authorize(&u->client, poc_span_str(d->challenge), poc_span_str(DESK_FQDN), poc_span_str("POST"),
                             poc_span_str(target), poc_span_str(body), &d->rng, &wr));
    return poc_wr_text(&wr);
}

poc_err desk_ask(desk *d, desk_user *u, const char *target, const char *type, const char *body)
{
    POC_TRY(desk_challenge(d));
    POC_TRY(desk_authorize(d, u, target, body));
    return desk_serve(d, "POST", target, type, body) == WIRE_KEYMAN_ANSWERED ? POC_OK : POC_E_STATE;
}

const char *desk_type(const char *target)
{
    if (strstr(target, "=register") != NULL)
        return "application/mbms-register+xml";
    return strstr(target, "=deregister") != NULL ? "application/mbms-deregister+xml" : "application/mbms-msk+xml";
}

void desk_look(const desk *d, char *out, size_t cap)
{
    poc_wr wr = poc_wr_into(out, cap);
    for (size_t i = 0; i < POC_COUNT(services); i++) {
        pocpf_channel_status c = { .size = sizeof(c) };
        (void)pocpf_channel_look(d->pf, services[i].channel, &c);
        poc_wr_fmt(&wr, "%s %s %08x %08x %u/%u\n", services[i].channel, c.state, c.msk_id, c.next_msk_id, c.confirmed,
                   c.members);
        pocpf_member_status m = { .size = sizeof(m) };
        for (size_t at = 0; pocpf_member_next(d->pf, services[i].channel, &at, &m);)
            poc_wr_fmt(&wr, "  %s %s %08x %d%d %.*s\n", m.user, m.state, m.msk_id, m.by_sip, m.by_push,
                       (int)m.address_len, m.address_len > 0 ? (const char *)m.address : "");
    }
    poc_wr_fmt(&wr, "%lld\n", (long long)pocpf_deadline_ms(d->pf));
    (void)poc_wr_text(&wr);
}
