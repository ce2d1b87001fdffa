/* Any octets as the history of an engine for mission critical services: uploads that were altered or not, members, expulsions,
 * answers, failing writes and crashes in any order. Whatever happens, nobody who is out is sent a key, nobody is told that a
 * key is revoked who was not given it, and nothing goes on air that no client has answered for. */
#include <stdlib.h>
#include <string.h>

#include "mcx/mcx.h"
#include "pocpf/pocpf.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KMS_URI "kms.x"
#define MDSI    "mdsi.x"

enum { USERS = 3, IMPUS = 4, CHANNELS = 2, IDS = 3, LISTS = 2, RECORDS = 64, GIVEN = 64 };
enum {
    UPLOADS_MAX = 8,
    DOWNLOADS_MAX = 40,
    PERIOD_S = 2592000
}; /* each costs some milliseconds under the sanitizers */

static const int64_t start_ms = 1772323200000 + 86400000;
static const char *const mc_ids[USERS] = { "sip:a@mc.x", "sip:b@mc.x", "sip:c@mc.x" };
static const char *const impus[IMPUS] = { "sip:a@x", "sip:b@x", "sip:c@x", "sip:b.second@x" };
static const char *const channels[CHANNELS] = { "north", "south" };
static const uint8_t naf_id[] = "pf.x\1\0\0\0\1";

/* ---- made once ---- */

typedef struct letter {
    uint8_t octets[MIKEY_MESSAGE_MAX];
    size_t len;
} letter;

static struct {
    mcx_kms *kms;
    mcx_certificate certificate;
    pocpf_mcx_keys *server;
    pocpf_mcx_kms *neighbour;
    letter letters[USERS][IDS][LISTS];
} town;

static uint64_t chance = 1;

static void draw(uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)((chance = chance * 6364136223846793005u + 1442695040888963407u) >> 56);
}

static poc_err fill(void *ctx, void *out, size_t n)
{
    (void)ctx;
    draw(out, n);
    return POC_OK;
}

static const poc_rng rng = { fill, NULL };

static void must(bool is_so)
{
    if (!is_so)
        abort();
}

static mcx_user_keys issue(mcx_identity *who, const char *uri)
{
    const uint64_t ntp_s = (uint64_t)start_ms / 1000 + MCX_NTP_MINUS_UNIX;
    mcx_user_keys keys;
    *who = (mcx_identity){ .uri = poc_span_str(uri),
                           .kms = &town.certificate,
                           .period_number = mcx_period_number(ntp_s, PERIOD_S, 0) };
    must(mcx_identity_init(who) == POC_OK);
    must(mcx_kms_issue(&keys, town.kms, poc_span_of(who->uid, MCX_UID_LEN), &rng) == POC_OK);
    return keys;
}

static void make_letter(letter *l, const mcx_identity *who, uint32_t id, size_t list)
{
    const mcx_algorithm both[] = { mcx_aes128_gcm, mcx_aes256_gcm };
    const uint64_t ntp_s = (uint64_t)start_ms / 1000 + MCX_NTP_MINUS_UNIX + id % 16;
    mcx_seal_params params = { .sender = who,
                               .key_id = id,
                               .ntp = ntp_s << 32,
                               .ntp_s = ntp_s,
                               .cs_id = 6,
                               .algorithms = both,
                               .algorithm_count = list == 0 ? 0 : 2 };
    mcx_seal_job job = {
        .uri = poc_span_str(MDSI), .kms = &town.certificate, .out = l->octets, .cap = sizeof(l->octets)
    };
    poc_secret *key;
    draw(params.rand, sizeof(params.rand));
    must(poc_secret_random(&key, 16, &rng) == POC_OK);
    must(mcx_i_message_seal(&params, key, &rng, &job, 1) == POC_OK);
    poc_secret_free(key);
    l->len = job.len;
}

static void make_user(size_t user)
{
    mcx_identity who;
    mcx_signer *signer;
    mcx_user_keys keys = issue(&who, mc_ids[user]);
    must(mcx_signer_new(&signer, town.certificate.kpak, poc_span_of(who.uid, MCX_UID_LEN), keys.ssk, keys.pvt) ==
         POC_OK);
    who.signer = signer;
    for (size_t i = 0; i < IDS; i++) /* the last id is that of everybody */
        for (size_t list = 0; list < LISTS; list++)
            make_letter(&town.letters[user][i][list], &who,
                        0x20000000u + (i + 1 == IDS ? 0 : (uint32_t)(user * IDS + i + 1)), list);
    mcx_signer_free(signer);
    mcx_user_keys_done(&keys);
}

static void make_server(void)
{
    mcx_identity who;
    mcx_user_keys keys = issue(&who, MDSI);
    const pocpf_mcx_material m = { .size = sizeof(m),
                                   .uri = MDSI,
                                   .kms_uri = KMS_URI,
                                   .period_s = PERIOD_S,
                                   .period_number = who.period_number,
                                   .z = mcx_kms_z(town.kms).p,
                                   .kpak = town.certificate.kpak,
                                   .pvt = keys.pvt,
                                   .rsk = keys.rsk,
                                   .ssk = keys.ssk };
    const pocpf_mcx_certificate c = { sizeof(c), "kms.neighbour.x", PERIOD_S, 0, m.z, m.kpak };
    must(pocpf_mcx_keys_new(&town.server, &m) == POCPF_OK);
    must(pocpf_mcx_kms_new(&town.neighbour, &c) == POCPF_OK);
    mcx_user_keys_done(&keys);
}

static void make_town(void)
{
    poc_secret *z, *ksak;
    mcx_sakke *sakke;
    must(mcx_kms_secrets(&z, &ksak, &rng) == POC_OK && mcx_kms_new(&town.kms, z, ksak) == POC_OK);
    poc_secret_free(z);
    poc_secret_free(ksak);
    must(mcx_sakke_new(&sakke, mcx_kms_z(town.kms).p) == POC_OK);
    town.certificate = (mcx_certificate){
        .kms_uri = poc_span_str(KMS_URI), .period_s = PERIOD_S, .sakke = sakke, .kpak = mcx_kms_kpak(town.kms).p
    };
    for (size_t i = 0; i < USERS; i++)
        make_user(i);
    make_server();
}

/* ---- one history ---- */

typedef struct record {
    uint8_t key[128], value[1024];
    size_t key_len, value_len;
} record;

typedef struct seat {
    bool is_in;
    uint64_t number;       /* of the last download */
    uint32_t number_id;    /* of which key */
    uint32_t given[GIVEN]; /* ids */
    size_t given_count;
} seat;

typedef struct world {
    pocpf *pf;
    poc_rd in;
    int64_t now_ms;
    pocpf_settings set;
    pocpf_host host;
    seat seats[CHANNELS][IMPUS];
    uint64_t csk_number[IMPUS];
    uint32_t answered[GIVEN]; /* ids of keys that somebody has answered for */
    size_t answered_count;
    bool is_writing;
    record pending[RECORDS], store[RECORDS];
    size_t pending_count, store_count;
    unsigned uploads, downloads;
} world;

static int host_random(void *user, uint8_t *out, size_t n)
{
    (void)user;
    draw(out, n);
    return 0;
}

static uint8_t byte(world *w)
{
    uint8_t v = 0;
    (void)poc_rd_u8(&w->in, &v);
    return v;
}

static size_t index_of(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    abort();
}

static bool has(const uint32_t *ids, size_t n, uint32_t id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* ---- the store ---- */

static void apply(world *w, const record *r)
{
    size_t at = 0;
    while (at < w->store_count &&
           (w->store[at].key_len != r->key_len || memcmp(w->store[at].key, r->key, r->key_len) != 0))
        at++;
    if (r->value_len > 0 && at < RECORDS) {
        w->store[at] = *r;
        w->store_count += at == w->store_count;
    } else if (at < w->store_count) {
        w->store[at] = w->store[--w->store_count];
    }
}

static void write_down(world *w, const pocpf_effect *fx)
{
    w->is_writing = true;
    w->pending_count = 0;
    for (size_t i = 0; i < fx->u.persist.count && w->pending_count < RECORDS; i++) {
        const pocpf_record *r = &fx->u.persist.records[i];
        record *copy = &w->pending[w->pending_count++];
        must(r->key_len <= sizeof(copy->key) && r->value_len <= sizeof(copy->value));
        copy->key_len = r->key_len;
        copy->value_len = r->value_len;
        memcpy(copy->key, r->key, r->key_len);
        if (r->value_len > 0)
            memcpy(copy->value, r->value, r->value_len);
    }
}

static void persisted(world *w)
{
    const bool ok = byte(w) % 4 != 0;
    for (size_t i = 0; w->is_writing && ok && i < w->pending_count; i++)
        apply(w, &w->pending[i]);
    (void)pocpf_persisted(w->pf, w->now_ms, ok);
    w->is_writing = false;
}

/* ---- what happens ---- */

static void add(world *w)
{
    static const char *const groups[] = { "sip:g@mc.x" };
    const uint8_t v = byte(w);
    pocpf_channel c = { .size = sizeof(c), .id = channels[v % CHANNELS], .kind = POCPF_KIND_MUSIK };
    c.musik.groups = groups;
    c.musik.group_count = v / 2 % 2;
    c.musik.service = v / 4 % 8 == 0;
    c.musik.without_revocation = (v & 128) != 0;
    c.rekey.on_leave = (pocpf_on_leave)(v / 32 % 2);
    c.rekey.gate = (pocpf_gate)(v / 64 % 2);
    (void)pocpf_channel_add(w->pf, w->now_ms, &c);
}

static void stop(world *w)
{
    (void)pocpf_channel_stop(w->pf, w->now_ms, channels[byte(w) % CHANNELS]);
}

static void identify(world *w)
{
    const pocpf_mcx_identity own = { sizeof(own), town.server, byte(w) % 8 != 0 };
    (void)pocpf_mcx_identity_add(w->pf, w->now_ms, &own);
}

static void neighbour(world *w)
{
    if (byte(w) % 2 == 0)
        (void)pocpf_mcx_kms_add(w->pf, w->now_ms, town.neighbour);
    else
        (void)pocpf_mcx_kms_remove(w->pf, w->now_ms, "kms.neighbour.x");
}

static pocpf_err prove(void *ctx, uint32_t csk_id, const pocpf_secret *csk, const char *sender,
                       char mc_id[POCPF_MC_ID_MAX])
{
    const uint8_t v = *(const uint8_t *)ctx;
    (void)csk_id, (void)csk;
    if (v == 0)
        return POCPF_E_AUTH;
    memset(mc_id, 'x', POCPF_MC_ID_MAX);
    if (v > 2)
        memcpy(mc_id, sender, strlen(sender) + 1);
    return POCPF_OK;
}

static void uploaded(world *w)
{
    const uint8_t v = byte(w), how = byte(w), authority = how / 16 % 8;
    letter l = town.letters[v % USERS][v / 4 % IDS][v / 16 % LISTS];
    pocpf_csk_upload u = { .size = sizeof(u),
                           .impu = impus[how % IMPUS],
                           .mc_id = (how & 128) != 0 ? NULL : mc_ids[v % USERS],
                           .service = (how & 12) == 0,
                           .i_message = l.octets,
                           .len = l.len,
                           .prove = prove,
                           .prove_ctx = (void *)(uintptr_t)&authority };
    pocpf_csk_result r = { .size = sizeof(r) };
    if (w->uploads++ >= UPLOADS_MAX)
        return;
    if ((v & 128) != 0) {
        l.octets[(size_t)(byte(w) << 8 | byte(w)) % l.len] ^= byte(w);
        u.len -= byte(w) % 2;
    }
    const pocpf_err err = pocpf_csk_uploaded(w->pf, w->now_ms, &u, &r);
    must((err == POCPF_OK) == (r.why == NULL));
}

static void joined(world *w)
{
    const uint8_t v = byte(w);
    seat *s = &w->seats[v / IMPUS % CHANNELS][v % IMPUS];
    if (pocpf_mcx_joined(w->pf, w->now_ms, channels[v / IMPUS % CHANNELS], impus[v % IMPUS]) == POCPF_OK)
        s->is_in = true;
}

/* Who is in is what the engine says; who is not in is nobody's alias. */
static void look(world *w)
{
    pocpf_member_status m = { .size = sizeof(m) };
    for (size_t c = 0; c < CHANNELS; c++)
        for (size_t i = 0; i < IMPUS; i++)
            w->seats[c][i].is_in = pocpf_member_look(w->pf, channels[c], impus[i], &m) == POCPF_OK;
}

static void departed(world *w)
{
    const uint8_t v = byte(w);
    const char *const channel = channels[v / IMPUS % CHANNELS], *const impu = impus[v % IMPUS];
    const uint8_t how = v / 8 % 5;
    const pocpf_err err = how == 4 ? pocpf_expel(w->pf, w->now_ms, channel, impu, NULL)
                                   : pocpf_member_departed(w->pf, w->now_ms, channel, impu, (pocpf_departure)how);
    if (err == POCPF_OK && (how == POCPF_EXPELLED || how == 4))
        must(pocpf_is_barred(w->pf, channel, impu));
    look(w);
}

static void logged_off(world *w)
{
    (void)pocpf_mcx_logged_off(w->pf, w->now_ms, impus[byte(w) % IMPUS]);
    look(w);
}

static void admit(world *w)
{
    const uint8_t v = byte(w);
    (void)pocpf_admit(w->pf, w->now_ms, channels[v / IMPUS % CHANNELS], impus[v % IMPUS]);
}

static void answered(world *w)
{
    const uint8_t v = byte(w);
    const size_t i = v % IMPUS;
    seat *s = &w->seats[v / IMPUS % CHANNELS][i];
    const bool ok = v / 8 % 4 != 0;
    const uint64_t number = v / 32 % 4 == 0 ? w->csk_number[i] : s->number;
    if (pocpf_download_answered(w->pf, w->now_ms, impus[i], number, ok) != POCPF_OK || !ok || number != s->number)
        return;
    if (w->answered_count < GIVEN)
        w->answered[w->answered_count++] = s->number_id;
}

static void tick(world *w)
{
    const uint8_t v = byte(w);
    const int64_t next_ms = pocpf_deadline_ms(w->pf);
    if (v < 128 || next_ms == INT64_MAX)
        w->now_ms += v * 100;
    else if (next_ms > w->now_ms)
        w->now_ms = next_ms;
    pocpf_tick(w->pf, w->now_ms);
}

static void rekey(world *w)
{
    (void)pocpf_rekey(w->pf, w->now_ms, channels[byte(w) % CHANNELS]);
}

static void enabler(world *w)
{
    const uint8_t v = byte(w);
    (void)pocpf_enabler_changed(w->pf, w->now_ms, channels[v % CHANNELS], (pocpf_enabler)(v / 2 % 6));
}

static void walk(world *w)
{
    pocpf_csk_status s = { .size = sizeof(s) };
    size_t at = 0, n = 0;
    int64_t clock_ms = INT64_MAX;
    (void)pocpf_clock(w->pf, w->now_ms, &clock_ms);
    must(clock_ms >= w->now_ms);
    for (; pocpf_csk_next(w->pf, &at, &s); n++) {
        must(s.csk_id >> 28 == MCX_CSK && s.sent_s <= clock_ms / 1000);
        must(pocpf_csk_look(w->pf, s.impu, s.csk_id, &s) == POCPF_OK);
    }
    must(n <= IMPUS * 2);
}

/* ---- what is done ---- */

static void send(world *w, const pocpf_effect *fx)
{
    const size_t user = index_of(impus, IMPUS, fx->user);
    mikey_msg msg;
    must(mcx_i_message_read(&msg, poc_span_of(fx->u.download.i_message, fx->u.download.len), NULL) == POC_OK);
    must(msg.csb_id == fx->u.download.key_id && poc_span_eq_str(msg.idr.data, fx->u.download.mc_id));
    w->downloads++;
    if (fx->channel == NULL) {
        must(msg.csb_id >> 28 == MCX_CSK);
        w->csk_number[user] = fx->u.download.number;
        return;
    }
    seat *s = &w->seats[index_of(channels, CHANNELS, fx->channel)][user];
    must(msg.csb_id >> 28 == MCX_MUSIK && s->is_in);
    must(!fx->u.download.revokes || has(s->given, s->given_count, msg.csb_id));
    if (s->given_count < GIVEN && !has(s->given, s->given_count, msg.csb_id))
        s->given[s->given_count++] = msg.csb_id;
    s->number = fx->u.download.number;
    s->number_id = msg.csb_id;
}

static void poll_some(world *w)
{
    pocpf_effect fx;
    look(w);
    for (unsigned n = byte(w); n > 0 && w->downloads < DOWNLOADS_MAX && pocpf_poll(w->pf, &fx); n--) {
        if (fx.type == POCPF_DO_PERSIST)
            write_down(w, &fx);
        if (fx.type == POCPF_DO_DOWNLOAD)
            send(w, &fx);
        const bool goes_on_air = fx.type == POCPF_DO_ENABLER_START;
        must(!goes_on_air || w->answered_count == GIVEN || has(w->answered, w->answered_count, fx.u.enabler.msk_id));
    }
}

static void boot(world *w)
{
    must(pocpf_new(&w->pf, &w->host, &w->set) == POCPF_OK);
    add(w);
    add(w);
    for (size_t i = 0; i < w->store_count; i++)
        (void)pocpf_restore(w->pf, w->store[i].key, w->store[i].key_len, w->store[i].value, w->store[i].value_len);
    (void)pocpf_restored(w->pf, w->now_ms);
    identify(w);
}

static void crash(world *w)
{
    pocpf_free(w->pf);
    memset(w->seats, 0, sizeof(w->seats));
    memset(w->csk_number, 0, sizeof(w->csk_number));
    w->is_writing = false;
    boot(w);
    look(w);
}

static void damage(world *w)
{
    if (w->store_count == 0)
        return;
    record *r = &w->store[byte(w) % w->store_count];
    r->value[byte(w) % r->value_len] ^= byte(w);
}

/* Tables take their time, which is not that of an input. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    make_town();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const deeds[])(world *) = { uploaded, joined,     departed, poll_some, persisted, answered,
                                              tick,     logged_off, admit,    rekey,     enabler,   walk,
                                              stop,     add,        identify, neighbour, crash,     damage };
    static const uint8_t store_key[32] = { 1 };
    world *w = calloc(1, sizeof(*w));
    must(w != NULL);
    w->in = poc_rd_over(poc_span_of(data, size), NULL);
    w->now_ms = start_ms;
    w->host = (pocpf_host){ .size = sizeof(w->host), .random = host_random };
    w->set = (pocpf_settings){ .size = sizeof(w->set),
                               .naf_id = naf_id,
                               .naf_id_len = sizeof(naf_id) - 1,
                               .members_max = 64,
                               .mcx_skew_s = 3600,
                               .store_key = pocpf_secret_new(store_key, sizeof(store_key)) };
    chance = 1;
    w->set.offer_window = 1u + byte(w) % 4;
    w->set.mcx_forced = byte(w) % 4 == 0 ? POCPF_AES256_GCM : 0;
    boot(w);
    while (w->in.left > 0 && w->downloads < DOWNLOADS_MAX)
        deeds[byte(w) % (sizeof(deeds) / sizeof(deeds[0]))](w);
    pocpf_free(w->pf);
    pocpf_secret_free((pocpf_secret *)(uintptr_t)w->set.store_key);
    free(w);
    return 0;
}
