#include "tests/unit/wire/bureau.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mime.h"
#include "base/text.h"

/* ---- whom it knows ---- */

/* A token is of one person, wherever she is; bob has no MCPTT at alice's device, where MCVideo is his. */
static poc_err authorise(void *user, const char *impu, mcx_service service, const char *token, int64_t now_s,
                         char mc_id[WIRE_MCX_TEXT_MAX + 1])
{
    bureau *b = user;
    (void)service, (void)now_s;
    b->asked++;
    if (b->outage != POC_OK)
        return b->outage;
    if (token[0] == '\0' && b->trusts_sip)
        token = strcmp(impu, ALICE_IMPU) == 0 ? ALICE_TOKEN : BOB_TOKEN;
    const bool is_alice = strcmp(token, ALICE_TOKEN) == 0;
    if (!is_alice && strcmp(token, BOB_TOKEN) != 0)
        return POC_E_AUTH;
    if (is_alice && strcmp(impu, BOB_IMPU) == 0)
        return POC_E_DENIED;
    strcpy(mc_id, is_alice ? ALICE_ID : BOB_ID);
    return POC_OK;
}

static bool known(void *user, const char *impu, mcx_service service, char mc_id[WIRE_MCX_TEXT_MAX + 1])
{
    (void)user, (void)service;
    if (strcmp(impu, ALICE_IMPU) == 0)
        strcpy(mc_id, ALICE_ID);
    return strcmp(impu, ALICE_IMPU) == 0;
}

static bool affords(void *user, const char *impu, uint32_t cost, int64_t now_s)
{
    bureau *b = user;
    (void)impu;
    assert_int_equal(now_s, b->o->now_ms / 1000);
    b->spent += cost;
    return b->budget == 0 || b->spent <= b->budget;
}

static bool is_somebody(void *user, const char *impu)
{
    const bureau *b = user;
    return b->nobody == NULL || strcmp(b->nobody, impu) != 0;
}

static bool listed(void *user, const char *channel, const char *mc_id)
{
    const bureau *b = user;
    (void)channel;
    return b->listed != NULL && strcmp(b->listed, mc_id) == 0;
}

/* ---- the store ---- */

struct bureau_record {
    struct bureau_record *next;
    uint8_t key[512], value[2048];
    size_t key_len, value_len;
};

static void forget(bureau *b, const pocpf_record *r)
{
    for (struct bureau_record **at = &b->records; *at != NULL; at = &(*at)->next) {
        struct bureau_record *k = *at;
        if (k->key_len != r->key_len || memcmp(k->key, r->key, r->key_len) != 0)
            continue;
        *at = k->next;
        free(k);
        return;
    }
}

/* When memory is short the store takes less: the test that makes it short reads nothing back. */
static void keep_record(bureau *b, const pocpf_record *r)
{
    forget(b, r);
    struct bureau_record *k = r->value == NULL ? NULL : calloc(1, sizeof(*k));
    if (k == NULL || r->key_len > sizeof(k->key) || r->value_len > sizeof(k->value)) {
        free(k);
        return;
    }
    memcpy(k->key, r->key, r->key_len);
    memcpy(k->value, r->value, r->value_len);
    k->key_len = r->key_len;
    k->value_len = r->value_len;
    k->next = b->records;
    b->records = k;
}

static void persist(bureau *b, const pocpf_effect *fx)
{
    for (size_t i = 0; i < fx->u.persist.count && !b->store_fails; i++)
        keep_record(b, &fx->u.persist.records[i]);
    (void)pocpf_persisted(b->pf, b->o->now_ms, !b->store_fails);
}

/* ---- the desk and its engine ---- */

static const wire_mcx_channel channels[] = {
    { "all", MCX_MCPTT, true, false, { 0 } },
    { "list", MCX_MCPTT, false, false, { 0 } },
    { "north", MCX_MCPTT, false, true, { 0x00, 0x00, 0x01, 0x62, 0xf2, 0x10 } },
    { "video", MCX_MCVIDEO, true, false, { 0 } },
};

static poc_err channel_add(bureau *b, const wire_mcx_channel *c)
{
    const pocpf_channel channel = { .size = sizeof(channel),
                                    .id = c->id,
                                    .kind = POCPF_KIND_MUSIK,
                                    .musik = { .text = c->id, .service = (uint8_t)c->service } };
    const pocpf_err err = pocpf_channel_add(b->pf, b->o->now_ms, &channel);
    return err == POCPF_E_STATE ? POC_OK : (poc_err)err;
}

static poc_err desk_make(bureau *b)
{
    POC_TRY(wire_mcx_desk_new(&b->d, &b->rules, b->pf));
    for (size_t i = 0; i < POC_COUNT(channels); i++)
        POC_TRY(wire_mcx_desk_channel(b->d, b->o->now_ms, &channels[i]));
    return POC_OK;
}

static poc_err engine_make(bureau *b)
{
    const pocpf_mcx_identity own = { sizeof(own), b->o->town->server, true };
    POC_TRY((poc_err)pocpf_new(&b->o->pf, &b->o->host, &b->o->set));
    b->pf = b->o->pf;
    for (size_t i = 0; i < POC_COUNT(channels); i++)
        POC_TRY(channel_add(b, &channels[i]));
    for (const struct bureau_record *r = b->records; r != NULL; r = r->next)
        POC_TRY((poc_err)pocpf_restore(b->pf, r->key, r->key_len, r->value, r->value_len));
    POC_TRY((poc_err)pocpf_restored(b->pf, b->o->now_ms));
    return (poc_err)pocpf_mcx_identity_add(b->pf, b->o->now_ms, &own);
}

poc_err bureau_make(bureau *b)
{
    POC_TRY(engine_make(b));
    return desk_make(b);
}

poc_err bureau_new(bureau *b, mcx_town *town)
{
    *b = (bureau){ .o = office_new(town), .where = BUREAU_WHERE, .listed = ALICE_ID };
    b->rules = (wire_mcx_rules){ .users_max = 8,
                                 .expires_s = BUREAU_EXPIRES_S,
                                 .expires_min_s = 60,
                                 .seed = 7,
                                 .affords = affords,
                                 .is_somebody = is_somebody,
                                 .authorise = authorise,
                                 .known = known,
                                 .listed = listed,
                                 .user = b };
    return bureau_make(b);
}

bureau *bureau_open(void **state)
{
    bureau *b = malloc(sizeof(*b));
    assert_non_null(b);
    assert_int_equal(bureau_new(b, *state), POC_OK);
    return b;
}

void bureau_done(bureau *b)
{
    wire_mcx_desk_free(b->d);
    office_free(b->o);
    for (struct bureau_record *r; (r = b->records) != NULL;) {
        b->records = r->next;
        free(r);
    }
}

void bureau_crash(bureau *b)
{
    wire_mcx_desk_free(b->d);
    pocpf_free(b->pf);
    assert_int_equal(bureau_make(b), POC_OK);
    assert_int_equal(wire_mcx_desk_restored(b->d, b->o->now_ms), POC_OK);
    bureau_run(b);
    b->did[0] = '\0';
}

void bureau_redefine(bureau *b, const char *id, bool is_open)
{
    for (size_t i = 0; i < POC_COUNT(channels); i++) {
        wire_mcx_channel c = channels[i];
        c.is_open = is_open;
        if (strcmp(c.id, id) == 0)
            assert_int_equal(wire_mcx_desk_channel(b->d, b->o->now_ms, &c), POC_OK);
    }
    bureau_run(b);
}

void bureau_close(bureau *b)
{
    bureau_done(b);
    free(b);
}

/* ---- effects ---- */

static void say(bureau *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(bureau *b, const char *fmt, ...)
{
    const size_t at = strlen(b->did);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(b->did + at, sizeof(b->did) - at, fmt, args);
    va_end(args);
}

static void do_bound(bureau *b, const pocpf_effect *fx)
{
    say(b, "%s:%x ", fx->u.bound.ok ? "BOUND" : "LOST", fx->u.bound.csk_id);
    wire_mcx_answer answer;
    if (!wire_mcx_desk_bound(b->d, b->o->now_ms, fx->user, fx->u.bound.csk_id, fx->u.bound.ok, &answer))
        return;
    b->answer = answer;
    b->answers++;
}

static void keep_download(bureau *b, const pocpf_effect *fx)
{
    office_download *kept = &b->o->download;
    kept->len = fx->u.download.len < sizeof(kept->octets) ? fx->u.download.len : 0;
    memcpy(kept->octets, fx->u.download.i_message, kept->len);
}

static void do_download(bureau *b, const pocpf_effect *fx)
{
    wire_mcx_user user;
    const bool is_csk = fx->u.download.key_id >> 28 == MCX_CSK;
    say(b, "%s:%s ", fx->user + 4, is_csk ? "CSK" : fx->channel);
    if (is_csk)
        keep_download(b, fx);
    const mcx_service service = (mcx_service)fx->u.download.service;
    if (!wire_mcx_desk_look_for(b->d, fx->user, service, &user) || strcmp(user.mc_id, fx->u.download.mc_id) != 0)
        say(b, "WRONG ");
    (void)pocpf_download_answered(b->pf, b->o->now_ms, fx->user, fx->u.download.number, true);
}

static void carry_out(bureau *b, const pocpf_effect *fx)
{
    if (fx->type == POCPF_DO_PERSIST && !b->store_holds)
        persist(b, fx);
    else if (fx->type == POCPF_DO_CSK_BOUND)
        do_bound(b, fx);
    else if (fx->type == POCPF_DO_DOWNLOAD)
        do_download(b, fx);
    else if (fx->type == POCPF_DO_ENABLER_START)
        (void)pocpf_enabler_changed(b->pf, b->o->now_ms, fx->channel, POCPF_ENABLER_STARTED);
    else if (fx->type == POCPF_DO_ENABLER_STOP)
        (void)pocpf_enabler_changed(b->pf, b->o->now_ms, fx->channel, POCPF_ENABLER_STOPPED);
}

void bureau_run(bureau *b)
{
    for (pocpf_effect fx; pocpf_poll(b->pf, &fx);)
        carry_out(b, &fx);
}

void bureau_pass(bureau *b, int64_t s)
{
    b->o->now_ms += s * 1000;
    pocpf_tick(b->pf, b->o->now_ms);
    wire_mcx_desk_tick(b->d, b->o->now_ms);
    bureau_run(b);
}

void bureau_expect(bureau *b, const char *text)
{
    assert_string_equal(b->did, text);
    b->did[0] = '\0';
}

void bureau_expect_in(const bureau *b, const char *user, const char *expected)
{
    char in[128] = "";
    for (size_t i = 0; i < POC_COUNT(channels); i++) {
        pocpf_member_status m = { .size = sizeof(m) };
        if (pocpf_member_look(b->pf, channels[i].id, user, &m) != POCPF_OK)
            continue;
        strcat(in, in[0] == '\0' ? "" : " ");
        strcat(in, channels[i].id);
    }
    assert_string_equal(in, expected);
}

void bureau_expect_nothing(const bureau *b, const char *impu)
{
    pocpf_csk_status csk = { .size = sizeof(csk) };
    wire_mcx_user user;
    assert_false(wire_mcx_desk_look(b->d, impu, &user));
    assert_int_equal(pocpf_csk_look(b->pf, impu, 0, &csk), POCPF_E_STATE);
    bureau_expect_in(b, impu, "");
}

/* ---- keys ---- */

static void key_seal(bureau *b, bureau_key *k, const mcx_person *who, const bureau_oddity *odd)
{
    const mcx_algorithm offered[] = { mcx_aes128_gcm, mcx_aes256_gcm };
    const size_t count = odd->cs_id == 0 ? 0 : odd->offers_256 ? 2 : 1;
    const uint64_t ntp_s = (uint64_t)(b->o->now_ms / 1000 - odd->sent_s) + MCX_NTP_MINUS_UNIX;
    mcx_seal_params params = { .sender = &who->identity,
                               .key_id = k->id,
                               .ntp = ntp_s << 32 | (test_rng_next(&b->o->chance) & 0xffff),
                               .ntp_s = ntp_s,
                               .cs_id = odd->cs_id,
                               .algorithms = offered,
                               .algorithm_count = count,
                               .hides_identities = odd->hides };
    mcx_seal_job job = { .uri = poc_span_str(odd->server == NULL ? MDSI : odd->server),
                         .kms = &b->o->town->certificate,
                         .out = k->octets,
                         .cap = sizeof(k->octets) };
    assert_int_equal(b->o->rng.fill(b->o->rng.ctx, params.rand, sizeof(params.rand)), POC_OK);
    assert_int_equal(mcx_i_message_seal(&params, k->csk, &b->o->rng, &job, 1), POC_OK);
    k->len = job.len;
}

bureau_key *bureau_seal(bureau *b, const mcx_person *who, uint32_t id, const bureau_oddity *odd)
{
    static const bureau_oddity plain = { .cs_id = 0 };
    bureau_key *k = calloc(1, sizeof(*k));
    assert_non_null(k);
    k->id = id;
    assert_int_equal(poc_secret_random(&k->csk, 16, &b->o->rng), POC_OK);
    assert_int_equal(mcx_xml_keys(&k->xml[0], &k->xml[1], k->csk, id, poc_span_str(who->uri)), POC_OK);
    k->keys = (wire_mcx_keys){ id, k->xml[0], k->xml[1] };
    key_seal(b, k, who, odd == NULL ? &plain : odd);
    return k;
}

void bureau_key_free(bureau_key *k)
{
    if (k == NULL)
        return;
    poc_secret_free(k->csk);
    poc_secret_free(k->xml[0]);
    poc_secret_free(k->xml[1]);
    free(k);
}

/* ---- bodies ---- */

void bureau_begin(bureau *b)
{
    b->part_count = b->used = 0;
}

static poc_span keep(bureau *b, poc_span octets)
{
    assert_true(b->used + octets.n <= sizeof(b->room));
    memcpy(b->room + b->used, octets.p, octets.n);
    const poc_span kept = poc_span_of(b->room + b->used, octets.n);
    b->used += octets.n;
    return kept;
}

static poc_span id_for(bureau *b)
{
    char id[32];
    const int n = snprintf(id, sizeof(id), "<part%zu@bureau>", b->part_count);
    return keep(b, poc_span_of(id, (size_t)n));
}

void bureau_put(bureau *b, const char *type, poc_span octets, bool is_base64)
{
    assert_true(b->part_count < BUREAU_PARTS_MAX);
    poc_part *p = &b->parts[b->part_count];
    *p = (poc_part){ .type = poc_span_str(type), .id = id_for(b), .is_base64 = is_base64, .body = keep(b, octets) };
    b->part_count++;
}

void bureau_put_key(bureau *b, const bureau_key *k)
{
    bureau_put(b, "application/mikey", poc_span_of(k->octets, k->len), false);
}

void bureau_put_info(bureau *b, mcx_service service, const char *token, const bureau_key *k)
{
    wire_mcx_info info = { .has_clear = false };
    uint8_t room[4096];
    poc_wr wr = poc_wr_into(room, sizeof(room));
    strcpy(info.access_token, token);
    strcpy(info.client_id, "urn:uuid:1");
    assert_int_equal(wire_mcx_info_write(&wr, &info, service, k == NULL ? NULL : &k->keys, &b->o->rng), POC_OK);
    bureau_put(b, wire_mcx_media_type(WIRE_MCX_INFO, service), poc_span_of(room, wr.len), false);
}

void bureau_put_report(bureau *b, mcx_service service, bool listening, const char *tmgi)
{
    const char *s = service == MCX_MCPTT ? "mcptt" : "mcvideo";
    char room[1024];
    poc_wr wr = poc_wr_into(room, sizeof(room));
    poc_wr_fmt(&wr,
               "<%s-mbms-usage-info xmlns=\"urn:3gpp:ns:%sMbmsUsage:1.0\"><mbms-listening-status>"
               "<mbms-listening-status>%slistening</mbms-listening-status><TMGI>",
               s, s, listening ? "" : "not-");
    poc_hex_put(&wr, poc_span_of(tmgi, WIRE_MCX_TMGI_LEN));
    poc_wr_fmt(&wr, "</TMGI></mbms-listening-status><version>1</version></%s-mbms-usage-info>", s);
    assert_int_equal(poc_wr_done(&wr), POC_OK);
    bureau_put(b, wire_mcx_media_type(WIRE_MCX_MBMS_USAGE, service), poc_span_of(room, wr.len), false);
}

void bureau_put_signatures(bureau *b, mcx_service service, const bureau_key *k)
{
    poc_part parts[BUREAU_PARTS_MAX];
    uint8_t room[8192];
    poc_wr wr = poc_wr_into(room, sizeof(room));
    size_t n = 0;
    for (size_t i = 0; i < b->part_count; i++)
        if (!poc_span_eq_str(b->parts[i].type, "application/mikey"))
            parts[n++] = b->parts[i];
    assert_int_equal(wire_mcx_signed_write(&wr, parts, n, service, &k->keys), POC_OK);
    bureau_put(b, wire_mcx_media_type(WIRE_MCX_SIGNED, service), poc_span_of(room, wr.len), false);
}

void bureau_pack(bureau *b)
{
    poc_wr wr = poc_wr_into(b->body, sizeof(b->body));
    char boundary[32];
    (void)snprintf(boundary, sizeof(boundary), "=_bureau%06u", b->packed++ % 1000000);
    (void)snprintf(b->type, sizeof(b->type), "multipart/mixed;boundary=\"%s\"", boundary);
    b->content_type = poc_span_str("");
    b->sent = poc_span_str("");
    if (b->part_count == 0)
        return;
    assert_int_equal(poc_parts_write(&wr, boundary, b->parts, b->part_count), POC_OK);
    b->content_type = poc_span_str(b->type);
    b->sent = poc_span_of(b->body, wr.len);
}

void bureau_wrap(bureau *b, const char *to)
{
    static uint8_t whole[BUREAU_ROOM];
    poc_wr wr = poc_wr_into(whole, sizeof(whole));
    bureau_pack(b);
    poc_wr_fmt(&wr,
               "REGISTER sip:ims.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n"
               "From: <%s>;tag=1\r\nTo: \"A client\" <%s>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n"
               "Contact: <" BUREAU_WHERE ">;expires=600\r\nContent-Type: %.*s\r\nContent-Length: %zu\r\n\r\n",
               to, to, (int)b->content_type.n, (const char *)b->content_type.p, b->sent.n);
    poc_wr_span(&wr, b->sent);
    assert_int_equal(poc_wr_done(&wr), POC_OK);
    b->content_type = poc_span_str("message/sip");
    b->sent = poc_span_of(whole, wr.len);
}

/* ---- requests ---- */

wire_mcx_outcome bureau_serve(bureau *b, wire_mcx_method method, const char *impu, int64_t expires_s)
{
    const bool by_core = poc_span_eq_str(b->content_type, "message/sip");
    const wire_mcx_request request = { .method = method,
                                       .by_core = by_core,
                                       .impu = impu,
                                       .content_type = b->content_type,
                                       .body = b->sent,
                                       .has_expires = expires_s >= 0,
                                       .expires_s = expires_s >= 0 ? (uint32_t)expires_s : 0,
                                       .where = by_core ? "" : b->where };
    const wire_mcx_outcome outcome = wire_mcx_desk_serve(b->d, b->o->now_ms, &request, &b->answer);
    b->answers += outcome == WIRE_MCX_ANSWERED;
    return outcome;
}

void bureau_send(bureau *b, wire_mcx_method method, const char *impu, int64_t expires_s)
{
    bureau_pack(b);
    (void)bureau_serve(b, method, impu, expires_s);
    bureau_run(b);
}

void bureau_register(bureau *b, const mcx_person *who, const char *impu, uint32_t id, const char *token)
{
    POC_OWNED(bureau_key, k, bureau_key_free);
    b->o->now_ms += 1000;
    k = bureau_seal(b, who, id, NULL);
    bureau_begin(b);
    bureau_put_key(b, k);
    bureau_put_info(b, MCX_MCPTT, token, k);
    bureau_send(b, WIRE_MCX_REGISTER, impu, -1);
}

/* ---- what there is ---- */

wire_mcx_user bureau_look(const bureau *b, const char *impu, mcx_service service)
{
    wire_mcx_user u;
    if (!wire_mcx_desk_look_for(b->d, impu, service, &u) || u.services == 0)
        fail_msg("%s is not registered", impu);
    return u;
}

uint32_t bureau_csk(const bureau *b, const char *impu, mcx_service service)
{
    pocpf_csk_status csk = { .size = sizeof(csk) };
    return pocpf_csk_of(b->pf, impu, (uint8_t)service, &csk) == POCPF_OK ? csk.csk_id : 0;
}

bureau_key *bureau_seal_later(bureau *b, const mcx_person *who, uint32_t id, const bureau_oddity *odd)
{
    b->o->now_ms += 1000;
    return bureau_seal(b, who, id, odd);
}

void bureau_expect_answer(const bureau *b, int status, bool is_authorised, const char *warning)
{
    if (b->answer.status != status || b->answer.is_authorised != is_authorised)
        fail_msg("%d, %s authorised: %s", b->answer.status, b->answer.is_authorised ? "" : "not", b->answer.why);
    assert_int_equal(b->answer.warning == NULL, warning == NULL);
    if (warning != NULL)
        assert_memory_equal(b->answer.warning, warning, strlen(warning));
}

bureau *bureau_open_with_alice(void **state)
{
    bureau *b = bureau_open(state);
    bureau_register(b, &b->o->town->alice, ALICE_IMPU, CSK(1), ALICE_TOKEN);
    bureau_expect_answer(b, 200, true, NULL);
    b->did[0] = '\0';
    b->answers = 0;
    return b;
}
