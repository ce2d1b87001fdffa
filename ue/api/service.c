/* The services a client uses: where it is registered, which keys it lacks, when it asks for them, and when it gives up
 * (TS 33.246 6.3.2; CR "push and pull", 6.3.1). What is asked for is only noted here; http.c carries it. */
#include <string.h>

#include "ue/api/inside.h"

enum {
    TRIES_MAX = 5,           /* without an answer, or with a grant and no key after it */
    RETRY_MS = 1000,         /* after the first of them; doubled each time */
    AWAIT_MS = 30000,        /* a granted MSK comes in this time, retransmissions of the PF included, or not at all */
    REFUSED_WAIT_MS = 60000, /* whoever was refused an MSK does not ask for it again so soon */
};

static const char default_path[] = "/keymanagement";

/* ---- knowing services ---- */

static size_t service_index(const pocue *ue, const char *id)
{
    size_t at = 0;
    while (at < ue->service_count && strcmp(ue->services[at].id, id) != 0)
        at++;
    return at;
}

static service *service_find(pocue *ue, const char *id)
{
    size_t at = service_index(ue, id);
    return at < ue->service_count ? &ue->services[at] : NULL;
}

static bool has_key_group(const pocue *ue, const service *s)
{
    for (size_t i = 0; i < ue->service_count; i++)
        if (ue->services[i].key_group == s->key_group && poc_key_domain_eq(ue->services[i].key_domain, s->key_domain))
            return true;
    return false;
}

static poc_err text_copy(char *out, size_t cap, const char *text)
{
    if (text == NULL || text[0] == '\0' || strlen(text) >= cap)
        return POC_E_INPUT;
    memcpy(out, text, strlen(text) + 1);
    return POC_OK;
}

/* Both go into texts of which others are made: URIs, without white space or controls, and a path that quotes as it is. */
static bool is_plain(const char *text, const char *but_not)
{
    for (; *text != '\0'; text++)
        if ((uint8_t)*text <= ' ' || *text == 0x7F || strchr(but_not, *text) != NULL)
            return false;
    return true;
}

poc_err pocue_service_add(pocue *ue, const pocue_service *announced)
{
    service s = { .key_domain = announced->key_domain,
                  .key_group = announced->key_group,
                  .wait_ms = (int64_t)announced->wait_time_s * 1000,
                  .max_back_off_ms = (int64_t)announced->max_back_off_s * 1000,
                  .has_channel = announced->channel != NULL };
    POC_TRY(text_copy(s.id, sizeof(s.id), announced->service_id));
    POC_TRY(text_copy(s.path, sizeof(s.path), announced->path != NULL ? announced->path : default_path));
    if (!is_plain(s.id, "") || !is_plain(s.path, "\"\\?#") || s.path[0] != '/')
        return POC_E_INPUT;
    if (service_find(ue, s.id) != NULL || has_key_group(ue, &s))
        return POC_E_STATE;
    if (ue->service_count == POCUE_SERVICES_MAX)
        return POC_E_LIMIT;
    if (s.has_channel) {
        s.channel = *announced->channel;
        s.channel.key_domain = s.key_domain;
    }
    ue->services[ue->service_count++] = s;
    return POC_OK;
}

bool pocue_is_registered(const pocue *ue, const char *service_id)
{
    size_t at = service_index(ue, service_id);
    return at < ue->service_count && ue->services[at].state == SERVICE_IN;
}

/* ---- where its keys are ---- */

/* The session is that of the service when it came with the same keys, or told the channel that was announced. */
static bool is_of_session(const pocue *ue, const service *s)
{
    const reception *r = ue->session;
    if (r == NULL || !ue_ring_serves(r->ring, s->key_domain))
        return false;
    return s->has_channel ? r->has_channel && ue_channel_eq(&r->channel, &s->channel)
                          : ue_ring_is_of(r->ring, s->key_group);
}

reception *ue_service_reception(pocue *ue, const service *s)
{
    if (s->reception != NULL)
        return s->reception;
    return is_of_session(ue, s) ? ue->session : NULL;
}

poc_err ue_service_reception_make(pocue *ue, service *s, reception **out)
{
    *out = ue_service_reception(ue, s);
    if (*out == NULL) {
        ue_ring *ring;
        POC_TRY(ue_ring_new(&ring, s->key_domain, ue->msks_per_group));
        ue_ring_expect(ring, s->key_group);
        *out = ue_reception_new(ue, ring);
        (*out)->has_channel = s->has_channel;
        (*out)->channel = s->channel;
    }
    if (s->state == SERVICE_ENTERING || s->state == SERVICE_IN)
        s->reception = *out;
    return POC_OK;
}

/* Its keys are of use: the client is a user of it, or its session is on the same channel. */
static bool is_used(const pocue *ue, const service *s)
{
    return s->state == SERVICE_ENTERING || s->state == SERVICE_IN || is_of_session(ue, s);
}

service *ue_service_of_key(pocue *ue, poc_key_domain key_domain, poc_msk_id id)
{
    for (size_t i = 0; i < ue->service_count; i++) {
        service *s = &ue->services[i];
        if (is_used(ue, s) && s->key_group == poc_msk_group(id) && poc_key_domain_eq(s->key_domain, key_domain))
            return s;
    }
    return NULL;
}

static bool has_valid_msk(pocue *ue, const service *s)
{
    const reception *r = ue_service_reception(ue, s);
    return r != NULL && ue_ring_has_valid(r->ring, s->key_group);
}

/* ---- what is to be asked for, and when ---- */

errand *ue_service_errand(service *s, ue_keyman_kind kind)
{
    return kind == UE_KEYMAN_MSK ? &s->pull : &s->entry;
}

bool ue_service_is_due(const service *s, int64_t now_ms, ue_keyman_kind kind)
{
    const errand *e = kind == UE_KEYMAN_MSK ? &s->pull : &s->entry;
    if (kind != UE_KEYMAN_MSK && (s->state == SERVICE_LEAVING) != (kind == UE_KEYMAN_DEREGISTER))
        return false;
    return e->wanted && e->due_ms <= now_ms;
}

static void errand_set(errand *e, int64_t due_ms)
{
    *e = (errand){ .wanted = true, .is_sent = e->is_sent, .due_ms = due_ms };
}

/* Evenly in 0..max_ms. Chance that cannot be had is no reason to be early. */
static int64_t uniform_ms(pocue *ue, int64_t max_ms)
{
    uint64_t chance;
    if (max_ms <= 0 || ue->rng.fill(ue->rng.ctx, &chance, sizeof(chance)) != POC_OK)
        return max_ms;
    return (int64_t)(chance % ((uint64_t)max_ms + 1));
}

static poc_msk_id current_of(const service *s)
{
    return poc_msk_id_of(s->key_group, 0);
}

/* Two different MSKs wanted at once, of which one may be an attacker's invention: the current one settles it. */
static poc_msk_id pull_id_with(const service *s, poc_msk_id id)
{
    return s->pull.wanted && s->pull_id != id ? current_of(s) : id;
}

static void pull_now(service *s, int64_t now_ms, poc_msk_id id)
{
    s->pull_id = pull_id_with(s, id);
    errand_set(&s->pull, now_ms);
}

static bool is_on_its_way(const service *s, int64_t now_ms, poc_msk_id id)
{
    return now_ms < s->awaited_until_ms && (s->awaited_id == id || poc_msk_number(s->awaited_id) == 0);
}

static bool was_refused(const service *s, int64_t now_ms, poc_msk_id id)
{
    return now_ms < s->refused_until_ms && s->refused_id == id;
}

/* Everybody who missed the same key update is here at the same moment (MBMS-14). */
static void pull_later(pocue *ue, int64_t now_ms, service *s, poc_msk_id id)
{
    if (s->pull.wanted) {
        s->pull_id = pull_id_with(s, id);
        return;
    }
    if (s->pull.is_sent || is_on_its_way(s, now_ms, id) || was_refused(s, now_ms, id))
        return;
    s->pull_id = id;
    errand_set(&s->pull, now_ms + s->wait_ms + uniform_ms(ue, s->max_back_off_ms));
}

void ue_service_missed(pocue *ue, int64_t now_ms, const reception *r, poc_msk_id id)
{
    for (size_t i = 0; i < ue->service_count; i++) {
        service *s = &ue->services[i];
        bool may_ask = s->state == SERVICE_IN || (s->state == SERVICE_OUT && r == ue->session);
        if (may_ask && s->key_group == poc_msk_group(id) && ue_service_reception(ue, s) == r)
            pull_later(ue, now_ms, s, id);
    }
}

void ue_service_solicited(pocue *ue, int64_t now_ms, poc_key_domain key_domain, poc_msk_id id)
{
    for (size_t i = 0; i < ue->service_count; i++) {
        service *s = &ue->services[i];
        bool is_meant = id == 0 || s->key_group == poc_msk_group(id);
        if (s->state != SERVICE_LEAVING && is_used(ue, s) && is_meant && poc_key_domain_eq(s->key_domain, key_domain))
            pull_now(s, now_ms, current_of(s));
    }
}

/* A request for the current MSK is made even so: the PF may want to see the client rather than to give a key (MBMS-11). */
void ue_service_keyed(service *s, poc_msk_id id)
{
    if (poc_msk_number(s->pull_id) != 0 && !ue_key_number_after(poc_msk_number(s->pull_id), poc_msk_number(id)))
        s->pull.wanted = false;
    if (poc_msk_number(s->awaited_id) != 0 && ue_key_number_after(poc_msk_number(s->awaited_id), poc_msk_number(id)))
        return;
    s->awaited_until_ms = 0;
    s->pull.tries = 0;
}

/* ---- leaving ---- */

static void service_forget(pocue *ue, int64_t now_ms, service *s)
{
    reception *r = s->reception;
    s->pull.wanted = false;
    s->awaited_until_ms = s->refused_until_ms = 0;
    if (ue->keep_keys)
        return;
    s->reception = NULL;
    ue_reception_release(ue, now_ms, r);
}

static void tell(pocue *ue, int64_t now_ms, pocue_event_type type, const service *s, poc_msk_id id, int status)
{
    ue_events_push(
        &ue->events,
        &(pocue_event){ .type = type, .at_ms = now_ms, .msk_id = id, .service_id = s->id, .status = status });
}

/*= CR to TS 33.246, 6.3.1: "If the UE fails to get hold of the MSK or receives confirmation that no updated MSK is necessary
 *  or available at this time, then, unless the UE has a still-valid, older MSK, the UE shall leave the MBMS user service." */
static void leave_without_msk(pocue *ue, int64_t now_ms, service *s)
{
    reception *r = ue_service_reception(ue, s);
    bool is_of_session_too = r != NULL && r == ue->session;
    if ((s->state != SERVICE_IN && !is_of_session_too) || has_valid_msk(ue, s))
        return;
    s->state = SERVICE_OUT;
    s->entry.wanted = false;
    ue_events_push(&ue->events, &(pocue_event){ .type = POCUE_SERVICE_LEFT,
                                                .at_ms = now_ms,
                                                .service_id = s->id,
                                                .of_session = is_of_session_too });
    if (is_of_session_too && !ue->keep_keys)
        ue_reception_leave(ue, now_ms, r);
    service_forget(ue, now_ms, s);
}

/* ---- what the owner asks for ---- */

poc_err pocue_register(pocue *ue, int64_t now_ms, const char *service_id, bool in)
{
    service *s = service_find(ue, service_id);
    if (s == NULL)
        return POC_E_STATE;
    POC_TRY(ue_events_reserve(&ue->events, 1)); /* LEAVE_GROUP */
    ue->now_ms = now_ms;
    errand_set(&s->entry, now_ms);
    if (in && s->state != SERVICE_IN)
        s->state = SERVICE_ENTERING;
    if (!in) {
        s->state = SERVICE_LEAVING;
        service_forget(ue, now_ms, s);
    }
    return POC_OK;
}

void pocue_moved(pocue *ue, int64_t now_ms)
{
    ue->now_ms = now_ms;
    for (size_t i = 0; i < ue->service_count; i++)
        if (ue->services[i].state == SERVICE_IN)
            errand_set(&ue->services[i].entry, now_ms);
}

poc_err pocue_request_msk(pocue *ue, int64_t now_ms, const char *service_id, poc_msk_id id)
{
    service *s = service_find(ue, service_id);
    if (s == NULL)
        return POC_E_STATE;
    if (id == 0)
        id = current_of(s);
    if (poc_msk_group(id) != s->key_group)
        return POC_E_INPUT;
    ue->now_ms = now_ms;
    pull_now(s, now_ms, id);
    return POC_OK;
}

/* ---- what becomes of it ---- */

static void await_key(service *s, int64_t now_ms, poc_msk_id id)
{
    s->awaited_id = id;
    s->awaited_until_ms = now_ms + AWAIT_MS;
}

/* Registration makes the PF push the current MSK (TS 33.246 6.3.2.1A). */
static void registered(pocue *ue, int64_t now_ms, service *s, const ue_keyman_item *item)
{
    reception *r;
    if (s->state == SERVICE_LEAVING)
        return;
    if (s->state == SERVICE_OUT) /* it left meanwhile, and the PF does not know yet */
        s->state = SERVICE_ENTERING;
    if (ue_service_reception_make(ue, s, &r) != POC_OK) {
        ue_service_failed(ue, now_ms, s, UE_KEYMAN_REGISTER, item);
        return;
    }
    s->state = SERVICE_IN;
    tell(ue, now_ms, POCUE_REGISTERED, s, 0, item->status);
    if (r->has_channel)
        ue_reception_join(ue, now_ms, r, &r->channel);
    if (!has_valid_msk(ue, s))
        await_key(s, now_ms, current_of(s));
}

static void deregistered(pocue *ue, int64_t now_ms, service *s, const ue_keyman_item *item)
{
    if (s->state != SERVICE_LEAVING)
        return;
    s->state = SERVICE_OUT;
    tell(ue, now_ms, POCUE_DEREGISTERED, s, 0, item->status);
}

static void granted(pocue *ue, int64_t now_ms, service *s, const ue_keyman_item *item)
{
    if (s->state == SERVICE_LEAVING)
        return;
    tell(ue, now_ms, POCUE_GRANTED, s, item->msk_id, item->status);
    await_key(s, now_ms, item->msk_id);
}

static void entry_denied(pocue *ue, int64_t now_ms, service *s)
{
    if (s->entry.wanted) /* the owner wants something else by now */
        return;
    if (s->state == SERVICE_IN) { /* a refreshment */
        leave_without_msk(ue, now_ms, s);
        return;
    }
    s->state = SERVICE_OUT;
    service_forget(ue, now_ms, s);
}

static void pull_denied(pocue *ue, int64_t now_ms, service *s, const ue_keyman_item *item)
{
    if (s->state == SERVICE_LEAVING)
        return;
    s->refused_id = item->msk_id;
    s->refused_until_ms = now_ms + REFUSED_WAIT_MS;
    s->pull.tries = 0;
    leave_without_msk(ue, now_ms, s);
}

static void denied(pocue *ue, int64_t now_ms, service *s, ue_keyman_kind kind, const ue_keyman_item *item)
{
    tell(ue, now_ms, POCUE_DENIED, s, kind == UE_KEYMAN_MSK ? item->msk_id : 0, item->status);
    if (kind == UE_KEYMAN_MSK)
        pull_denied(ue, now_ms, s, item);
    else
        entry_denied(ue, now_ms, s);
}

void ue_service_answered(pocue *ue, int64_t now_ms, service *s, ue_keyman_kind kind, const ue_keyman_item *item)
{
    static void (*const done[UE_KEYMAN_KINDS])(pocue *, int64_t, service *, const ue_keyman_item *) = {
        [UE_KEYMAN_REGISTER] = registered, [UE_KEYMAN_DEREGISTER] = deregistered, [UE_KEYMAN_MSK] = granted
    };
    if (item->status >= 500) {
        ue_service_failed(ue, now_ms, s, kind, item);
        return;
    }
    ue_service_errand(s, kind)->is_sent = false;
    if (item->status == 200)
        done[kind](ue, now_ms, s, item);
    else
        denied(ue, now_ms, s, kind, item);
}

void ue_service_again(service *s, ue_keyman_kind kind, const ue_keyman_item *item)
{
    errand *e = ue_service_errand(s, kind);
    e->is_sent = false;
    if (e->wanted) /* something newer is */
        return;
    e->wanted = true;
    if (kind == UE_KEYMAN_MSK)
        s->pull_id = item->msk_id;
}

static int64_t longest_ms(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

void ue_service_failed(pocue *ue, int64_t now_ms, service *s, ue_keyman_kind kind, const ue_keyman_item *item)
{
    errand *e = ue_service_errand(s, kind);
    e->is_sent = false;
    if (++e->tries >= TRIES_MAX) {
        e->tries = 0;
        denied(ue, now_ms, s, kind, item);
        return;
    }
    int64_t pause_ms = (int64_t)RETRY_MS << (e->tries - 1);
    int64_t wait_ms = longest_ms(s->wait_ms, longest_ms(pause_ms, ue->http.retry_after_ms));
    int64_t back_off_ms = longest_ms(s->max_back_off_ms, pause_ms);
    if (!e->wanted)
        e->due_ms = now_ms + wait_ms + uniform_ms(ue, back_off_ms);
    ue_service_again(s, kind, item);
}

void ue_services_tick(pocue *ue, int64_t now_ms)
{
    for (size_t i = 0; i < ue->service_count; i++) {
        service *s = &ue->services[i];
        ue_keyman_item item = { .msk_id = s->awaited_id };
        if (s->awaited_until_ms == 0 || now_ms < s->awaited_until_ms)
            continue;
        s->awaited_until_ms = 0;
        if (!s->pull.wanted && !s->pull.is_sent)
            ue_service_failed(ue, now_ms, s, UE_KEYMAN_MSK, &item);
    }
}
