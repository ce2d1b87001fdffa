/* The conference as its focus sees it: documents of RFC 4575 are merged (4.6), and every departure is classified by the
 * table of digest "PoC" 3.4. A merge has two passes: the first makes rows for everything new, so that the second, which
 * changes what is known, cannot fail. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/core/model.h"

struct roster_endpoint {
    roster_endpoint *next;
    uint32_t mark;
    uint8_t status, method; /* core_conf_status, core_conf_method */
    uint8_t accounted;      /* roster_class: this departure has been told */
    bool in, by_other;
    uint16_t entity_len;
    char entity[];
};

void roster_init(core_roster *r, uint64_t seed)
{
    *r = (core_roster){ 0 };
    poc_table_init(&r->users, seed);
    poc_table_init(&r->by_uri, ~seed);
}

static void free_user(roster_user *u)
{
    for (roster_endpoint *ep = u->endpoints, *next; ep != NULL; ep = next) {
        next = ep->next;
        free(ep);
    }
    free(u);
}

void roster_done(core_roster *r)
{
    size_t at = 0;
    for (roster_user *u; (u = poc_table_next(&r->users, &at)) != NULL;)
        free_user(u);
    poc_table_done(&r->users);
    poc_table_done(&r->by_uri);
}

void roster_new_scope(core_roster *r)
{
    r->has_document = false;
    r->has_user_count = false;
}

/* ---- classification ---- */

static roster_class by_method(core_conf_method method, bool by_other)
{
    switch (method) {
    case CORE_METHOD_DEPARTED:
        return by_other ? CLASS_EXPELLED : CLASS_LEFT;
    case CORE_METHOD_BOOTED:
        return CLASS_EXPELLED;
    case CORE_METHOD_FAILED:
    case CORE_METHOD_BUSY:
    case CORE_METHOD_ABSENT:
        return CLASS_UNKNOWN;
    }
    return CLASS_UNKNOWN;
}

roster_class roster_classify(const roster_observation *seen)
{
    /* A rejected stranger was never in and holds nothing: he could force rekeys at will. */
    if (!seen->was_in && !seen->holds_key)
        return CLASS_NONE;
    if (seen->removed)
        return CLASS_UNKNOWN;
    if (seen->status == CORE_STATUS_DISCONNECTED)
        return by_method(seen->method, seen->by_other);
    /* While it is disconnecting the method may still be to come. */
    if (seen->status == CORE_STATUS_DISCONNECTING && seen->method != CORE_METHOD_ABSENT)
        return by_method(seen->method, seen->by_other);
    return CLASS_NONE;
}

static bool status_is_in(core_conf_status s)
{
    return s == CORE_STATUS_CONNECTED || s == CORE_STATUS_ON_HOLD || s == CORE_STATUS_MUTED;
}

/* ---- rows ---- */

static roster_endpoint *find_endpoint(const roster_user *u, poc_span entity)
{
    for (roster_endpoint *ep = u->endpoints; ep != NULL; ep = ep->next)
        if (poc_span_eq(poc_span_of(ep->entity, ep->entity_len), entity))
            return ep;
    return NULL;
}

static poc_span entity_of(const roster_user *u)
{
    return poc_span_of(u->entity, u->entity_len);
}

static poc_err index_uri(core_roster *r, roster_user *u)
{
    if (u->uri[0] == '\0')
        return POC_OK;
    roster_user *first = poc_table_get(&r->by_uri, poc_span_str(u->uri));
    if (first == NULL)
        return poc_table_put(&r->by_uri, poc_span_str(u->uri), u);
    u->next_same = first->next_same;
    first->next_same = u;
    return POC_OK;
}

static void unindex_uri(core_roster *r, roster_user *u)
{
    if (u->uri[0] == '\0')
        return;
    roster_user *first = poc_table_get(&r->by_uri, poc_span_str(u->uri));
    if (first != u) {
        while (first->next_same != u)
            first = first->next_same;
        first->next_same = u->next_same;
        return;
    }
    (void)poc_table_remove(&r->by_uri, poc_span_str(u->uri));
    if (u->next_same != NULL) /* without memory it is not found, hence not seen: the safe side */
        (void)poc_table_put(&r->by_uri, poc_span_str(u->next_same->uri), u->next_same);
}

static poc_err user_row(core_roster *r, poc_span entity, size_t max, roster_user **out)
{
    *out = poc_table_get(&r->users, entity);
    if (*out != NULL)
        return POC_OK;
    if (r->users.count >= max)
        return POC_E_LIMIT;
    roster_user *u = calloc(1, sizeof(*u) + entity.n + 1);
    if (u == NULL)
        return POC_E_NOMEM;
    u->entity_len = (uint16_t)entity.n;
    memcpy(u->entity, entity.p, entity.n);
    if (poc_uri_canonical(u->uri, entity) != POC_OK)
        u->uri[0] = '\0';
    poc_err err = poc_table_put(&r->users, entity_of(u), u);
    if (err == POC_OK && (err = index_uri(r, u)) != POC_OK)
        (void)poc_table_remove(&r->users, entity_of(u));
    if (err != POC_OK)
        free(u);
    *out = err == POC_OK ? u : NULL;
    return err;
}

static poc_err endpoint_row(core_roster *r, roster_user *u, poc_span entity, size_t max)
{
    if (find_endpoint(u, entity) != NULL)
        return POC_OK;
    if (r->endpoint_count >= max || u->endpoint_count >= CORE_ENDPOINTS_MAX)
        return POC_E_LIMIT;
    roster_endpoint *ep = calloc(1, sizeof(*ep) + entity.n + 1);
    if (ep == NULL)
        return POC_E_NOMEM;
    ep->entity_len = (uint16_t)entity.n;
    memcpy(ep->entity, entity.p, entity.n);
    ep->next = u->endpoints;
    u->endpoints = ep;
    u->endpoint_count++;
    r->endpoint_count++;
    return POC_OK;
}

/* First pass: rows that say nothing yet. */
static poc_err make_rows(core_roster *r, const core_conference *doc, size_t max)
{
    for (size_t i = 0; i < doc->users_listed; i++) {
        core_conf_user du;
        roster_user *u;
        doc->user_at(doc->users, i, &du);
        if (du.entity.n == 0 || du.entity.n > UINT16_MAX)
            return POC_E_INPUT;
        POC_TRY(user_row(r, du.entity, max, &u));
        for (size_t j = 0; j < du.endpoint_count; j++) {
            core_conf_endpoint de;
            doc->endpoint_at(du.endpoints, j, &de);
            if (de.entity.n > UINT16_MAX)
                return POC_E_INPUT;
            POC_TRY(endpoint_row(r, u, de.entity, max));
        }
    }
    return POC_OK;
}

/* ---- second pass ---- */

typedef struct merge {
    core_roster *roster;
    const roster_sink *sink;
    uint32_t gone; /* endpoints that this document explains away */
} merge;

static bool user_is_in(const roster_user *u)
{
    for (const roster_endpoint *ep = u->endpoints; ep != NULL; ep = ep->next)
        if (ep->in)
            return true;
    return false;
}

/* What his own dialog said before is not told twice; only an expulsion that shows behind a leave is. */
static void account(merge *mg, roster_user *u, roster_endpoint *ep, roster_class how)
{
    bool is_news = ep->accounted == CLASS_NONE || (ep->accounted == CLASS_LEFT && how == CLASS_EXPELLED);
    if (how == CLASS_NONE || !is_news)
        return;
    ep->accounted = (uint8_t)how;
    /* His other endpoint keeps a leaver in; an expulsion counts for the user, we cannot tell which device has the key. */
    if (how == CLASS_LEFT && user_is_in(u))
        return;
    mg->sink->departed(mg->sink->ctx, u, how);
}

static void observe(merge *mg, roster_user *u, roster_endpoint *ep, bool removed, bool was_in)
{
    roster_observation seen = { .removed = removed,
                                .status = (core_conf_status)ep->status,
                                .method = (core_conf_method)ep->method,
                                .by_other = ep->by_other,
                                .was_in = was_in || ep->accounted != CLASS_NONE,
                                .holds_key = mg->sink->holds_key(mg->sink->ctx, u) };
    account(mg, u, ep, roster_classify(&seen));
}

static void remove_endpoint(merge *mg, roster_user *u, roster_endpoint *ep)
{
    bool was_in = ep->in;
    mg->gone += was_in || ep->accounted != CLASS_NONE;
    ep->in = false;
    observe(mg, u, ep, true, was_in);
    roster_endpoint **at = &u->endpoints;
    while (*at != ep)
        at = &(*at)->next;
    *at = ep->next;
    free(ep);
    u->endpoint_count--;
    mg->roster->endpoint_count--;
}

static void remove_unmarked(merge *mg, roster_user *u, uint32_t mark)
{
    for (roster_endpoint *ep = u->endpoints, *next; ep != NULL; ep = next) {
        next = ep->next;
        if (ep->mark != mark)
            remove_endpoint(mg, u, ep);
    }
}

static void remove_user(merge *mg, roster_user *u)
{
    for (roster_endpoint *ep = u->endpoints, *next; ep != NULL; ep = next) {
        next = ep->next;
        remove_endpoint(mg, u, ep);
    }
    (void)poc_table_remove(&mg->roster->users, entity_of(u));
    unindex_uri(mg->roster, u);
    free(u);
}

static bool names_another(const roster_user *u, poc_span by)
{
    char uri[POC_URI_MAX];
    if (by.p == NULL || poc_span_eq(by, entity_of(u)))
        return false;
    return u->uri[0] == '\0' || poc_uri_canonical(uri, by) != POC_OK || strcmp(uri, u->uri) != 0;
}

static void apply_endpoint(merge *mg, roster_user *u, const core_conf_endpoint *de)
{
    roster_endpoint *ep = find_endpoint(u, de->entity);
    if (ep == NULL)
        return; /* listed twice, and removed by its first row */
    ep->mark = mg->roster->mark;
    if (de->state == CORE_CONF_DELETED) {
        remove_endpoint(mg, u, ep);
        return;
    }
    bool is_full = de->state == CORE_CONF_FULL, was_in = ep->in;
    if (de->status != CORE_STATUS_ABSENT)
        ep->status = (uint8_t)de->status;
    if (is_full || de->method != CORE_METHOD_ABSENT)
        ep->method = (uint8_t)de->method;
    if (is_full || de->by.p != NULL)
        ep->by_other = names_another(u, de->by);
    if (de->status == CORE_STATUS_ABSENT && ep->accounted != CLASS_NONE)
        return;
    ep->in = status_is_in((core_conf_status)ep->status);
    if (ep->in)
        ep->accounted = CLASS_NONE;
    mg->gone += !ep->in && (was_in || ep->accounted != CLASS_NONE);
    observe(mg, u, ep, false, was_in);
}

static void apply_user(merge *mg, const core_conference *doc, const core_conf_user *du)
{
    roster_user *u = poc_table_get(&mg->roster->users, du->entity);
    if (u == NULL)
        return; /* listed twice, and removed by its first row */
    u->mark = mg->roster->mark;
    if (du->state == CORE_CONF_DELETED) {
        remove_user(mg, u);
        return;
    }
    /* First the fresh mark on what is listed, so that "full" knows what it leaves out before anything is told. */
    for (size_t j = 0; j < du->endpoint_count; j++) {
        core_conf_endpoint de;
        doc->endpoint_at(du->endpoints, j, &de);
        apply_endpoint(mg, u, &de);
    }
    if (du->state == CORE_CONF_FULL)
        remove_unmarked(mg, u, mg->roster->mark);
    if (user_is_in(u))
        mg->sink->present(mg->sink->ctx, u);
}

static void apply_users(merge *mg, const core_conference *doc)
{
    core_roster *r = mg->roster;
    r->mark++;
    for (size_t i = 0; i < doc->users_listed; i++) {
        core_conf_user du;
        doc->user_at(doc->users, i, &du);
        if (doc->state == CORE_CONF_FULL && du.state == CORE_CONF_PARTIAL)
            du.state = CORE_CONF_FULL; /*= RFC 4575, 4.6: below "full" everything is full */
        apply_user(mg, doc, &du);
    }
    if (doc->state == CORE_CONF_PARTIAL && doc->users_state == CORE_CONF_PARTIAL)
        return;
    size_t at = 0;
    for (roster_user *u; (u = poc_table_next(&r->users, &at)) != NULL;)
        if (u->mark != r->mark)
            remove_user(mg, u);
}

/*= digest "PoC" 3.3 */
static roster_outcome outcome_of(const core_roster *r, const core_conference *doc)
{
    if (!r->has_document && doc->state == CORE_CONF_PARTIAL)
        return ROSTER_REFRESH;
    if (r->has_document && doc->version <= r->version)
        return ROSTER_DROPPED;
    if (doc->state == CORE_CONF_DELETED)
        return ROSTER_OVER;
    if (doc->state == CORE_CONF_PARTIAL && doc->version != r->version + 1)
        return ROSTER_REFRESH;
    return ROSTER_MERGED;
}

/* The number fell, and no row says who it was. */
static bool count_is_unexplained(const core_roster *r, const core_conference *doc, uint32_t gone)
{
    return doc->state == CORE_CONF_PARTIAL && doc->has_user_count && r->has_user_count &&
           doc->user_count < r->user_count && r->user_count - doc->user_count > gone;
}

poc_err roster_merge(core_roster *r, const core_conference *doc, size_t max, const roster_sink *sink,
                     roster_outcome *outcome)
{
    *outcome = outcome_of(r, doc);
    if (*outcome != ROSTER_MERGED)
        return POC_OK;
    bool has_users = doc->has_users || doc->state == CORE_CONF_FULL;
    if (has_users)
        POC_TRY(make_rows(r, doc, max));
    merge mg = { .roster = r, .sink = sink };
    r->version = doc->version;
    r->has_document = true;
    if (has_users)
        apply_users(&mg, doc);
    if (count_is_unexplained(r, doc, mg.gone))
        *outcome = ROSTER_HINT;
    if (doc->has_user_count || doc->state == CORE_CONF_FULL) {
        r->has_user_count = doc->has_user_count;
        r->user_count = doc->user_count;
    }
    return POC_OK;
}

/* ---- asking ---- */

bool roster_has(const core_roster *r, const char *uri)
{
    for (const roster_user *u = poc_table_get(&r->by_uri, poc_span_str(uri)); u != NULL; u = u->next_same)
        if (user_is_in(u))
            return true;
    return false;
}

void roster_account(core_roster *r, const char *uri, roster_class how)
{
    for (roster_user *u = poc_table_get(&r->by_uri, poc_span_str(uri)); u != NULL; u = u->next_same) {
        u->was_member |= how == CLASS_LEFT;
        for (roster_endpoint *ep = u->endpoints; ep != NULL; ep = ep->next) {
            bool was_in = ep->in;
            ep->in = false;
            if (was_in && ep->accounted < how)
                ep->accounted = (uint8_t)how;
        }
    }
}
