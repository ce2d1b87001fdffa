/* Any octets as the history of an engine: records, events, hostile conference documents, registrations, datagrams and
 * answers in any order. Whatever happens, nobody who is out is given a key, and no counter is used for two messages. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "mikey/mikey.h"
#include "pocpf/pocpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { USERS = 4, ROWS = 6, MUKS = 2, MESSAGES = 256 };

static const char *const names[USERS] = { "sip:a@x", "sip:b@x", "sip:c@x;user=phone", "anonymous" };
static const char *const btids[USERS] = { "a@bsf", "b@bsf", "c@bsf", "d@bsf" };
static const uint8_t naf_id[] = "pf.x\1\0\0\0\1";

/* What was made under one MUK. */
typedef struct book {
    pocpf_secret *muk;
    size_t count;
    uint32_t counters[MESSAGES];
    uint64_t sums[MESSAGES];
} book;

typedef struct person {
    book books[MUKS];
    uint64_t offer;
    bool is_out;
    uint8_t reply[512];
    size_t reply_len;
} person;

typedef struct world {
    pocpf *pf;
    poc_rd in;
    person people[USERS];
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

static person *person_of(world *w, const char *name)
{
    for (size_t i = 0; i < USERS; i++)
        if (strcmp(name, names[i]) == 0)
            return &w->people[i];
    abort();
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
    if (pocpf_restore(w->pf, key.p, key.n, value.p, value.n) == POCPF_OK)
        for (size_t i = 0; i < USERS; i++)
            w->people[i].is_out = false; /* it may have been any of them */
}

static void restored(world *w)
{
    (void)pocpf_restored(w->pf, w->now_ms);
}

static void authenticated(world *w)
{
    size_t i = byte(w) % USERS;
    const pocpf_secret *muk = w->people[i].books[byte(w) % MUKS].muk;
    pocpf_credential c = { sizeof(c), names[i], btids[byte(w) % 8 == 0 ? 0 : i], muk, w->now_ms + byte(w) * 10000 };
    (void)pocpf_authenticated(w->pf, w->now_ms, &c);
}

static void joined(world *w)
{
    pocpf_join j = { sizeof(j), "c", user(w), byte(w) % 8 != 0, "d", 1, names[0], byte(w) % 4 == 0 ? 1 : 0 };
    if (pocpf_member_joined(w->pf, w->now_ms, &j) == POCPF_OK)
        person_of(w, j.user)->is_out = false;
}

static void departed(world *w)
{
    const char *who = user(w);
    const uint8_t how = byte(w) % 5;
    const pocpf_err err = how == 4 ? pocpf_expel(w->pf, w->now_ms, "c", who, NULL)
                                   : pocpf_member_departed(w->pf, w->now_ms, "c", who, (pocpf_departure)how);
    if (err == POCPF_OK)
        person_of(w, who)->is_out = true;
}

static void registered(world *w)
{
    uint8_t v = byte(w);
    pocpf_registration r = { sizeof(r), "c", names[v % USERS], &names[v % USERS][4], v / USERS % 2 + 1 };
    if (pocpf_registered(w->pf, w->now_ms, &r) == POCPF_OK)
        w->people[v % USERS].is_out = false;
}

static void deregistered(world *w)
{
    (void)pocpf_deregistered(w->pf, w->now_ms, "c", user(w));
}

static void pulled(world *w)
{
    uint8_t v = byte(w);
    pocpf_msk_request r = { sizeof(r), names[v % USERS], { 0 }, byte(w) % 8, &names[v % USERS][4], v / USERS % 3 };
    if (pocpf_msk_requested(w->pf, w->now_ms, &r) == POCPF_OK && w->people[v % USERS].is_out)
        abort();
}

static void solicit(world *w)
{
    uint8_t v = byte(w);
    (void)pocpf_solicit(w->pf, w->now_ms, "c", v % 8 == 0 ? NULL : names[v % USERS]);
}

static void admit(world *w)
{
    (void)pocpf_admit(w->pf, w->now_ms, "c", user(w));
}

/* The true reply of somebody, from his address or not, or anything. */
static void heard(world *w)
{
    uint8_t v = byte(w);
    const person *p = &w->people[v % USERS];
    poc_span datagram = v / 16 % 4 == 0 ? octets(w) : poc_span_of(p->reply, p->reply_len);
    pocpf_datagram d = { &names[v % USERS][4], v / USERS % 2 + 1, datagram.p, datagram.n, POCPF_OK };
    (void)pocpf_push_heard(w->pf, w->now_ms, &d, 1);
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

/* A counter of a MUK belongs to one message. */
static void enter(book *b, uint32_t counter, poc_span message)
{
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < message.n; i++)
        sum = (sum ^ message.p[i]) * 1099511628211u;
    for (size_t i = 0; i < b->count; i++)
        if (b->counters[i] == counter && b->sums[i] != sum)
            abort();
    b->counters[b->count] = counter;
    b->sums[b->count] = sum;
    b->count += b->count < MESSAGES - 1;
}

static void opened(person *p, poc_span message)
{
    mikey_msg msg;
    mikey_msk msk;
    if (mikey_decode(&msg, message, NULL) != POC_OK)
        abort();
    for (size_t i = 0; i < MUKS; i++) {
        book *b = &p->books[i];
        if (mikey_msk_open(&msk, &msg, b->muk, NULL) != POC_OK)
            continue;
        enter(b, msk.counter, message);
        mikey_msk_done(&msk);
        poc_wr wr = poc_wr_into(p->reply, sizeof(p->reply));
        bool refuses = msg.counter % 5 == 0;
        p->reply_len = 0;
        if ((refuses ? mikey_error_seal(&wr, &msg, 0, b->muk) : mikey_verification_seal(&wr, &msg, b->muk)) == POC_OK)
            p->reply_len = wr.len;
        return;
    }
    abort(); /* under no MUK of his */
}

static void given(world *w, const char *who, poc_span message)
{
    person *p = person_of(w, who);
    if (p->is_out)
        abort();
    opened(p, message);
}

static void poll_some(world *w)
{
    pocpf_effect fx;
    for (unsigned n = byte(w); n > 0 && pocpf_poll(w->pf, &fx); n--) {
        if (fx.type == POCPF_DO_OFFER)
            person_of(w, fx.user)->offer = fx.u.offer.number;
        if (fx.type == POCPF_DO_OFFER && fx.u.offer.kind != POCPF_OFFER_WITHDRAW)
            given(w, fx.user, poc_span_of(fx.u.offer.mikey, fx.u.offer.mikey_len));
        if (fx.type == POCPF_DO_PUSH)
            given(w, fx.user, poc_span_of(fx.u.push.mikey, fx.u.push.mikey_len));
    }
}

static void answered(world *w)
{
    uint8_t v = byte(w);
    poc_span message = octets(w);
    (void)pocpf_offer_answered(w->pf, w->now_ms, "c", names[v % USERS], w->people[v % USERS].offer,
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
    c.rekey.delivery = v / 32 % 4;
    if (v % 16 == 15)
        c.group_uri = NULL;
    c.rekey.on_leave = (pocpf_on_leave)(v % 3);
    c.rekey.leave_batch_ms = 1000;
    c.rekey.gate = (pocpf_gate)(v / 4 % 2);
    c.rekey.on_refusal = (pocpf_on_refusal)(v / 8 % 2);
    c.rekey.on_join = (v & 16) != 0;
    (void)pocpf_channel_add(w->pf, w->now_ms, &c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const deeds[])(world *) = { restore, restored,     authenticated, joined,    departed,   conference,
                                              tick,    subscription, enabler,       persisted, poll_some,  answered,
                                              bearer,  rekey,        stop,          add,       registered, deregistered,
                                              pulled,  solicit,      admit,         heard };
    world w = { .in = poc_rd_over(poc_span_of(data, size), NULL) };
    uint8_t key[32] = { 1 };
    pocpf_host host = { .size = sizeof(host), .user = &w, .random = host_random };
    pocpf_settings set = { .size = sizeof(set), .naf_id = naf_id, .naf_id_len = sizeof(naf_id) - 1 };
    pocpf_secret *store_key = pocpf_secret_new(key, sizeof(key));
    set.store_key = store_key;
    set.require_verification = size % 4 != 0;
    for (size_t i = 0; i < USERS * MUKS; i++) {
        key[1] = (uint8_t)(i + 1);
        w.people[i / MUKS].books[i % MUKS].muk = pocpf_secret_new(key, sizeof(key));
    }
    if (pocpf_new(&w.pf, &host, &set) != POCPF_OK)
        abort();
    add(&w);
    while (w.in.left > 0)
        deeds[byte(&w) % (sizeof(deeds) / sizeof(deeds[0]))](&w);
    pocpf_free(w.pf);
    pocpf_secret_free(store_key);
    for (size_t i = 0; i < USERS * MUKS; i++)
        pocpf_secret_free(w.people[i / MUKS].books[i % MUKS].muk);
    return 0;
}
