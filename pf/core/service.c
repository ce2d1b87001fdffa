/* The MBMS user service (TS 33.246 6.3.2) as the engine sees it: registrations, pulls, solicited pulls, and what comes back
 * for a push. Who the user is and whether the service is open to him was decided before, by HTTP. */
#include <string.h>

#include "pf/core/model.h"

static poc_err ended(core_engine *e, poc_err err)
{
    engine_end(e);
    fx_forget(e, &e->handed);
    fx_forget_line(e, &e->handed_line);
    return err;
}

static core_member *find(const core_engine *e, const char *channel, const char *user)
{
    const core_channel *ch = engine_channel(e, channel);
    return ch == NULL || user == NULL ? NULL : member_find(e, ch, poc_span_str(user));
}

static poc_err check_address(poc_span address)
{
    return address.n == 0 || address.n > CORE_ADDRESS_MAX ? POC_E_INPUT : POC_OK;
}

/* ---- registration ---- */

/* True: something changed that must be kept. */
static bool move(core_member *m, poc_span address)
{
    if (poc_span_eq(member_address(m), address))
        return false;
    member_set_address(m, address);
    return true;
}

static void keep_member(core_engine *e, core_member *m)
{
    journal_mark(e, &m->durable);
    if (m->user->unsaved)
        journal_mark(e, &m->user->durable);
    fx_persist(e);
}

/* On unicast there are also those who were never looked for in the conference. */
static bool can_pull(const core_member *m)
{
    bool is_seen = m->state != M_UNICAST || session_sees(m->channel, m);
    return is_seen && rekey_hands_out(m->channel) && member_cell((member_state)m->state, ME_PULL);
}

static poc_err may_enter(const core_engine *e, const core_channel *ch, poc_span name)
{
    if (bars_get(ch, name) != NULL)
        return POC_E_DENIED;
    if (ch->state == C_CLOSED || ch->scope != NULL)
        return POC_E_STATE;
    const core_user *u = poc_table_get(&e->users, name);
    if (u == NULL || !credential_works(u, e->now_ms))
        return POC_E_AUTH;
    return e->member_count < e->set.members_max && bars_complete(e, ch) ? POC_OK : POC_E_LIMIT;
}

static poc_err enter(core_engine *e, core_channel *ch, const core_registration *r)
{
    core_member *m;
    POC_TRY(may_enter(e, ch, poc_span_str(r->user)));
    POC_TRY(member_new(e, ch, &m, poc_span_str(r->user), NULL));
    m->capable = m->registered = true;
    m->state = M_WAIT_KEY;
    member_set_address(m, r->address);
    keep_member(e, m);
    solicit_watch(e, m);
    fx_audit_member(e, m, CORE_AUDIT_MEMBER_REGISTERED, CORE_REASON_NONE, NULL);
    return member_do(e, m, ME_MUK);
}

/* A refresh, a new address, or the second way to somebody with a session. */
static poc_err renew(core_engine *e, core_member *m, const core_registration *r)
{
    bool is_new = !m->registered;
    m->registered = true;
    if (move(m, r->address) || is_new)
        keep_member(e, m);
    credential_contact(m->user);
    solicit_watch(e, m);
    if (is_new)
        fx_audit_member(e, m, CORE_AUDIT_MEMBER_REGISTERED, CORE_REASON_NONE, NULL);
    if (m->state == M_UNICAST && !m->capable && m->channel->state != C_CLOSED)
        return member_do(e, m, ME_BEARER_ON); /* what its session cannot do its registration can */
    return can_pull(m) ? member_do(e, m, ME_PULL) : POC_OK;
}

poc_err core_registered(core_engine *e, int64_t now_ms, const core_registration *r)
{
    POC_TRY(limits_text(r->user, CORE_NAME_MAX));
    POC_TRY(check_address(r->address));
    core_channel *ch = engine_channel(e, r->channel);
    if (ch == NULL)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    core_member *m = member_find(e, ch, poc_span_str(r->user));
    return ended(e, m == NULL ? enter(e, ch, r) : renew(e, m, r));
}

/* One with a session who cannot be reached by its lines is back on unicast without the push. */
static poc_err lose_address(core_engine *e, core_member *m)
{
    member_set_address(m, poc_span_of(NULL, 0));
    keep_member(e, m);
    if (!m->capable && m->state != M_UNICAST)
        return member_do(e, m, ME_BEARER_OFF);
    return member_cell((member_state)m->state, ME_NO_ADDRESS) ? member_do(e, m, ME_NO_ADDRESS) : POC_OK;
}

poc_err core_deregistered(core_engine *e, int64_t now_ms, const char *channel, const char *user)
{
    core_member *m = find(e, channel, user);
    if (m == NULL || !m->registered)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    m->registered = false;
    fx_audit_member(e, m, CORE_AUDIT_MEMBER_DEREGISTERED, CORE_REASON_NONE, NULL);
    return ended(e, m->by_sip ? lose_address(e, m) : member_do(e, m, ME_LEFT));
}

/* ---- pull ---- */

static core_channel *channel_of_group(const core_engine *e, const core_msk_request *r)
{
    uint8_t name[POC_KEY_DOMAIN_LEN + 2];
    memcpy(name, r->key_domain.b, POC_KEY_DOMAIN_LEN);
    name[3] = (uint8_t)(r->msk_id >> 24);
    name[4] = (uint8_t)(r->msk_id >> 16);
    const core_keygroup *g = poc_table_get(&e->keygroups, poc_span_of(name, sizeof(name)));
    return g == NULL ? NULL : g->channel;
}

/* MBMS-3: an MSK that is over, or was never made, is not to be had. */
static bool is_to_be_had(const core_channel *ch, poc_msk_id id)
{
    return poc_msk_number(id) == 0 || seal_key(ch, id) != NULL;
}

static poc_err pull(core_engine *e, core_member *m, const core_msk_request *r)
{
    if (r->address.n > 0 && move(m, r->address))
        keep_member(e, m);
    credential_contact(m->user);
    POC_TRY(member_step(e, m, &(core_event){ .type = ME_PULL, .for_member = true, .doubts = true }));
    fx_audit_member(e, m, CORE_AUDIT_MEMBER_PULLED, CORE_REASON_NONE, NULL);
    return POC_OK;
}

poc_err core_msk_request_check(const core_engine *e, const core_msk_request *r)
{
    const core_channel *ch = channel_of_group(e, r);
    if (ch == NULL)
        return POC_E_STATE;
    return member_find(e, ch, poc_span_str(r->user)) == NULL ? POC_E_DENIED : POC_OK;
}

poc_err core_msk_requested(core_engine *e, int64_t now_ms, const core_msk_request *r)
{
    if (r->address.n > CORE_ADDRESS_MAX)
        return POC_E_INPUT;
    core_channel *ch = channel_of_group(e, r);
    if (ch == NULL)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    core_member *m = member_find(e, ch, poc_span_str(r->user));
    if (m == NULL)
        return ended(e, POC_E_DENIED);
    bool has_address = m->address_len > 0 || r->address.n > 0;
    if (!has_address || !can_pull(m) || !is_to_be_had(ch, r->msk_id) || !credential_works(m->user, e->now_ms))
        return ended(e, POC_E_STATE);
    return ended(e, pull(e, m, r));
}

/* ---- solicited pull, bars ---- */

poc_err core_solicit(core_engine *e, int64_t now_ms, const char *channel, const char *user)
{
    core_channel *ch = engine_channel(e, channel);
    core_member *one = find(e, channel, user);
    if (ch == NULL || (user != NULL && (one == NULL || one->address_len == 0)))
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    if (one != NULL)
        solicit_member(e, one);
    for (uint32_t i = 0; one == NULL && i < ch->count; i++)
        if (ch->members[i]->address_len > 0)
            solicit_member(e, ch->members[i]);
    return ended(e, POC_OK);
}

static core_bar *bar_of(const core_engine *e, const char *channel, const char *user)
{
    const core_channel *ch = engine_channel(e, channel);
    return ch == NULL || user == NULL ? NULL : bars_get(ch, poc_span_str(user));
}

static core_bar *id_bar_of(const core_engine *e, const char *channel, const char *user)
{
    const core_channel *ch = engine_channel(e, channel);
    return ch == NULL || user == NULL ? NULL : kind_bar_get(e, ch, poc_span_str(user));
}

bool core_is_barred(const core_engine *e, const char *channel, const char *user)
{
    return bar_of(e, channel, user) != NULL || id_bar_of(e, channel, user) != NULL;
}

static void lift(core_engine *e, core_bar *bar)
{
    fx_audit_bar(e, bar, CORE_AUDIT_MEMBER_ADMITTED, (fx_figures){ 0 });
    bars_lift(e, bar);
}

poc_err core_admit(core_engine *e, int64_t now_ms, const char *channel, const char *user)
{
    core_bar *bar = bar_of(e, channel, user), *id_bar = id_bar_of(e, channel, user);
    if (bar == NULL && id_bar == NULL)
        return POC_E_STATE;
    POC_TRY(engine_begin(e, now_ms));
    if (bar != NULL)
        lift(e, bar);
    if (id_bar != NULL && id_bar != bar)
        lift(e, id_bar);
    fx_persist(e);
    kind_admitted(e, engine_channel(e, channel));
    return ended(e, POC_OK);
}

/* ---- what comes back ---- */

/* A push of this member is out, from there, under this number. */
static bool is_outstanding(const core_member *m, poc_span address, uint32_t counter)
{
    bool is_out = (m->state == M_PUSHED || m->state == M_STALE) && m->sent > 0;
    return is_out && m->muk_no == m->user->muk_no && poc_span_eq(member_address(m), address) &&
           counter - m->first_counter <= m->counter - m->first_counter && seal_key(m->channel, m->offered_id) != NULL;
}

static core_member *outstanding_of(const core_user *u, const core_datagram *d, uint32_t counter)
{
    core_member *m = u->memberships;
    while (m != NULL && !is_outstanding(m, d->address, counter))
        m = m->next_of_user;
    return m;
}

static core_member *acknowledged(const core_engine *e, const core_datagram *d, const mikey_msg *msg)
{
    core_member *m = NULL;
    const core_user *u = poc_table_get(&e->btids, msg->idr.data);
    for (; u != NULL && m == NULL; u = u->same_btid)
        m = outstanding_of(u, d, msg->counter);
    return m;
}

static core_member *refuser(const core_engine *e, const core_datagram *d, uint32_t counter)
{
    for (uint32_t i = 0; i < e->channel_count; i++)
        for (uint32_t j = 0; j < e->channel_list[i]->count; j++)
            if (is_outstanding(e->channel_list[i]->members[j], d->address, counter))
                return e->channel_list[i]->members[j];
    return NULL;
}

/*= RFC 3830, 5.1.2: an error message that is not authenticated proves nothing. One that is: the client cannot use what it
 *  was sent, so the next sending is a fresh message; its tries grow fewer by those that would have been the same. */
static poc_err refuse(core_engine *e, const core_datagram *d, const mikey_msg *msg)
{
    if (e->errors_ms + 1000 <= e->now_ms) {
        e->errors_ms = e->now_ms;
        e->errors = 0;
    }
    if (++e->errors > CORE_ERRORS_PER_S)
        return POC_E_LIMIT;
    core_member *m = refuser(e, d, msg->counter);
    if (m == NULL)
        return POC_E_STATE;
    const core_msk *key = seal_key(m->channel, m->offered_id);
    mikey_context context = { key->csb_id, poc_span_of(key->rand, sizeof(key->rand)) };
    POC_TRY(mikey_error_check(msg, context, m->user->muk.key));
    uint8_t same = (uint8_t)((e->set.push_tries + 1) / 2);
    m->sent = m->sent < same ? same : m->sent;
    return POC_E_DENIED;
}

/* What one system call brought: read as a whole, verified side by side, then taken in one after the other. */
typedef struct reading {
    mikey_msg msg[CORE_HEARD_BATCH];
    core_member *member[CORE_HEARD_BATCH]; /* whom it would confirm, held by reference; NULL: nobody */
    mikey_verification_job job[CORE_HEARD_BATCH], *job_of[CORE_HEARD_BATCH];
    size_t jobs;
} reading;

static mikey_verification_job job_for(const core_engine *e, const core_member *m, const mikey_msg *msg)
{
    const core_msk *key = seal_key(m->channel, m->offered_id);
    return (mikey_verification_job){ .verification = msg,
                                     .muk = m->user->muk.key,
                                     .expected = { .csb_id = key->csb_id,
                                                   .counter = msg->counter,
                                                   .rand = poc_span_of(key->rand, sizeof(key->rand)),
                                                   .idi = e->set.naf_id,
                                                   .idr = poc_span_of(m->user->btid, m->user->btid_len),
                                                   .accept_ts64 = e->set.accept_ts64 } };
}

static void read_one(core_engine *e, reading *r, size_t i, core_datagram *d)
{
    mikey_msg *msg = &r->msg[i];
    r->member[i] = NULL;
    d->verdict = mikey_decode(msg, d->octets, NULL);
    if (d->verdict != POC_OK || msg->data_type != MIKEY_PSK_VERIFICATION)
        return;
    core_member *m = acknowledged(e, d, msg);
    if (m == NULL)
        return;
    m->refs++;
    r->member[i] = m;
    r->job_of[i] = &r->job[r->jobs++];
    *r->job_of[i] = job_for(e, m, msg);
}

/* What came before it in the batch may have been its twin. */
static poc_err confirm(core_engine *e, const core_datagram *d, uint32_t counter, core_member *m, poc_err verified)
{
    if (verified != POC_OK)
        return verified;
    return is_outstanding(m, d->address, counter) ? member_do(e, m, ME_ACCEPTED) : POC_E_STATE;
}

static void take_in(core_engine *e, const reading *r, size_t i, core_datagram *d)
{
    if (d->verdict != POC_OK)
        return;
    d->verdict = POC_E_STATE;
    if (r->member[i] != NULL)
        d->verdict = confirm(e, d, r->msg[i].counter, r->member[i], r->job_of[i]->err);
    else if (r->msg[i].data_type == MIKEY_ERROR)
        d->verdict = refuse(e, d, &r->msg[i]);
    engine_settle(e);
}

static size_t hear_batch(core_engine *e, core_datagram *datagrams, size_t n)
{
    reading r;
    size_t confirmed = 0;
    r.jobs = 0;
    for (size_t i = 0; i < n; i++)
        read_one(e, &r, i, &datagrams[i]);
    (void)mikey_verification_check_many(r.job, r.jobs);
    for (size_t i = 0; i < n; i++) {
        take_in(e, &r, i, &datagrams[i]);
        confirmed += datagrams[i].verdict == POC_OK;
    }
    for (size_t i = 0; i < n; i++)
        if (r.member[i] != NULL)
            member_unref(e, r.member[i]);
    return confirmed;
}

size_t core_push_heard(core_engine *e, int64_t now_ms, core_datagram *datagrams, size_t n)
{
    const poc_err begun = engine_begin(e, now_ms);
    size_t confirmed = 0;
    for (size_t i = 0; begun != POC_OK && i < n; i++)
        datagrams[i].verdict = begun;
    if (begun != POC_OK)
        return 0;
    for (size_t i = 0; i < n; i += CORE_HEARD_BATCH)
        confirmed += hear_batch(e, datagrams + i, n - i < CORE_HEARD_BATCH ? n - i : CORE_HEARD_BATCH);
    (void)ended(e, POC_OK);
    return confirmed;
}
