/* Any octets as the history of an engine: records, events, hostile conference documents and answers in any order. */
#include <stdlib.h>

#include "base/bytes.h"
#include "pocpf/pocpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { USERS = 4, ROWS = 6 };

static const char *const names[USERS] = { "sip:a@x", "sip:b@x", "sip:c@x;user=phone", "anonymous" };
static const uint8_t naf_id[] = "pf.x\1\0\0\0\1";

typedef struct world {
    pocpf *pf;
    poc_rd in;
    pocpf_secret *muks[2];
    uint64_t offers[USERS];
    int64_t now_ms;
    uint32_t version;
    uint64_t chance;
} world;

static int host_random(void *user, uint8_t *out, size_t n)
{
    world *w = user;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)((w->chance = w->chance * 6364136223846793005u + 1442695040888963407u) >> 56);
    return 0;
}

static uint8_t byte(world *w)
{
    uint8_t v = 0;
    (void)poc_rd_u8(&w->in, &v);
    return v;
}

static const char *user(world *w)
{
    return names[byte(w) % USERS];
}

static poc_span octets(world *w)
{
    poc_span out = { NULL, 0 };
    if (poc_rd_span(&w->in, &out, byte(w)) != POC_OK)
        out = (poc_span){ naf_id, 0 };
    return out;
}

static void restore(world *w)
{
    poc_span key = octets(w), value = octets(w);
    (void)pocpf_restore(w->pf, key.p, key.n, value.p, value.n);
}

static void restored(world *w)
{
    (void)pocpf_restored(w->pf, w->now_ms);
}

static void authenticated(world *w)
{
    pocpf_credential c = { sizeof(c), user(w), "b@bsf", w->muks[byte(w) % 2], w->now_ms + byte(w) * 1000 };
    (void)pocpf_authenticated(w->pf, w->now_ms, &c);
}

static void joined(world *w)
{
    pocpf_join j = { sizeof(j), "c", user(w), byte(w) % 8 != 0, "d", 1, NULL, 0 };
    (void)pocpf_member_joined(w->pf, w->now_ms, &j);
}

static void departed(world *w)
{
    const char *who = user(w);
    (void)pocpf_member_departed(w->pf, w->now_ms, "c", who, (pocpf_departure)(byte(w) % 5));
}

static void conference(world *w)
{
    pocpf_conf_endpoint eps[ROWS][2];
    pocpf_conf_user users[ROWS];
    uint8_t head = byte(w);
    pocpf_conference doc = { .size = sizeof(doc),
                             .state = (pocpf_conf_state)(head % 4 == 3 ? 1 : head % 4),
                             .has_users = (head & 4) != 0,
                             .users_state = (pocpf_conf_state)(head >> 3) % 3,
                             .has_user_count = (head & 64) != 0,
                             .user_count = head >> 6,
                             .users = users };
    w->version += byte(w) % 4;
    doc.version = w->version;
    doc.user_count_listed = byte(w) % ROWS;
    for (size_t i = 0; i < doc.user_count_listed; i++) {
        uint8_t row = byte(w);
        users[i] = (pocpf_conf_user){ names[row % USERS], (pocpf_conf_state)(row / 4 % 3), eps[i], row / 16 % 3 };
        for (size_t j = 0; j < users[i].endpoint_count; j++) {
            uint8_t ep = byte(w);
            eps[i][j] = (pocpf_conf_endpoint){ (ep & 128) != 0 ? "e1" : "e2", (pocpf_conf_state)(ep % 3),
                                               (pocpf_conf_status)(ep / 3 % 10), (pocpf_conf_method)(byte(w) % 5),
                                               (ep & 64) != 0 ? names[0] : NULL };
        }
    }
    (void)pocpf_conference_info(w->pf, w->now_ms, "c", &doc);
}

static void subscription(world *w)
{
    uint8_t v = byte(w);
    (void)pocpf_subscription_changed(w->pf, w->now_ms, "c", (pocpf_subscription)(v % 6), (v & 64) != 0,
                                     (v & 128) != 0 ? 500 : 0);
}

static void enabler(world *w)
{
    (void)pocpf_enabler_changed(w->pf, w->now_ms, "c", (pocpf_enabler)(byte(w) % 6));
}

static void persisted(world *w)
{
    (void)pocpf_persisted(w->pf, w->now_ms, byte(w) % 4 != 0);
}

static void tick(world *w)
{
    w->now_ms += byte(w) * 100;
    pocpf_tick(w->pf, w->now_ms);
}

static void poll_some(world *w)
{
    pocpf_effect fx;
    for (unsigned n = byte(w); n > 0 && pocpf_poll(w->pf, &fx); n--)
        for (size_t i = 0; fx.type == POCPF_DO_OFFER && i < USERS; i++)
            if (poc_span_eq_str(poc_span_str(fx.user), names[i]))
                w->offers[i] = fx.u.offer.number;
}

static void answered(world *w)
{
    uint8_t v = byte(w);
    poc_span message = octets(w);
    (void)pocpf_offer_answered(w->pf, w->now_ms, "c", names[v % USERS], w->offers[v % USERS],
                               (pocpf_answer)(v / USERS % 7), message.p, message.n);
}

static void bearer(world *w)
{
    const char *who = user(w);
    (void)pocpf_member_bearer(w->pf, w->now_ms, "c", who, byte(w) % 2 == 0);
}

static void rekey(world *w)
{
    (void)pocpf_rekey(w->pf, w->now_ms, "c");
}

static void stop(world *w)
{
    (void)pocpf_channel_stop(w->pf, w->now_ms, "c");
}

static void add(world *w)
{
    uint8_t v = byte(w);
    pocpf_channel c = { .size = sizeof(c), .id = "c", .group_uri = "sip:g@cf", .key_group = v / 128 };
    c.rekey.on_leave = (pocpf_on_leave)(v % 3);
    c.rekey.leave_batch_ms = 1000;
    c.rekey.gate = (pocpf_gate)(v / 4 % 2);
    c.rekey.on_refusal = (pocpf_on_refusal)(v / 8 % 2);
    c.rekey.on_join = (v & 16) != 0;
    (void)pocpf_channel_add(w->pf, w->now_ms, &c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const deeds[])(world *) = { restore, restored,     authenticated, joined,    departed,  conference,
                                              tick,    subscription, enabler,       persisted, poll_some, answered,
                                              bearer,  rekey,        stop,          add };
    world w = { .in = poc_rd_over(poc_span_of(data, size), NULL) };
    uint8_t key[32] = { 1 };
    pocpf_host host = { sizeof(host), &w, host_random };
    pocpf_settings set = { .size = sizeof(set), .naf_id = naf_id, .naf_id_len = sizeof(naf_id) - 1 };
    pocpf_secret *store_key = pocpf_secret_new(key, sizeof(key));
    set.store_key = store_key;
    for (size_t i = 0; i < 2; i++) {
        key[1] = (uint8_t)(i + 1);
        w.muks[i] = pocpf_secret_new(key, sizeof(key));
    }
    if (pocpf_new(&w.pf, &host, &set) != POCPF_OK)
        abort();
    add(&w);
    while (w.in.left > 0)
        deeds[byte(&w) % (sizeof(deeds) / sizeof(deeds[0]))](&w);
    pocpf_free(w.pf);
    pocpf_secret_free(store_key);
    pocpf_secret_free(w.muks[0]);
    pocpf_secret_free(w.muks[1]);
    return 0;
}
