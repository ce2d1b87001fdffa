/* What differs between a channel under an MSK of MBMS and one under a MuSiK of mission critical services: how a key is named,
 * what a member needs to be given it, how it reaches him. Everything else, the tables above all, is the same.
 *
 * A MuSiK needs nobody else: not a group management server, nor any key of another domain. */
#include <stdlib.h>
#include <string.h>

#include "pf/core/csk.h"

/* ---- an MSK ---- */

static bool has_muk(const core_engine *e, const core_member *m)
{
    return credential_works(m->user, e->now_ms);
}

static poc_err number(core_engine *e, core_channel *ch, core_msk *key)
{
    core_keygroup *g = ch->group;
    if (g->number == CORE_NUMBER_MAX)
        return POC_E_LIMIT;
    g->number++;
    key->id = poc_msk_id_of((uint16_t)(g->name[3] << 8 | g->name[4]), g->number);
    journal_mark(e, &g->durable);
    return POC_OK;
}

/* A counter belongs to the MUK that it was drawn from. */
static bool is_counted(const core_member *m)
{
    return m->muk_no == m->user->muk_no;
}

/* ---- a MuSiK ---- */

static poc_span name_of(const core_member *m)
{
    return poc_span_of(m->user->name, m->user->name_len);
}

core_book *kind_book(const core_engine *e, const core_member *m)
{
    return book_in_force(e, name_of(m), m->channel->scope->service);
}

static bool has_csk(const core_engine *e, const core_member *m)
{
    const core_book *b = kind_book(e, m);
    return b != NULL && bars_get(m->channel, poc_span_str(b->mc_id)) == NULL;
}

static bool is_used(const core_engine *e, uint32_t id)
{
    for (uint32_t i = 0; i < e->channel_count; i++) {
        const core_keyset *ks = &e->channel_list[i]->keys;
        if (ks->previous_id == id || (ks->current != NULL && ks->current->id == id) ||
            (ks->next != NULL && ks->next->id == id) || revoke_names(e->channel_list[i], id))
            return true;
    }
    return false;
}

/* TS 33.180 5.2.2: drawn again while another key has the id. A rotation in its time is announced for the barrier; one that
 * locks somebody out begins as soon as all others have it. */
static poc_err draw(core_engine *e, core_channel *ch, core_msk *key)
{
    const bool is_planned = ch->keys.current != NULL && ch->reason != CORE_REASON_EXPEL;
    const uint64_t now_s = (uint64_t)e->now_ms / 1000;
    uint32_t id;
    for (int i = 0; i < CORE_ID_DRAWS; i++) {
        POC_TRY(mcx_key_id_random(&id, MCX_MUSIK, &e->set.rng));
        if (is_used(e, id))
            continue;
        key->id = key->csb_id = id;
        key->activation_s = is_planned ? (uint64_t)(e->now_ms + policy_deadline_ms(ch)) / 1000 : 0;
        const uint32_t lifetime_s = ch->scope->lifetime_s;
        key->expiry_s = lifetime_s == 0 ? 0 : (is_planned ? key->activation_s : now_s) + lifetime_s;
        return POC_OK;
    }
    return POC_E_IO;
}

static bool can_always(const core_member *m)
{
    (void)m;
    return true;
}

/* ---- downloads ---- */

void kind_fill_download(const core_engine *e, core_effect *out, const core_member *m, const mcx_seal_job *job)
{
    const core_book *b = kind_book(e, m);
    out->type = CORE_DO_DOWNLOAD;
    out->u.download.mc_id = b->mc_id;
    out->u.download.i_message = poc_span_of(job->out, job->len);
    out->u.download.service = m->channel->scope->service;
}

static void note_given(core_member *m)
{
    if (m->given_id == m->offered_id)
        return;
    m->given_before_id = m->given_id;
    m->given_id = m->offered_id;
}

static bool show_download(core_engine *e, core_todo *t, core_effect *out)
{
    core_member *m = t->member;
    if (t->kind == CORE_OFFER_WITHDRAW)
        return false; /* nothing takes a MuSiK back: nothing is sent under it any more */
    m->emitted = true;
    const mcx_seal_job *job = parcel_of(e, m, t->u.offer, seal_key(m->channel, m->offered_id), false);
    if (job == NULL || job->err != POC_OK) {
        m->emitted = false;
        engine_tell_member(e, m, ME_TIMEOUT);
        return false;
    }
    m->opened = true;
    note_given(m);
    kind_fill_download(e, out, m, job);
    out->u.download.number = t->u.offer;
    out->u.download.key_id = m->offered_id;
    const int64_t left_ms = m->wake_ms - e->now_ms;
    out->u.download.timeout_ms = left_ms < 1 || left_ms > CORE_DOWNLOAD_MS ? CORE_DOWNLOAD_MS : (uint32_t)left_ms;
    return true;
}

bool kind_gathers(const core_engine *e, const core_channel *ch)
{
    const uint32_t window = e->set.offer_window;
    if (ch->scope == NULL || ch->windowed == 0 || e->mcx == NULL)
        return false;
    uint32_t together = e->mcx->parcels.cap < window / 4 ? (uint32_t)e->mcx->parcels.cap : window / 4;
    if (together > CORE_LANES)
        together -= together % CORE_LANES;
    return ch->windowed + together > window && ch->count - ch->cursor > together;
}

/* ---- the table ---- */

static const kind_row kinds[CORE_KIND_COUNT] = {
    [CORE_KIND_MSK] = { CORE_KIND_MSK, true, "no MUK: bootstrap first", "MUK expired: bootstrap again", has_muk, number,
                        is_counted, fx_show_offer },
    [CORE_KIND_MUSIK] = { CORE_KIND_MUSIK, false, "no CSK: upload first", "CSK renewed or gone", has_csk, draw,
                          can_always, show_download },
};

/* ---- what it is for ---- */

poc_err kind_check(core_channel_conf *c)
{
    const core_musik *k = &c->musik;
    size_t total = k->text == NULL ? 0 : strnlen(k->text, CORE_NAME_MAX + 1);
    if ((unsigned)c->kind >= CORE_KIND_COUNT || k->service >= MCX_SERVICES || k->group_count > MCX_GROUPS_MAX ||
        total > CORE_NAME_MAX || c->group_uri[0] != '\0')
        return POC_E_INPUT;
    for (size_t i = 0; i < k->group_count; i++) {
        POC_TRY(limits_text(k->groups[i], CORE_NAME_MAX));
        total += strlen(k->groups[i]) + 3;
    }
    const bool outlives = k->lifetime_s == 0 || (c->rekey.interval_s > 0 && c->rekey.interval_s < k->lifetime_s);
    return outlives && total + 32 <= MCX_PARAMETERS_MAX ? POC_OK : POC_E_INPUT;
}

static poc_span put(char **at, const char *text)
{
    const size_t n = strlen(text);
    const poc_span s = poc_span_of(memcpy(*at, text, n), n);
    *at += n;
    return s;
}

static poc_err make_scope(core_channel *ch, const core_musik *k)
{
    const char *text = k->text == NULL ? "" : k->text;
    size_t total = strlen(text);
    for (size_t i = 0; i < k->group_count; i++)
        total += strlen(k->groups[i]);
    uint8_t cs_id;
    POC_TRY(mcx_cs_id_of(&cs_id, MCX_MUSIK, (mcx_service)k->service));
    core_scope *s = calloc(1, sizeof(*s) + total);
    if (s == NULL)
        return POC_E_NOMEM;
    char *at = s->texts;
    s->service = k->service;
    s->cs_id = cs_id;
    s->lifetime_s = k->lifetime_s;
    s->without_revocation = k->without_revocation;
    s->parameters = (mcx_key_parameters){ .type = MCX_MUSIK, .text = put(&at, text), .group_count = k->group_count };
    for (size_t i = 0; i < k->group_count; i++)
        s->parameters.groups[i] = put(&at, k->groups[i]);
    ch->scope = s;
    ch->group = &s->group;
    s->group.channel = ch;
    return POC_OK;
}

poc_err kind_set(core_channel *ch, const core_channel_conf *c)
{
    ch->kind = &kinds[c->kind];
    return c->kind == CORE_KIND_MSK ? POC_OK : make_scope(ch, &c->musik);
}

poc_err kind_renew(core_channel *ch, const core_channel_conf *c)
{
    core_scope *old = ch->scope;
    if (old == NULL)
        return POC_OK;
    POC_TRY(make_scope(ch, &c->musik));
    free(old);
    return POC_OK;
}

void kind_free(core_channel *ch)
{
    free(ch->scope);
}

bool kind_may_give(const core_engine *e, const core_channel *ch)
{
    return ch->scope == NULL || identity_signer(e, (poc_span){ NULL, 0 }) != NULL;
}

void kind_identified(core_engine *e)
{
    for (uint32_t i = 0; i < e->channel_count; i++)
        if (e->channel_list[i]->scope != NULL)
            engine_touch(e, e->channel_list[i]);
}

bool kind_may_switch(const core_engine *e, const core_channel *ch)
{
    return ch->scope == NULL || (int64_t)ch->keys.next->activation_s * 1000 <= e->now_ms;
}

uint8_t kind_cs_id(const core_channel *ch)
{
    return ch->scope == NULL ? 0 : ch->scope->cs_id;
}

/* ---- members ---- */

poc_err core_mcx_joined(core_engine *e, int64_t now_ms, const char *channel, const char *impu)
{
    core_channel *ch = engine_channel(e, channel);
    POC_TRY(limits_text(impu, CORE_NAME_MAX));
    const poc_span name = poc_span_str(impu);
    if (ch == NULL || ch->scope == NULL || ch->state == C_CLOSED || member_find(e, ch, name) != NULL)
        return POC_E_STATE;
    if (bars_get(ch, name) != NULL || kind_bar_get(e, ch, name) != NULL)
        return POC_E_DENIED;
    if (e->member_count >= e->set.members_max || !bars_complete(e, ch))
        return POC_E_LIMIT;
    core_member *m;
    POC_TRY(engine_begin(e, now_ms));
    POC_TRY(member_new(e, ch, &m, name, &(poc_span){ NULL, 0 }));
    m->capable = true;
    m->state = M_WAIT_KEY;
    engine_touch(e, ch);
    journal_mark(e, &m->durable);
    fx_persist(e);
    if (ch->kind->reaches(e, m))
        engine_tell_member(e, m, ME_MUK);
    else
        fx_audit_member(e, m, CORE_AUDIT_MEMBER_UNICAST, CORE_REASON_NONE, ch->kind->without);
    engine_end(e);
    return POC_OK;
}

static core_member *memberships(const core_engine *e, poc_span user)
{
    const core_user *u = poc_table_get(&e->users, user);
    return u == NULL ? NULL : u->memberships;
}

static bool is_of(const core_channel *ch, uint8_t service)
{
    return ch->scope != NULL && ch->scope->service == service;
}

/* Of a service for which the user has no key of its own. */
static bool is_served_by_another(const core_engine *e, const core_member *m)
{
    return m->channel->scope != NULL && book_find(e, name_of(m), m->channel->scope->service) == NULL;
}

void kind_uploaded(core_engine *e, poc_span user, uint8_t service)
{
    for (core_member *m = memberships(e, user); m != NULL; m = m->next_of_user) {
        if (!is_of(m->channel, service) && !is_served_by_another(e, m))
            continue;
        if (member_cell((member_state)m->state, ME_MUK_GONE))
            engine_tell_member(e, m, ME_MUK_GONE);
        if (m->channel->kind->reaches(e, m))
            engine_tell_member(e, m, ME_MUK);
    }
}

void kind_logged_off(core_engine *e, poc_span user, uint8_t service)
{
    for (core_member *m = memberships(e, user); m != NULL; m = m->next_of_user)
        if (is_of(m->channel, service) || is_served_by_another(e, m))
            engine_tell_member(e, m, ME_LEFT);
}

/* ---- one user, several public identities ---- */

static poc_span service_id(const core_engine *e, const core_channel *ch, poc_span impu)
{
    const core_book *b = ch->scope == NULL ? NULL : book_for(e, impu, ch->scope->service);
    return b == NULL ? (poc_span){ NULL, 0 } : poc_span_str(b->mc_id);
}

core_bar *kind_bar_get(const core_engine *e, const core_channel *ch, poc_span name)
{
    const poc_span id = service_id(e, ch, name);
    return id.n == 0 ? NULL : bars_get(ch, id);
}

poc_err kind_bar(core_engine *e, core_channel *ch, poc_span name, bool is_firm)
{
    const poc_span id = service_id(e, ch, name);
    if (id.n == 0)
        return POC_OK;
    POC_TRY(bars_reserve(e, ch, id));
    bars_put(e, ch, id, is_firm);
    return POC_OK;
}

void kind_expel_aliases(core_engine *e, core_channel *ch, poc_span name, const core_event *event)
{
    const poc_span own = service_id(e, ch, name), id = own.n > 0 ? own : name;
    for (uint32_t i = 0; ch->scope != NULL && i < ch->count;) {
        core_member *m = ch->members[i];
        if (poc_span_eq(service_id(e, ch, name_of(m)), id))
            (void)member_step(e, m, event);
        i += i < ch->count && ch->members[i] == m;
    }
}

void kind_admitted(core_engine *e, core_channel *ch)
{
    for (uint32_t i = 0; ch->scope != NULL && i < ch->count; i++) {
        core_member *m = ch->members[i];
        if (m->state == M_WAIT_KEY && ch->kind->reaches(e, m))
            engine_tell_member(e, m, ME_MUK);
    }
}

static poc_err revocation_answered(core_engine *e, poc_span user, uint64_t number, bool ok)
{
    for (core_member *m = memberships(e, user); m != NULL; m = m->next_of_user)
        if (revoke_answered(e, m, number, ok))
            return POC_OK;
    return POC_E_STATE;
}

poc_err kind_answered(core_engine *e, poc_span user, uint64_t number, bool ok)
{
    core_member *m = memberships(e, user);
    while (m != NULL && (m->channel->scope == NULL || m->offer != number || !m->emitted))
        m = m->next_of_user;
    if (m == NULL)
        return revocation_answered(e, user, number, ok);
    if (seal_key(m->channel, m->offered_id) == NULL)
        return POC_E_STATE;
    const core_event event = { .type = ok ? ME_ACCEPTED : ME_TIMEOUT, .for_member = true, .lines = ok };
    return member_step(e, m, &event);
}
