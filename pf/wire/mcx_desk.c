/* Who is registered for mission critical services, until when, and which MuSiKs he is to have: those of every channel that
 * he may be in, and of the regions that he says he listens to. What a member holds is the engine's business. */
#include "pf/wire/mcx_desk.h"

#include <stdlib.h>
#include <string.h>

enum { USERS_DEFAULT = 100000, EXPIRES_DEFAULT_S = 3600, RETRY_MS = 1000 };

static const char *const suffixes[MCX_SERVICES] = { [MCX_MCPTT] = ";mcptt", [MCX_MCVIDEO] = ";mcvideo" };

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

/* A canonical IMPU has no parameters: the names never meet. */
static void name_put(char out[WIRE_MCX_USER_MAX], const char *impu, const char *suffix)
{
    poc_wr wr = poc_wr_into(out, WIRE_MCX_USER_MAX);
    poc_wr_fmt(&wr, "%s%s", impu, suffix);
    if (poc_wr_text(&wr) != POC_OK)
        out[0] = '\0';
}

static mcx_account *named(const wire_mcx_desk *d, const char *name)
{
    return poc_table_get(&d->accounts, poc_span_str(name));
}

static mcx_account *with_suffix(const wire_mcx_desk *d, const char *impu, const char *suffix)
{
    char name[WIRE_MCX_USER_MAX];
    name_put(name, impu, suffix);
    return named(d, name);
}

mcx_account *mcx_account_at(const wire_mcx_desk *d, const char *impu, size_t i)
{
    for (size_t s = 0; s <= MCX_SERVICES; s++) {
        mcx_account *a = with_suffix(d, impu, s == 0 ? "" : suffixes[s - 1]);
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

mcx_account *mcx_account_find(const wire_mcx_desk *d, const char *impu, mcx_service service)
{
    mcx_account *a = with_suffix(d, impu, "");
    return a == NULL || a->service == service ? a : with_suffix(d, impu, suffixes[service]);
}

static poc_err account_make(wire_mcx_desk *d, mcx_account **out, const char *name, size_t impu_len, mcx_service service)
{
    const size_t n = strlen(name), room = n + 1 + impu_len + 1;
    if (d->accounts.count >= d->rules.users_max)
        return POC_E_LIMIT;
    mcx_account *a = calloc(1, sizeof(*a) + room);
    if (a == NULL)
        return POC_E_NOMEM;
    *a = (mcx_account){ .service = service, .expires_ms = INT64_MAX, .impu = a->name + n + 1 };
    poc_wr texts = poc_wr_into(a->name, room);
    poc_wr_put(&texts, name, n + 1);
    poc_wr_put(&texts, name, impu_len);
    poc_wr_u8(&texts, '\0');
    a->mc_id = mcx_texts("", "", &a->where);
    const poc_err err = a->mc_id == NULL ? POC_E_NOMEM : poc_table_put(&d->accounts, poc_span_str(a->name), a);
    if (err != POC_OK)
        account_free(a);
    else
        *out = a;
    return err;
}

poc_err mcx_account_take(wire_mcx_desk *d, mcx_account **out, const char *impu, mcx_service service)
{
    char name[WIRE_MCX_USER_MAX];
    *out = mcx_account_find(d, impu, service);
    if (*out != NULL)
        return POC_OK;
    name_put(name, impu, with_suffix(d, impu, "") == NULL ? "" : suffixes[service]);
    return name[0] == '\0' ? POC_E_LIMIT : account_make(d, out, name, strlen(impu), service);
}

void mcx_account_drop(wire_mcx_desk *d, mcx_account *a)
{
    if (a->services != 0 || a->waiting > 0)
        return;
    (void)poc_table_remove(&d->accounts, poc_span_str(a->name));
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

/* Who was expelled under one of his names is the same under the others. */
static bool is_barred(const wire_mcx_desk *d, const mcx_account *a, const char *channel)
{
    char name[WIRE_MCX_USER_MAX];
    bool barred = pocpf_is_barred(d->pf, channel, a->impu) || pocpf_is_barred(d->pf, channel, a->mc_id);
    for (size_t s = 0; s < MCX_SERVICES; s++) {
        name_put(name, a->impu, suffixes[s]);
        barred |= pocpf_is_barred(d->pf, channel, name);
    }
    return barred;
}

bool mcx_account_may(const wire_mcx_desk *d, const mcx_account *a, const wire_mcx_channel *c)
{
    const wire_mcx_rules *r = &d->rules;
    return (a->services & WIRE_MCX_SERVICE_BIT(c->service)) != 0 &&
           (c->is_open || (r->listed != NULL && r->listed(r->user, c->id, a->mc_id))) && !is_barred(d, a, c->id);
}

static bool is_in(const wire_mcx_desk *d, const mcx_account *a, const char *channel)
{
    pocpf_member_status member = { .size = sizeof(member) };
    return pocpf_member_look(d->pf, channel, a->name, &member) == POCPF_OK;
}

/* What the engine has no memory for is made up for by the next registration. */
static void sync(wire_mcx_desk *d, int64_t now_ms, const mcx_account *a, const wire_mcx_channel *c)
{
    const bool may = mcx_account_may(d, a, c), in = is_in(d, a, c->id);
    if (in && !may)
        (void)pocpf_member_departed(d->pf, now_ms, c->id, a->name, POCPF_LEFT);
    else if (!in && may && !c->has_tmgi)
        (void)pocpf_mcx_joined(d->pf, now_ms, c->id, a->name);
}

void mcx_account_sync(wire_mcx_desk *d, int64_t now_ms, mcx_account *a)
{
    for (size_t i = 0; i < d->channel_count; i++)
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

/* The latest key for a service is the one that counts. */
static void claim(wire_mcx_desk *d, int64_t now_ms, const mcx_account *winner, uint32_t services)
{
    mcx_account *of_impu[MCX_SERVICES + 1];
    size_t count = 0;
    while (count < POC_COUNT(of_impu) && (of_impu[count] = mcx_account_at(d, winner->impu, count)) != NULL)
        count++;
    for (size_t i = 0; i < count; i++)
        if (of_impu[i] != winner && (of_impu[i]->services & services) != 0)
            (void)mcx_account_leave(d, now_ms, of_impu[i], services);
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

/* Of one whose key the engine has let go of. */
static void leave_channels(wire_mcx_desk *d, int64_t now_ms, const mcx_account *a)
{
    for (size_t i = 0; i < d->channel_count; i++)
        (void)pocpf_member_departed(d->pf, now_ms, d->channels[i]->id, a->name, POCPF_LEFT);
}

static poc_err log_off(wire_mcx_desk *d, int64_t now_ms, mcx_account *a)
{
    const pocpf_err err = pocpf_mcx_logged_off(d->pf, now_ms, a->name);
    if (err == POCPF_E_STATE)
        leave_channels(d, now_ms, a);
    else if (err != POCPF_OK)
        return (poc_err)err;
    a->services = 0;
    a->csk_id = a->previous_csk_id = 0;
    a->expires_ms = INT64_MAX;
    a->mc_id[0] = '\0';
    mcx_account_drop(d, a);
    return POC_OK;
}

poc_err mcx_account_leave(wire_mcx_desk *d, int64_t now_ms, mcx_account *a, uint32_t services)
{
    if ((a->services & ~services) == 0)
        return log_off(d, now_ms, a);
    a->services &= ~services;
    mcx_account_sync(d, now_ms, a);
    return POC_OK;
}

poc_err wire_mcx_desk_log_off(wire_mcx_desk *d, int64_t now_ms, const char *user)
{
    mcx_account *a = named(d, user);
    return a == NULL || a->services == 0 ? POC_E_STATE : log_off(d, now_ms, a);
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
        (void)pocpf_member_departed(d->pf, now_ms, id, a->name, POCPF_LEFT);
    free(d->channels[place]);
    d->channels[place] = d->channels[--d->channel_count];
}

/* ---- after a restart ---- */

/* The IMPU in a name, and the service that stands behind it. */
static size_t impu_len_of(const char *name)
{
    const size_t n = strlen(name);
    for (size_t s = 0; s < MCX_SERVICES; s++) {
        const size_t m = strlen(suffixes[s]);
        if (n > m && strcmp(name + n - m, suffixes[s]) == 0)
            return n - m;
    }
    return n;
}

/* He was authorised for the services of all channels that he is in. */
static uint32_t services_of(const wire_mcx_desk *d, const mcx_account *a)
{
    uint32_t services = WIRE_MCX_SERVICE_BIT(a->service);
    for (size_t i = 0; i < d->channel_count; i++)
        if (is_in(d, a, d->channels[i]->id))
            services |= WIRE_MCX_SERVICE_BIT(d->channels[i]->is.service);
    return services;
}

static poc_err account_restore(wire_mcx_desk *d, int64_t now_ms, const pocpf_csk_status *csk)
{
    mcx_account *a = named(d, csk->impu);
    const char *where;
    if (a == NULL)
        POC_TRY(account_make(d, &a, csk->impu, impu_len_of(csk->impu), (mcx_service)csk->service));
    char *mc_id = mcx_texts(csk->mc_id, "", &where);
    if (mc_id == NULL) {
        mcx_account_drop(d, a);
        return POC_E_NOMEM;
    }
    free(a->mc_id);
    a->mc_id = mc_id;
    a->where = where;
    a->services = services_of(d, a);
    a->expires_ms = now_ms + (int64_t)d->rules.expires_s * 1000;
    if (a->expires_ms < d->next_ms)
        d->next_ms = a->expires_ms;
    return POC_OK;
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
    for (mcx_account *a; (a = poc_table_next(&d->accounts, &at)) != NULL;)
        mcx_account_sync(d, now_ms, a);
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
        if (found->csk_id != csk_id || strcmp(found->account->name, user) != 0)
            continue;
        *p = found->next;
        if (d->last == &found->next)
            d->last = p;
        return found;
    }
    return NULL;
}

/* With a key of before he stays registered, else he is gone. */
static void key_lost(wire_mcx_desk *d, int64_t now_ms, mcx_account *a)
{
    pocpf_csk_status csk = { .size = sizeof(csk) };
    if (a->services != 0 && pocpf_csk_look(d->pf, a->name, 0, &csk) == POCPF_E_STATE)
        (void)log_off(d, now_ms, a); /* without memory: his registration ends in time */
    else
        mcx_account_drop(d, a);
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

bool wire_mcx_desk_bound(wire_mcx_desk *d, int64_t now_ms, const char *user, uint32_t csk_id, bool ok,
                         wire_mcx_answer *answer)
{
    mcx_pending *p = pending_remove(d, user, csk_id);
    if (p == NULL)
        return false;
    mcx_account *a = p->account;
    a->waiting--;
    if (ok) {
        mcx_account_keys(a, csk_id);
        mcx_account_register(d, now_ms, a, p->services, p->expires_s, p->mc_id, p->where);
        p->mc_id = NULL;
    } else {
        answer_lost(p->ticket);
        key_lost(d, now_ms, a);
    }
    const bool is_last = p->ticket->keys == 1;
    if (is_last)
        *answer = p->ticket->answer;
    pending_free(p);
    return is_last;
}

/* ---- looking ---- */

static void show(const mcx_account *a, wire_mcx_user *out)
{
    *out = (wire_mcx_user){ a->name, a->impu, a->mc_id, a->where, a->service, a->services, a->expires_ms };
}

bool wire_mcx_desk_look(const wire_mcx_desk *d, const char *user, wire_mcx_user *out)
{
    const mcx_account *a = named(d, user);
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
