#include "tests/unit/core/shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mikey/mikey.h"

static const uint8_t naf_id[] = "pf.poc.example\x01\x00\x00\x00\x01";

static int host_random(void *user, uint8_t *out, size_t n)
{
    shell *s = user;
    return s->rng.fill(s->rng.ctx, out, n) == POC_OK ? 0 : -1;
}

shell *shell_new(uint64_t seed)
{
    shell *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->lines = calloc(SHELL_LINES, SHELL_LINE);
    assert_non_null(s->lines);
    s->rng = test_rng_of(&s->chance, seed);
    s->now_ms = 1000000;
    s->host = (pocpf_host){ .size = sizeof(s->host), .user = s, .random = host_random };
    uint8_t key[32] = { 7 };
    s->set = (pocpf_settings){ .size = sizeof(s->set),
                               .naf_id = naf_id,
                               .naf_id_len = sizeof(naf_id) - 1,
                               .store_key = pocpf_secret_new(key, sizeof(key)),
                               .require_verification = true,
                               .sdp_ids = true };
    s->conf = (pocpf_channel){ .size = sizeof(s->conf),
                               .id = SHELL_CHANNEL,
                               .group_uri = SHELL_GROUP,
                               .key_domain = { 0x00, 0xF1, 0x10 },
                               .key_group = 0x1001 };
    s->answers_now = s->enabler_answers = true;
    poc_table_init(&s->by_name, seed);
    poc_table_init(&s->store, seed);
    return s;
}

static void keep_record(shell *s, const pocpf_record *in)
{
    shell_record *r = poc_table_remove(&s->store, poc_span_of(in->key, in->key_len));
    if (r == NULL)
        r = calloc(1, sizeof(*r));
    assert_non_null(r);
    free(r->value);
    r->value = NULL;
    if (in->value == NULL) {
        free(r);
        return;
    }
    for (size_t i = 0; i < s->client_count && i < 64; i++) /* no MUK at rest in clear */
        if (s->clients[i]->muk != NULL)
            assert_null(memmem(in->value, in->value_len, poc_secret_bytes(s->clients[i]->muk), 32));
    assert_true(in->key_len <= sizeof(r->key));
    memcpy(r->key, in->key, in->key_len);
    r->key_len = in->key_len;
    r->value = malloc(in->value_len);
    assert_non_null(r->value);
    memcpy(r->value, in->value, in->value_len);
    r->value_len = in->value_len;
    assert_int_equal(poc_table_put(&s->store, poc_span_of(r->key, r->key_len), r), POC_OK);
}

static void end_write(shell *s, bool is_kept)
{
    for (size_t i = 0; i < s->writing_count; i++) {
        shell_record *r = &s->writing[i];
        if (is_kept)
            keep_record(s, &(pocpf_record){ r->key, r->key_len, r->value, r->value_len });
        free(r->value);
    }
    free(s->writing);
    s->writing = NULL;
    s->writing_count = 0;
    s->is_writing = false;
}

static void start_engine(shell *s)
{
    assert_int_equal(pocpf_new(&s->pf, &s->host, &s->set), POCPF_OK);
    assert_int_equal(pocpf_channel_add(s->pf, s->now_ms, &s->conf), POCPF_OK);
}

void shell_boot(shell *s)
{
    start_engine(s);
    assert_int_equal(pocpf_restored(s->pf, s->now_ms), POCPF_OK);
}

void shell_free(shell *s)
{
    pocpf_free(s->pf);
    end_write(s, false);
    for (size_t i = 0; i < s->client_count; i++) {
        pocpf_secret_free(s->clients[i]->muk);
        free(s->clients[i]->sent);
        free(s->clients[i]);
    }
    size_t at = 0;
    for (shell_record *r; (r = poc_table_next(&s->store, &at)) != NULL;) {
        free(r->value);
        free(r);
    }
    poc_table_done(&s->by_name);
    poc_table_done(&s->store);
    pocpf_secret_free((pocpf_secret *)(uintptr_t)s->set.store_key);
    free(s->clients);
    free(s->lines);
    free(s);
}

void shell_crash(shell *s)
{
    pocpf_free(s->pf);
    end_write(s, false);
    s->air_id = 0;
    s->hold = false;
    s->version = 0;
    for (size_t i = 0; i < s->client_count; i++) {
        s->clients[i]->answer_offer = s->clients[i]->last_offer = 0;
        s->clients[i]->reply_len = 0;
        s->clients[i]->multicast = false;
        s->clients[i]->may_be_ahead = true;
    }
    start_engine(s);
    size_t at = 0;
    for (shell_record *r; (r = poc_table_next(&s->store, &at)) != NULL;)
        assert_int_equal(pocpf_restore(s->pf, r->key, r->key_len, r->value, r->value_len), POCPF_OK);
    assert_int_equal(pocpf_restored(s->pf, s->now_ms), POCPF_OK);
}

/* ---- clients ---- */

client *shell_client(shell *s, const char *name)
{
    client *c = poc_table_get(&s->by_name, poc_span_str(name));
    if (c != NULL)
        return c;
    c = calloc(1, sizeof(*c));
    client **more = realloc(s->clients, (s->client_count + 1) * sizeof(*more));
    assert_true(c != NULL && more != NULL);
    s->clients = more;
    s->clients[s->client_count++] = c;
    (void)snprintf(c->name, sizeof(c->name), "%s", name);
    c->address_len = 1 + s->client_count % POCPF_ADDRESS_MAX;
    memcpy(c->address, name + 4, c->address_len < strlen(name) - 4 ? c->address_len : strlen(name) - 4);
    c->address[0] = (uint8_t)s->client_count;
    assert_int_equal(poc_table_put(&s->by_name, poc_span_str(c->name), c), POC_OK);
    return c;
}

void shell_authenticate(shell *s, client *c)
{
    uint8_t bytes[32];
    assert_int_equal(s->rng.fill(s->rng.ctx, bytes, sizeof(bytes)), POC_OK);
    pocpf_secret_free(c->muk);
    c->muk = pocpf_secret_new(bytes, sizeof(bytes));
    c->counter = 0;
    c->sent_count = 0;
    c->may_be_ahead = false;
    (void)snprintf(c->btid, sizeof(c->btid), "%02x%02x%02x%02x@bsf.example", bytes[0], bytes[1], bytes[2], bytes[3]);
    shell_contact(s, c);
}

void shell_contact(shell *s, client *c)
{
    pocpf_credential credential = { sizeof(credential), c->name, c->btid, c->muk, s->now_ms + 86400000 };
    assert_int_equal(pocpf_authenticated(s->pf, s->now_ms, &credential), POCPF_OK);
}

pocpf_err shell_join_only(shell *s, client *c)
{
    pocpf_join join = { sizeof(join), SHELL_CHANNEL, c->name, true, c->name, strlen(c->name), NULL, 0 };
    pocpf_err err = pocpf_member_joined(s->pf, s->now_ms, &join);
    if (err == POCPF_OK) {
        c->inside = true;
        c->released = c->multicast = c->expelled = false;
        c->barred_from = 0;
    }
    return err;
}

client *shell_join(shell *s, const char *name)
{
    client *c = shell_client(s, name);
    shell_authenticate(s, c);
    assert_int_equal(shell_join_only(s, c), POCPF_OK);
    shell_full(s);
    shell_run(s);
    return c;
}

pocpf_err shell_depart(shell *s, const char *name, pocpf_departure how)
{
    client *c = shell_client(s, name);
    pocpf_err err = pocpf_member_departed(s->pf, s->now_ms, SHELL_CHANNEL, name, how);
    if (err == POCPF_OK)
        c->inside = c->multicast = false;
    if (err == POCPF_OK && (how == POCPF_REMOVED || how == POCPF_EXPELLED))
        c->expelled = true;
    return err;
}

static bool is_blind(shell *s)
{
    pocpf_channel_status status = { .size = sizeof(status) };
    assert_int_equal(pocpf_channel_look(s->pf, SHELL_CHANNEL, &status), POCPF_OK);
    return status.blind;
}

struct sent_message {
    const pocpf_secret *muk;
    uint32_t counter;
    size_t len;
    uint8_t mac[20]; /* its last octets */
};

/* A counter of a MUK belongs to one message. */
static void note_message(client *c, uint32_t counter, poc_span message)
{
    assert_true(message.n > 20);
    const uint8_t *mac = message.p + message.n - 20;
    for (size_t i = 0; i < c->sent_count; i++)
        if (c->sent[i].muk == c->muk && c->sent[i].counter == counter) {
            assert_int_equal(c->sent[i].len, message.n);
            assert_memory_equal(c->sent[i].mac, mac, 20);
            return;
        }
    c->sent = realloc(c->sent, (c->sent_count + 1) * sizeof(*c->sent));
    assert_non_null(c->sent);
    c->sent[c->sent_count] = (struct sent_message){ .muk = c->muk, .counter = counter, .len = message.n };
    memcpy(c->sent[c->sent_count++].mac, mac, 20);
}

/* Whoever may hear it and whatever becomes of it: these never happen. */
static void check_given(shell *s, client *c, uint32_t id)
{
    bool is_barred = c->barred_from != 0 && id >= c->barred_from;
    if (is_barred && !(c->came_back && is_blind(s)))
        fail_msg("%s is out, yet he was given %08x (barred from %08x)", c->name, id, c->barred_from);
    if (s->air_id != 0 && id > s->air_id + 1 && !s->hold)
        fail_msg("%08x was handed out while %08x is on air", id, s->air_id);
    if (id > s->highest_id)
        s->highest_id = id;
}

/* What a terminal does with a key message: MAC, counter, key. False: it cannot read it. */
static bool open_message(client *c, mikey_msg *msg, poc_span octets, uint32_t id, uint32_t *counter)
{
    mikey_msk msk;
    poc_fault fault;
    assert_int_equal(mikey_decode(msg, octets, &fault), POC_OK);
    if (c->muk == NULL || mikey_msk_open(&msk, msg, c->muk, &fault) != POC_OK) {
        assert_true(c->may_be_ahead); /* the engine lost his newest MUK with a crash: he cannot read this */
        return false;
    }
    assert_int_equal(msk.msk_id, id);
    /* POC-6: sealed, or not at all */
    if (msk.msk != NULL)
        assert_null(memmem(octets.p, octets.n, poc_secret_bytes(msk.msk), poc_secret_len(msk.msk)));
    *counter = msk.counter;
    note_message(c, msk.counter, octets);
    mikey_msk_done(&msk);
    return true;
}

static void open_offer(shell *s, client *c, const pocpf_effect *fx)
{
    mikey_msg msg;
    uint32_t counter;
    check_given(s, c, fx->u.offer.msk_id);
    c->verification_len = 0;
    if (!open_message(c, &msg, poc_span_of(fx->u.offer.mikey, fx->u.offer.mikey_len), fx->u.offer.msk_id, &counter))
        return;
    if (counter != c->counter)                              /* else the same has come by push */
        assert_true(poc_serial_after(counter, c->counter)); /* never a replay, not even after a crash */
    c->counter = counter;
    c->holds = fx->u.offer.msk_id;
    c->offers++;
    poc_wr wr = poc_wr_into(c->verification, sizeof(c->verification));
    if (msg.wants_verification)
        assert_int_equal(mikey_verification_seal(&wr, &msg, c->muk), POC_OK);
    c->verification_len = wr.len;
}

void shell_answer(shell *s, client *c)
{
    static const pocpf_answer answers[] = {
        [CLIENT_ACCEPTS] = POCPF_ANSWER_ACCEPTED,          [CLIENT_SILENT] = POCPF_ANSWER_TIMEOUT,
        [CLIENT_REFUSES] = POCPF_ANSWER_REFUSED,           [CLIENT_WRONG] = POCPF_ANSWER_WRONG,
        [CLIENT_UNICAST] = POCPF_ANSWER_UNICAST,           [CLIENT_GONE] = POCPF_ANSWER_GONE,
        [CLIENT_BAD_VERIFICATION] = POCPF_ANSWER_ACCEPTED, [CLIENT_NO_VERIFICATION] = POCPF_ANSWER_ACCEPTED,
    };
    uint64_t offer = c->answer_offer;
    c->answer_offer = 0;
    if (offer == 0 || c->habit == CLIENT_SILENT)
        return;
    if (c->habit == CLIENT_BAD_VERIFICATION && c->verification_len > 0)
        c->verification[c->verification_len - 1] ^= 1;
    size_t len = c->habit == CLIENT_NO_VERIFICATION ? 0 : c->verification_len;
    (void)pocpf_offer_answered(s->pf, s->now_ms, SHELL_CHANNEL, c->name, offer, answers[c->habit], c->verification,
                               len);
    if (c->habit == CLIENT_GONE)
        c->inside = c->multicast = false;
}

/* ---- effects ---- */

static void line(shell *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void line(shell *s, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (s->line_count < SHELL_LINES)
        (void)vsnprintf(s->lines[s->line_count++], SHELL_LINE, fmt, args);
    va_end(args);
}

static void begin_write(shell *s, const pocpf_effect *fx)
{
    assert_false(s->is_writing);
    s->is_writing = true;
    s->writing = calloc(fx->u.persist.count, sizeof(*s->writing));
    assert_non_null(s->writing);
    for (s->writing_count = 0; s->writing_count < fx->u.persist.count; s->writing_count++) {
        const pocpf_record *from = &fx->u.persist.records[s->writing_count];
        shell_record *to = &s->writing[s->writing_count];
        assert_true(from->key_len <= sizeof(to->key));
        memcpy(to->key, from->key, from->key_len);
        to->key_len = from->key_len;
        to->value_len = from->value_len;
        if (from->value != NULL)
            assert_non_null(to->value = malloc(from->value_len + 1));
        if (from->value_len > 0)
            memcpy(to->value, from->value, from->value_len);
    }
}

void shell_written(shell *s)
{
    if (!s->is_writing)
        return;
    end_write(s, !s->store_fails);
    assert_int_equal(pocpf_persisted(s->pf, s->now_ms, !s->store_fails), POCPF_OK);
}

static void do_persist(shell *s, const pocpf_effect *fx)
{
    line(s, "PERSIST");
    if (s->store_slow) {
        begin_write(s, fx);
        return;
    }
    if (!s->store_fails && !s->store_holds)
        for (size_t i = 0; i < fx->u.persist.count; i++)
            keep_record(s, &fx->u.persist.records[i]);
    if (s->store_holds)
        return;
    assert_int_equal(pocpf_persisted(s->pf, s->now_ms, !s->store_fails), POCPF_OK);
}

static void do_offer(shell *s, const pocpf_effect *fx)
{
    static const char *const kinds[] = { "open", "rekey", "withdraw" };
    client *c = shell_client(s, fx->user);
    line(s, "OFFER %s %s %08x", fx->user, kinds[fx->u.offer.kind], fx->u.offer.msk_id);
    assert_true(fx->u.offer.number > c->last_offer && fx->u.offer.timeout_ms > 0);
    c->last_offer = fx->u.offer.number;
    c->answer_offer = fx->u.offer.kind == POCPF_OFFER_WITHDRAW ? 0 : fx->u.offer.number;
    if (fx->u.offer.kind != POCPF_OFFER_WITHDRAW)
        open_offer(s, c, fx);
    else
        assert_int_equal(fx->u.offer.mikey_len, 0);
}

static bool is_lost(shell *s)
{
    return test_rng_below(&s->chance, 100) < s->push_loss;
}

/* MBMS-7: answered if asked, with what his habit is. */
static void reply_to(client *c, const mikey_msg *msg)
{
    poc_wr wr = poc_wr_into(c->reply, sizeof(c->reply));
    if (!msg->wants_verification || c->habit == CLIENT_SILENT)
        return;
    if (c->habit == CLIENT_REFUSES)
        assert_int_equal(mikey_error_seal(&wr, msg, 0, c->muk), POC_OK);
    else
        assert_int_equal(mikey_verification_seal(&wr, msg, c->muk), POC_OK);
    c->reply_len = wr.len;
    if (c->habit == CLIENT_BAD_VERIFICATION)
        c->reply[c->reply_len - 1] ^= 1;
}

static void do_push(shell *s, const pocpf_effect *fx)
{
    client *c = shell_client(s, fx->user);
    mikey_msg msg;
    uint32_t counter, id = fx->u.push.msk_id;
    bool is_solicit = (id & 0xFFFF) == 0;
    line(s, "PUSH %s %08x%s", fx->user, id, fx->u.push.again ? " again" : "");
    if (!is_solicit)
        check_given(s, c, id);
    if (!open_message(c, &msg, poc_span_of(fx->u.push.mikey, fx->u.push.mikey_len), id, &counter))
        return;
    bool is_there =
        poc_span_eq(poc_span_of(fx->u.push.address, fx->u.push.address_len), poc_span_of(c->address, c->address_len));
    if (c->deaf || !is_there || is_lost(s) || (counter != c->counter && !poc_serial_after(counter, c->counter)))
        return;
    c->counter = counter;
    c->solicited += is_solicit;
    c->pushes += !is_solicit;
    if (is_solicit)
        return; /* MBMS-10: nothing is stored, nothing acknowledged */
    c->holds = id;
    reply_to(c, &msg);
}

pocpf_err shell_reply(shell *s, client *c)
{
    pocpf_datagram d = { c->address, c->address_len, c->reply, c->reply_len, POCPF_E_BUG };
    if (c->reply_len == 0)
        return POCPF_E_STATE;
    c->reply_len = 0;
    if (is_lost(s))
        return POCPF_E_STATE;
    size_t confirmed = pocpf_push_heard(s->pf, s->now_ms, &d, 1);
    assert_int_equal(confirmed, d.verdict == POCPF_OK);
    return d.verdict;
}

pocpf_err shell_register_only(shell *s, client *c)
{
    pocpf_registration r = { sizeof(r), SHELL_CHANNEL, c->name, c->address, c->address_len };
    pocpf_err err = pocpf_registered(s->pf, s->now_ms, &r);
    if (err == POCPF_OK)
        c->barred_from = 0;
    return err;
}

client *shell_register(shell *s, const char *name)
{
    client *c = shell_client(s, name);
    shell_authenticate(s, c);
    assert_int_equal(shell_register_only(s, c), POCPF_OK);
    shell_run(s);
    return c;
}

pocpf_err shell_pull(shell *s, client *c, uint32_t msk_id)
{
    pocpf_msk_request r = { sizeof(r), c->name, { 0x00, 0xF1, 0x10 }, msk_id, c->address, c->address_len };
    return pocpf_msk_requested(s->pf, s->now_ms, &r);
}

void shell_move(shell *s, client *c)
{
    assert_int_equal(s->rng.fill(s->rng.ctx, c->address, sizeof(c->address)), POC_OK);
    c->address_len = 1 + c->address[0] % POCPF_ADDRESS_MAX;
}

static void do_enabler(shell *s, const pocpf_effect *fx)
{
    size_t len;
    assert_non_null(pocpf_secret_bytes(fx->u.enabler.msk, &len));
    assert_int_equal(len, 16);
    assert_true(fx->u.enabler.msk_id > s->air_id && fx->u.enabler.csb_id == 0);
    s->air_id = fx->u.enabler.msk_id;
    bool starts = fx->type == POCPF_DO_ENABLER_START;
    s->hold = s->hold && !starts; /* an enabler knows nothing of what was before its start */
    line(s, "%s %08x", starts ? "START" : "UPDATE", fx->u.enabler.msk_id);
    if (starts && s->enabler_answers)
        assert_int_equal(pocpf_enabler_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_ENABLER_STARTED), POCPF_OK);
}

static void do_stop(shell *s)
{
    line(s, "STOP");
    s->air_id = 0;
    if (s->enabler_answers)
        (void)pocpf_enabler_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_ENABLER_STOPPED);
}

static void do_audit(shell *s, const pocpf_effect *fx)
{
    s->audits[fx->u.audit.what]++;
    if (!s->log_audits)
        return;
    line(s, "AUDIT %s %s %s %08x %u/%u %s", pocpf_audit_name(fx->u.audit.what), fx->user == NULL ? "-" : fx->user,
         pocpf_reason_name(fx->u.audit.reason), fx->u.audit.msk_id, fx->u.audit.count, fx->u.audit.total,
         fx->u.audit.detail == NULL ? "-" : fx->u.audit.detail);
}

static void do_serve(shell *s, const pocpf_effect *fx)
{
    shell_client(s, fx->user)->multicast = fx->u.serve.multicast;
    line(s, "SERVE %s %s", fx->user, fx->u.serve.multicast ? "multicast" : "unicast");
}

static void carry_out(shell *s, const pocpf_effect *fx)
{
    s->counts[fx->type]++;
    switch (fx->type) {
    case POCPF_DO_PERSIST:
        do_persist(s, fx);
        break;
    case POCPF_DO_OFFER:
        do_offer(s, fx);
        break;
    case POCPF_DO_RELEASE:
        shell_client(s, fx->user)->released = true;
        line(s, "RELEASE %s %s", fx->user, pocpf_reason_name(fx->u.release.reason));
        break;
    case POCPF_DO_SERVE:
        do_serve(s, fx);
        break;
    case POCPF_DO_GATE:
        s->hold = fx->u.gate.hold;
        line(s, "GATE %s", fx->u.gate.hold ? "hold" : "open");
        break;
    case POCPF_DO_ENABLER_START:
    case POCPF_DO_ENABLER_UPDATE:
        do_enabler(s, fx);
        break;
    case POCPF_DO_ENABLER_STOP:
        do_stop(s);
        break;
    case POCPF_DO_SUBSCRIBE:
        line(s, "SUBSCRIBE %s%s%s", fx->u.subscribe.group_uri, fx->u.subscribe.as_user != NULL ? " as " : "",
             fx->u.subscribe.as_user != NULL ? fx->u.subscribe.as_user
             : fx->u.subscribe.refresh       ? " refresh"
                                             : "");
        break;
    case POCPF_DO_UNSUBSCRIBE:
        line(s, "UNSUBSCRIBE");
        break;
    case POCPF_DO_RESTORED:
        assert_memory_equal(fx->u.restored.dialog, fx->user, fx->u.restored.dialog_len);
        line(s, "RESTORED %s", fx->user);
        break;
    case POCPF_DO_AUDIT:
        do_audit(s, fx);
        break;
    case POCPF_DO_CSK_BOUND: /* test_mcx_csk.c */
    case POCPF_DO_DOWNLOAD:
        break;
    case POCPF_DO_PUSH:
        do_push(s, fx);
        break;
    }
}

bool shell_step(shell *s)
{
    pocpf_effect fx;
    if (!pocpf_poll(s->pf, &fx))
        return false;
    carry_out(s, &fx);
    return true;
}

static bool answer_all(shell *s)
{
    bool did = false;
    for (size_t i = 0; i < s->client_count; i++) {
        client *c = s->clients[i];
        if (c->answer_offer == 0 && c->reply_len == 0)
            continue;
        (void)shell_reply(s, c);
        shell_answer(s, c);
        did = true;
    }
    return did;
}

void shell_run(shell *s)
{
    for (;;) {
        while (shell_step(s))
            ;
        if (s->is_writing)
            shell_written(s);
        else if (!s->answers_now || !answer_all(s))
            return;
    }
}

void shell_pass(shell *s, int64_t ms)
{
    s->now_ms += ms;
    pocpf_tick(s->pf, s->now_ms);
    shell_run(s);
}

void shell_live(shell *s, int64_t ms)
{
    int64_t end = s->now_ms + ms;
    while (pocpf_deadline_ms(s->pf) <= end) {
        int64_t at = pocpf_deadline_ms(s->pf);
        shell_pass(s, at > s->now_ms ? at - s->now_ms : 1);
    }
    if (s->now_ms < end)
        s->now_ms = end;
}

/* ---- conference ---- */

pocpf_err shell_document(shell *s, pocpf_conf_state state, const pocpf_conf_user *users, size_t n)
{
    pocpf_conference doc = { .size = sizeof(doc),
                             .state = state,
                             .version = ++s->version,
                             .has_users = true,
                             .users_state = state,
                             .users = users,
                             .user_count_listed = n };
    return pocpf_conference_info(s->pf, s->now_ms, SHELL_CHANNEL, &doc);
}

void shell_full(shell *s)
{
    pocpf_conf_user *users = calloc(s->client_count + 1, sizeof(*users));
    pocpf_conf_endpoint *eps = calloc(s->client_count + 1, sizeof(*eps));
    assert_true(users != NULL && eps != NULL);
    size_t n = 0;
    for (size_t i = 0; i < s->client_count; i++) {
        if (!s->clients[i]->inside)
            continue;
        eps[n] = (pocpf_conf_endpoint){ .entity = s->clients[i]->name, .status = POCPF_CONF_CONNECTED };
        users[n] = (pocpf_conf_user){ .entity = s->clients[i]->name, .endpoints = &eps[n], .endpoint_count = 1 };
        n++;
    }
    (void)pocpf_subscription_changed(s->pf, s->now_ms, SHELL_CHANNEL, POCPF_SUB_ACTIVE, s->version == 0, 0);
    (void)shell_document(s, POCPF_CONF_FULL, users, n);
    free(users);
    free(eps);
}

pocpf_err shell_partial(shell *s, const char *user, pocpf_conf_state state, pocpf_conf_status status,
                        pocpf_conf_method method, const char *by)
{
    pocpf_conf_endpoint ep = { user, state, status, method, by };
    pocpf_conf_user u = { user, POCPF_CONF_PARTIAL, &ep, 1 };
    return shell_document(s, POCPF_CONF_PARTIAL, &u, 1);
}

/* ---- looking ---- */

void shell_forget(shell *s)
{
    s->line_read = s->line_count = 0;
}

void shell_expect(shell *s, const char *lines)
{
    char got[8192];
    poc_wr wr = poc_wr_into(got, sizeof(got));
    for (size_t i = s->line_read; i < s->line_count; i++)
        poc_wr_fmt(&wr, "%s%s", i > s->line_read ? "\n" : "", s->lines[i]);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    shell_forget(s);
    assert_string_equal(got, lines);
}

const char *shell_state(shell *s)
{
    pocpf_channel_status status = { .size = sizeof(status) };
    assert_int_equal(pocpf_channel_look(s->pf, SHELL_CHANNEL, &status), POCPF_OK);
    return status.state;
}

uint32_t shell_msk(shell *s)
{
    pocpf_channel_status status = { .size = sizeof(status) };
    assert_int_equal(pocpf_channel_look(s->pf, SHELL_CHANNEL, &status), POCPF_OK);
    return status.msk_id;
}

const char *shell_member_state(shell *s, const char *name)
{
    pocpf_member_status status = { .size = sizeof(status) };
    return pocpf_member_look(s->pf, SHELL_CHANNEL, name, &status) == POCPF_OK ? status.state : "out";
}

bool shell_has_bar(shell *s, const client *c)
{
    char key[160];
    int len = snprintf(key, sizeof(key), "b" SHELL_CHANNEL "%c%s", 0, c->name);
    return poc_table_get(&s->store, poc_span_of(key, (size_t)len)) != NULL;
}

bool shell_look(shell *s, const client *c, pocpf_member_status *out)
{
    *out = (pocpf_member_status){ .size = sizeof(*out) };
    return pocpf_member_look(s->pf, SHELL_CHANNEL, c->name, out) == POCPF_OK;
}

shell *shell_trio(pocpf_rekey_policy policy)
{
    shell *s = shell_new(1);
    s->conf.rekey = policy;
    shell_boot(s);
    shell_join(s, ALICE);
    shell_join(s, BOB);
    shell_join(s, CAROL);
    shell_forget(s);
    return s;
}
