/* Who is registered for mission critical services, until when, and which MuSiKs he is to have: those of every channel that
 * he may be in, and of the regions that he says he listens to. What a member holds is the engine's business. */
#include "pf/wire/mcx_desk.h"

#include <stdlib.h>
#include <string.h>

enum { USERS_DEFAULT = 100000, EXPIRES_DEFAULT_S = 3600, RETRY_MS = 1000 };

/* ---- life ---- */

poc_err wire_mcx_desk_new(wire_mcx_desk **out, const wire_mcx_rules *rules, pocpf *pf)
{
    *out = NULL;
    if (rules->authorise == NULL)
        return POC_E_INPUT;
    wire_mcx_desk *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return POC_E_NOMEM;
    d->rules = *rules;
    if (d->rules.users_max == 0)
        d->rules.users_max = USERS_DEFAULT;
    if (d->rules.expires_s == 0)
        d->rules.expires_s = EXPIRES_DEFAULT_S;
    d->pf = pf;
    d->last = &d->first;
    d->next_ms = INT64_MAX;
    poc_table_init(&d->accounts, rules->seed);
    *out = d;
    return POC_OK;
}

static void account_free(mcx_account *a)
{
    free(a->mc_id);
    free(a);
}

/* A ticket is that of one or more keys. */
static void pending_free(mcx_pending *p)
{
    if (--p->ticket->keys == 0)
        free(p->ticket);
    free(p->mc_id);
    free(p);
}

void wire_mcx_desk_free(wire_mcx_desk *d)
{
    size_t at = 0;
    if (d == NULL)
        return;
    for (mcx_pending *p = d->first, *next; p != NULL; p = next) {
        next = p->next;
        pending_free(p);
    }
    for (mcx_account *a; (a = poc_table_next(&d->accounts, &at)) != NULL;)
        account_free(a);
    poc_table_done(&d->accounts);
    for (size_t i = 0; i < d->channel_count; i++)
        free(d->channels[i]);
    free(d->channels);
    free(d);
}

/* ---- accounts ---- */

mcx_account *mcx_account_find(const wire_mcx_desk *d, const char *impu, mcx_service service)
{
    char label[POC_URI_MAX + 1];
    poc_wr wr = poc_wr_into(label, sizeof(label));
    poc_wr_put(&wr, impu, strlen(impu) + 1);
    poc_wr_u8(&wr, (uint8_t)service);
    return poc_wr_done(&wr) == POC_OK ? poc_table_get(&d->accounts, poc_span_of(label, wr.len)) : NULL;
}

mcx_account *mcx_account_at(const wire_mcx_desk *d, const char *impu, size_t i)
{
    for (mcx_service s = MCX_MCPTT; s < MCX_SERVICES; s++) {
        mcx_account *a = mcx_account_find(d, impu, s);
        if (a != NULL && a->services != 0 && i-- == 0)
            return a;
    }
    return NULL;
}

mcx_account *mcx_account_of(const wire_mcx_desk *d, const char *impu, mcx_service service)
{
    mcx_account *a;
    for (size_t i = 0; (a = mcx_account_at(d, impu, i)) != NULL; i++)
        if ((a->services & WIRE_MCX_SERVICE_BIT(service)) != 0)
            return a;
    return NULL;
}

/* What keys that are not durable yet are for. */
static uint32_t awaited(const wire_mcx_desk *d, const mcx_account *a)
{
    uint32_t services = 0;
    for (const mcx_pending *p = a->waiting > 0 ? d->first : NULL; p != NULL; p = p->next)
        if (p->account == a)
            services |= p->services;
    return services;
}

uint32_t mcx_account_claims(const wire_mcx_desk *d, const mcx_account *a)
{
    return a->services | awaited(d, a);
}

static poc_span label_of(const mcx_account *a)
{
    return poc_span_of(a->impu, a->label_len);
}

static poc_err account_make(wire_mcx_desk *d, mcx_account **out, const char *impu, mcx_service service)
{
    const size_t len = strlen(impu) + 2;
    if (d->accounts.count >= d->rules.users_max)
        return POC_E_LIMIT;
    mcx_account *a = calloc(1, sizeof(*a) + len);
    if (a == NULL)
        return POC_E_NOMEM;
    *a = (mcx_account){ .service = service, .expires_ms = INT64_MAX, .label_len = len };
    memcpy(a->impu, impu, len - 1);
    a->impu[len - 1] = (char)service;
    a->mc_id = mcx_texts("", "", &a->where);
    const poc_err err = a->mc_id == NULL ? POC_E_NOMEM : poc_table_put(&d->accounts, label_of(a), a);
    if (err != POC_OK)
        account_free(a);
    else
        *out = a;
    return err;
}

poc_err mcx_account_take(wire_mcx_desk *d, mcx_account **out, const char *impu, mcx_service service)
{
    *out = mcx_account_find(d, impu, service);
    return *out != NULL ? POC_OK : account_make(d, out, impu, service);
}

void mcx_account_drop(wire_mcx_desk *d, mcx_account *a)
{
    if (a->services != 0 || a->waiting > 0)
        return;
    (void)poc_table_remove(&d->accounts, label_of(a));
    account_free(a);
}

char *mcx_texts(const char *mc_id, const char *where, const char **where_out)
{
    const size_t n = strlen(mc_id) + 1, m = strlen(where) + 1;
    char *texts = malloc(n + m);
    if (texts == NULL)
        return NULL;
    memcpy(texts, mc_id, n);
    memcpy(texts + n, where, m);
    *where_out = texts + n;
    return texts;
}

/* ---- who may be where ---- */

bool mcx_account_may(const wire_mcx_desk *d, const mcx_account *a, const wire_mcx_channel *c)
{
    const wire_mcx_rules *r = &d->rules;
    return (a->services & WIRE_MCX_SERVICE_BIT(c->service)) != 0 &&
           (c->is_open || (r->listed != NULL && r->listed(r->user, c->id, a->mc_id))) &&
           !pocpf_is_barred(d->pf, c->id, a->impu) && !pocpf_is_barred(d->pf, c->id, a->mc_id);
}

static bool is_in(const wire_mcx_desk *d, const mcx_account *a, const char *channel)
{
    pocpf_member_status member = { .size = sizeof(member) };
    return pocpf_member_look(d->pf, channel, a->impu, &member) == POCPF_OK;
}

/* What is of another account of the IMPU is left to that. */
static bool is_anothers(const wire_mcx_desk *d, const mcx_account *a, mcx_service service)
{
    const mcx_account *owner = mcx_account_of(d, a->impu, service);
    return owner != NULL && owner != a;
}

/* What the engine has no memory for is made up for by the next registration. */
static void sync(wire_mcx_desk *d, int64_t now_ms, const mcx_account *a, const wire_mcx_channel *c)
{
    const bool may = mcx_account_may(d, a, c), in = is_in(d, a, c->id);
    if (in && !may)
        (void)pocpf_member_departed(d->pf, now_ms, c->id, a->impu, POCPF_LEFT);
    else if (!in && may && !c->has_tmgi)
        (void)pocpf_mcx_joined(d->pf, now_ms, c->id, a->impu);
}

void mcx_account_sync(wire_mcx_desk *d, int64_t now_ms, mcx_account *a)
{
    bool skips[MCX_SERVICES];
    for (mcx_service s = MCX_MCPTT; s < MCX_SERVICES; s++)
        skips[s] = is_anothers(d, a, s);
    for (size_t i = 0; i < d->channel_count; i++)
        if (!skips[d->channels[i]->is.service])
            sync(d, now_ms, a, &d->channels[i]->is);
}

/* ---- registration ---- */

void mcx_account_keys(mcx_account *a, uint32_t csk_id)
{
    if (csk_id == 0 || csk_id == a->csk_id)
        return;
    a->previous_csk_id = a->csk_id;
    a->csk_id = csk_id;
}

static poc_err give_up(wire_mcx_desk *d, int64_t now_ms, mcx_account *a, uint32_t services);

/* The latest key for a service is the one that counts. */
static void claim(wire_mcx_desk *d, int64_t now_ms, const mcx_account *winner, uint32_t services)
{
    for (mcx_service s = MCX_MCPTT; s < MCX_SERVICES; s++) {
        mcx_account *a = mcx_account_find(d, winner->impu, s);
        if (a != NULL && a != winner && (a->services & services) != 0)
            (void)give_up(d, now_ms, a, services);
    }
}

void mcx_account_register(wire_mcx_desk *d, int64_t now_ms, mcx_account *a, uint32_t services, uint32_t expires_s,
                          char *mc_id, const char *where)
{
    const bool is_same = strcmp(a->mc_id, mc_id) == 0;
    free(a->mc_id);
    a->mc_id = mc_id;
    a->where = where;
    a->services = is_same ? a->services | services : services;
    a->expires_ms = now_ms + (int64_t)expires_s * 1000;
    if (a->expires_ms < d->next_ms)
        d->next_ms = a->expires_ms;
    claim(d, now_ms, a, services);
    mcx_account_sync(d, now_ms, a);
}

static void leave_channels(wire_mcx_desk *d, int64_t now_ms, const mcx_account *a)
{
    for (size_t i = 0; i < d->channel_count; i++)
        if ((a->services & WIRE_MCX_SERVICE_BIT(d->channels[i]->is.service)) != 0)
            (void)pocpf_member_departed(d->pf, now_ms, d->channels[i]->id, a->impu, POCPF_LEFT);
}

/* The engine lets go of the key and of what it was for; it may have done so already, and the key been for more. */
static poc_err log_off(wire_mcx_desk *d, int64_t now_ms, mcx_account *a)
{
    const pocpf_err err = pocpf_mcx_service_left(d->pf, now_ms, a->impu, (uint8_t)a->service);
    if (err != POCPF_OK && err != POCPF_E_STATE)
        return (poc_err)err;
    leave_channels(d, now_ms, a);
    a->services = 0;
    a->csk_id = a->previous_csk_id = 0;
    a->expires_ms = INT64_MAX;
    a->mc_id[0] = '\0';
    mcx_account_drop(d, a);
    return POC_OK;
}

/* What it waits for came later than what takes these services away: it stays. */
static poc_err give_up(wire_mcx_desk *d, int64_t now_ms, mcx_account *a, uint32_t services)
{
    if ((a->services & ~services) == 0 && awaited(d, a) == 0)
        return log_off(d, now_ms, a);
    a->services &= ~services;
    if (a->services == 0)
        a->expires_ms = INT64_MAX;
    mcx_account_sync(d, now_ms, a);
    return POC_OK;
}

poc_err mcx_account_leave(wire_mcx_desk *d, int64_t now_ms, mcx_account *a, uint32_t services)
{
    const bool is_all = (mcx_account_claims(d, a) & ~services) == 0, waits = a->waiting > 0;
    if (is_all)
        POC_TRY(log_off(d, now_ms, a));
    for (mcx_pending *p = waits ? d->first : NULL; p != NULL; p = p->next)
        if (p->account == a)
            p->services &= ~services;
    return is_all ? POC_OK : give_up(d, now_ms, a, services);
}

poc_err wire_mcx_desk_log_off(wire_mcx_desk *d, int64_t now_ms, const char *impu)
{
    poc_err err = POC_E_STATE;
    for (mcx_service s = MCX_MCPTT; s < MCX_SERVICES; s++) {
        mcx_account *a = mcx_account_find(d, impu, s);
        if (a == NULL || mcx_account_claims(d, a) == 0)
            continue;
        POC_TRY(mcx_account_leave(d, now_ms, a, MCX_ALL_SERVICES));
        err = POC_OK;
    }
    return err;
}

/* ---- channels ---- */

static size_t channel_place(const wire_mcx_desk *d, const char *id)
{
    size_t i = 0;
    while (i < d->channel_count && strcmp(d->channels[i]->id, id) != 0)
        i++;
    return i;
}

static poc_err channel_add(wire_mcx_desk *d, const char *id)
{
    mcx_desk_channel **more = realloc(d->channels, (d->channel_count + 1) * sizeof(*more));
    if (more == NULL)
        return POC_E_NOMEM;
    d->channels = more;
    mcx_desk_channel *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return POC_E_NOMEM;
    memcpy(c->id, id, strlen(id) + 1);
    d->channels[d->channel_count++] = c;
    return POC_OK;
}

poc_err wire_mcx_desk_channel(wire_mcx_desk *d, int64_t now_ms, const wire_mcx_channel *channel)
{
    const size_t place = channel_place(d, channel->id);
    size_t at = 0;
    if (strlen(channel->id) >= sizeof(d->channels[0]->id))
        return POC_E_LIMIT;
    if (place == d->channel_count)
        POC_TRY(channel_add(d, channel->id));
    mcx_desk_channel *c = d->channels[place];
    c->is = *channel;
    c->is.id = c->id;
    for (const mcx_account *a; (a = poc_table_next(&d->accounts, &at)) != NULL;)
        if (!is_anothers(d, a, c->is.service))
            sync(d, now_ms, a, &c->is);
    return POC_OK;
}

void wire_mcx_desk_channel_remove(wire_mcx_desk *d, int64_t now_ms, const char *id)
{
    const size_t place = channel_place(d, id);
    size_t at = 0;
    if (place == d->channel_count)
        return;
    for (const mcx_account *a; (a = poc_table_next(&d->accounts, &at)) != NULL;)
        (void)pocpf_member_departed(d->pf, now_ms, id, a->impu, POCPF_LEFT);
    free(d->channels[place]);
    d->channels[place] = d->channels[--d->channel_count];
}

/* ---- after a restart ---- */

static poc_err account_restore(wire_mcx_desk *d, int64_t now_ms, const pocpf_csk_status *csk)
{
    mcx_account *a;
    const char *where;
    POC_TRY(mcx_account_take(d, &a, csk->impu, (mcx_service)csk->service));
    char *mc_id = mcx_texts(csk->mc_id, "", &where);
    if (mc_id == NULL) {
        mcx_account_drop(d, a);
        return POC_E_NOMEM;
    }
    free(a->mc_id);
    a->mc_id = mc_id;
    a->where = where;
    a->services = WIRE_MCX_SERVICE_BIT(a->service);
    a->expires_ms = now_ms + (int64_t)d->rules.expires_s * 1000;
    mcx_account_keys(a, csk->csk_id);
    if (a->expires_ms < d->next_ms)
        d->next_ms = a->expires_ms;
    return POC_OK;
}

/* With one key for all he was authorised for the services of the channels that he is in. */
static void widen(wire_mcx_desk *d, mcx_account *a)
{
    for (size_t i = 0; i < d->channel_count; i++)
        if (is_in(d, a, d->channels[i]->id) && mcx_account_of(d, a->impu, d->channels[i]->is.service) == NULL)
            a->services |= WIRE_MCX_SERVICE_BIT(d->channels[i]->is.service);
}

poc_err wire_mcx_desk_restored(wire_mcx_desk *d, int64_t now_ms)
{
    pocpf_csk_status csk = { .size = sizeof(csk) };
    poc_err first = POC_OK;
    size_t at = 0;
    while (pocpf_csk_next(d->pf, &at, &csk)) {
        const poc_err err = account_restore(d, now_ms, &csk);
        if (first == POC_OK)
            first = err;
    }
    at = 0;
    for (mcx_account *a; (a = poc_table_next(&d->accounts, &at)) != NULL;) {
        widen(d, a);
        mcx_account_sync(d, now_ms, a);
    }
    return first;
}

/* ---- time ---- */

void wire_mcx_desk_tick(wire_mcx_desk *d, int64_t now_ms)
{
    size_t at = 0;
    if (now_ms < d->next_ms)
        return;
    d->next_ms = INT64_MAX;
    for (mcx_account *a; (a = poc_table_next(&d->accounts, &at)) != NULL;) {
        if (a->expires_ms <= now_ms && log_off(d, now_ms, a) == POC_OK)
            continue;
        if (a->expires_ms <= now_ms) /* no memory for it now */
            a->expires_ms = now_ms + RETRY_MS;
        if (a->expires_ms < d->next_ms)
            d->next_ms = a->expires_ms;
    }
}

/* To the second: when thousands end at about the same time, one walk finds them all. */
int64_t wire_mcx_desk_deadline_ms(const wire_mcx_desk *d)
{
    return d->next_ms > INT64_MAX - 1000 ? INT64_MAX : (d->next_ms + 999) / 1000 * 1000;
}

/* ---- a key is durable, or could not be kept ---- */

static mcx_pending *pending_remove(wire_mcx_desk *d, const char *user, uint32_t csk_id)
{
    for (mcx_pending **p = &d->first; *p != NULL; p = &(*p)->next) {
        mcx_pending *found = *p;
        if (found->csk_id != csk_id || strcmp(found->account->impu, user) != 0)
            continue;
        *p = found->next;
        if (d->last == &found->next)
            d->last = p;
        return found;
    }
    return NULL;
}

/* With a key of before he stays registered, else he is gone. */
static void settle(wire_mcx_desk *d, int64_t now_ms, mcx_account *a)
{
    pocpf_csk_status csk = { .size = sizeof(csk) };
    if (a->services == 0 ? a->waiting == 0 : pocpf_csk_of(d->pf, a->impu, (uint8_t)a->service, &csk) == POCPF_E_STATE)
        (void)log_off(d, now_ms, a); /* without memory: his registration ends in time */
}

static void answer_lost(mcx_ticket *t)
{
    wire_mcx_answer *a = &t->answer;
    a->is_authorised = false;
    a->why = "the key could not be kept";
    if (t->by_core)
        return;
    a->status = 503;
    a->phrase = "Service Unavailable";
    a->retry_after_s = 5;
    a->expires_s = 0;
}

/* As if it had been answered before the log-off came: it went through, and nothing of it is left. */
static void answer_overtaken(mcx_ticket *t)
{
    wire_mcx_answer *a = &t->answer;
    if (t->has_kept || a->status != 200 || !a->is_authorised)
        return;
    a->is_authorised = false;
    a->why = "overtaken by a log-off";
    a->expires_s = 0;
}

bool wire_mcx_desk_bound(wire_mcx_desk *d, int64_t now_ms, const char *user, uint32_t csk_id, bool ok,
                         wire_mcx_answer *answer)
{
    mcx_pending *p = pending_remove(d, user, csk_id);
    if (p == NULL)
        return false;
    mcx_account *a = p->account;
    const bool is_overtaken = p->services == 0;
    a->waiting--;
    if (ok)
        mcx_account_keys(a, csk_id);
    if (ok && !is_overtaken) {
        mcx_account_register(d, now_ms, a, p->services, p->expires_s, p->mc_id, p->where);
        p->mc_id = NULL;
        p->ticket->has_kept = true;
    } else {
        if (!is_overtaken)
            answer_lost(p->ticket);
        settle(d, now_ms, a);
    }
    const bool is_last = p->ticket->keys == 1;
    if (is_last) {
        answer_overtaken(p->ticket);
        *answer = p->ticket->answer;
    }
    pending_free(p);
    return is_last;
}

/* ---- looking ---- */

static void show(const mcx_account *a, wire_mcx_user *out)
{
    *out = (wire_mcx_user){ a->impu, a->mc_id, a->where, a->service, a->services, a->expires_ms };
}

bool wire_mcx_desk_look_for(const wire_mcx_desk *d, const char *impu, mcx_service service, wire_mcx_user *out)
{
    const mcx_account *a = mcx_account_of(d, impu, service);
    if (a == NULL)
        a = mcx_account_find(d, impu, service);
    if (a != NULL)
        show(a, out);
    return a != NULL;
}

bool wire_mcx_desk_look(const wire_mcx_desk *d, const char *impu, wire_mcx_user *out)
{
    const mcx_account *a = mcx_account_at(d, impu, 0);
    for (mcx_service s = MCX_MCPTT; a == NULL && s < MCX_SERVICES; s++)
        a = mcx_account_find(d, impu, s);
    if (a != NULL)
        show(a, out);
    return a != NULL;
}

bool wire_mcx_desk_next(const wire_mcx_desk *d, size_t *at, wire_mcx_user *out)
{
    const mcx_account *a;
    while ((a = poc_table_next(&d->accounts, at)) != NULL && a->services == 0)
        continue;
    if (a != NULL)
        show(a, out);
    return a != NULL;
}
