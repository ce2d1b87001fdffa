/* The routes of the operator's door, one row each. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "pf/io/admin_private.h"
#include "pf/io/log.h"

enum { PAGE = 1000, WAIT_MAX_S = 30 };

/* ---- pieces ---- */

__attribute__((format(printf, 4, 5))) static json_t *refuse(admin_call *call, unsigned status, const char *kind,
                                                            const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(call->reason, sizeof(call->reason), fmt, ap);
    va_end(ap);
    call->status = status;
    call->kind = kind;
    return NULL;
}

static json_t *no_channel(admin_call *call)
{
    return refuse(call, 404, "not_found", "there is no channel \"%s\"", call->segment);
}

static json_t *json_id(uint32_t msk_id)
{
    char hex[9];
    if (msk_id == 0)
        return json_null();
    (void)snprintf(hex, sizeof(hex), "%08x", (unsigned)msk_id);
    return json_string(hex);
}

static json_t *json_name(const char *name)
{
    return name == NULL || name[0] == '\0' ? json_null() : json_string(name);
}

/* ---- looking ---- */

static json_t *counts_of_sip(const sip_counts *c)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I}", "requests", (json_int_t)c->requests, "refused", (json_int_t)c->refused,
                     "challenged", (json_int_t)c->challenged, "offers", (json_int_t)c->offers, "sessions_made",
                     (json_int_t)c->sessions_made);
}

static json_t *counts_of_relay(const relay_counts *c)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I}", "uplink", (json_int_t)c->uplink, "downlink_unicast",
                     (json_int_t)c->downlink_unicast, "feed", (json_int_t)c->feed, "copies_dropped",
                     (json_int_t)c->copies_dropped, "foreign_dropped", (json_int_t)c->foreign_dropped);
}

static json_t *counts_of_store(const store_counts *c)
{
    return json_pack("{s:I,s:I,s:I}", "batches", (json_int_t)c->batches, "records", (json_int_t)c->records, "failures",
                     (json_int_t)c->failures);
}

static json_t *counts_of_refusals(void)
{
    log_refused refused[LOG_REFUSED_MAX];
    size_t n = log_refused_look(refused);
    json_t *o = json_object();
    for (size_t i = 0; i < n; i++)
        (void)json_object_set_new(o, refused[i].reason, json_integer((json_int_t)refused[i].count));
    return o;
}

static json_t *get_status(admin_call *call)
{
    shell_status s;
    shell_look(call->shell, &s);
    return json_pack("{s:s,s:I,s:I,s:I,s:o,s:o,s:o,s:o}", "version", POC_VERSION, "uptime_s",
                     (json_int_t)(s.up_ms / 1000), "channels", (json_int_t)s.channels, "sessions",
                     (json_int_t)s.sip.sessions, "sip", counts_of_sip(&s.sip), "relay", counts_of_relay(&s.relay),
                     "store", counts_of_store(&s.store), "refused", counts_of_refusals());
}

static json_t *json_channel(const shell_channel_status *c)
{
    const pocpf_channel_status *e = &c->engine;
    return json_pack("{s:s,s:s,s:s,s:o,s:o,s:I,s:I,s:I,s:b,s:b}", "id", c->id, "group", c->group, "state", e->state,
                     "msk_id", json_id(e->msk_id), "next_msk_id", json_id(e->next_msk_id), "members",
                     (json_int_t)e->members, "confirmed", (json_int_t)e->confirmed, "unicast", (json_int_t)e->unicast,
                     "blind", e->blind, "held", e->held);
}

static json_t *get_channels(admin_call *call)
{
    shell_channel_status c;
    json_t *list = json_array();
    for (size_t at = 0; shell_channel_next(call->shell, &at, &c);)
        (void)json_array_append_new(list, json_channel(&c));
    return json_pack("{s:o}", "channels", list);
}

static json_t *get_channel(admin_call *call)
{
    shell_channel_status c;
    return shell_channel_look(call->shell, call->segment, &c) ? json_channel(&c) : no_channel(call);
}

static json_t *get_members(admin_call *call)
{
    shell_channel_status c;
    pocpf_member_status m;
    size_t at = call->number[0];
    if (!shell_channel_look(call->shell, call->segment, &c))
        return no_channel(call);
    json_t *list = json_array();
    while (json_array_size(list) < PAGE && shell_member_next(call->shell, c.id, &at, &m))
        (void)json_array_append_new(
            list, json_pack("{s:s,s:s,s:o}", "user", m.user, "state", m.state, "msk_id", json_id(m.msk_id)));
    bool is_full = json_array_size(list) == PAGE;
    return json_pack("{s:o,s:o}", "members", list, "next", is_full ? json_integer((json_int_t)at) : json_null());
}

static json_t *json_event(const audit_event *e)
{
    char time[32];
    poc_wr wr = poc_wr_into(time, sizeof(time));
    poc_time_put(&wr, e->at_ms / 1000);
    if (wr.len > 0)
        wr.len--; /* the Z goes behind the milliseconds */
    poc_wr_fmt(&wr, ".%03dZ", (int)(e->at_ms % 1000));
    (void)poc_wr_text(&wr);
    const char *reason = e->reason == POCPF_REASON_NONE ? NULL : pocpf_reason_name(e->reason);
    return json_pack("{s:I,s:s,s:s,s:o,s:o,s:o,s:o,s:I,s:I,s:o}", "seq", (json_int_t)e->seq, "time", time, "event",
                     pocpf_audit_name(e->what), "channel", json_name(e->channel), "user", json_name(e->user), "reason",
                     json_name(reason), "msk_id", json_id(e->msk_id), "count", (json_int_t)e->count, "total",
                     (json_int_t)e->total, "detail", json_name(e->detail));
}

static json_t *get_events(admin_call *call)
{
    const event_ring *ring = shell_events(call->shell);
    uint64_t after = call->number[0] > events_last(ring) ? 0 : call->number[0]; /* a number from before a restart */
    uint64_t missed = events_missed(ring, after), wait_s = call->number[1];
    if (after == events_last(ring) && wait_s > 0 && call->may_wait) {
        call->waits = true;
        call->wait_s = wait_s < WAIT_MAX_S ? (uint32_t)wait_s : WAIT_MAX_S;
        return NULL;
    }
    json_t *list = json_array();
    const audit_event *e;
    while (json_array_size(list) < PAGE && (e = events_next(ring, after)) != NULL) {
        (void)json_array_append_new(list, json_event(e));
        after = e->seq;
    }
    return json_pack("{s:o,s:I,s:I}", "events", list, "last", (json_int_t)after, "missed", (json_int_t)missed);
}

/* ---- ordering ---- */

/** What became of the channel. */
static json_t *outcome(const admin_call *call, const char *user)
{
    shell_channel_status c;
    if (!shell_channel_look(call->shell, call->segment, &c))
        return NULL;
    return json_pack("{s:s,s:o,s:s,s:o,s:o}", "channel", c.id, "user", json_name(user), "state", c.engine.state,
                     "msk_id", json_id(c.engine.msk_id), "next_msk_id", json_id(c.engine.next_msk_id));
}

static json_t *post_expel(admin_call *call)
{
    shell_channel_status c;
    char user[POC_URI_MAX];
    if (poc_uri_canonical(user, poc_span_str(call->text)) != POC_OK)
        return refuse(call, 400, "input", "\"user\" is not a SIP URI");
    if (!shell_channel_look(call->shell, call->segment, &c))
        return no_channel(call);
    poc_err err = shell_expel(call->shell, c.id, user);
    if (err == POC_E_STATE)
        return refuse(call, 404, "not_found", "%s is no member of channel \"%s\"", user, c.id);
    return err == POC_OK ? outcome(call, user) : refuse(call, 409, poc_err_name(err), "the engine refuses");
}

static json_t *post_rekey(admin_call *call)
{
    shell_channel_status c;
    if (!shell_channel_look(call->shell, call->segment, &c))
        return no_channel(call);
    poc_err err = shell_rekey(call->shell, c.id);
    return err == POC_OK ? outcome(call, NULL)
                         : refuse(call, 409, poc_err_name(err), "channel \"%s\" is %s", c.id, c.engine.state);
}

static void on_change(void *user, const char *what, const char *subject, const char *reason)
{
    json_t *list = (json_t *)user;
    (void)json_array_append_new(
        list, json_pack("{s:s,s:s,s:o}", "change", what, "subject", subject, "reason", json_name(reason)));
}

static json_t *post_reload(admin_call *call)
{
    json_t *list = json_array();
    char why[CONFIG_WHY_MAX] = "";
    poc_err err = call->reload(call->reload_user, on_change, list, why);
    if (err == POC_OK)
        return json_pack("{s:o}", "changes", list);
    json_decref(list);
    return refuse(call, 409, poc_err_name(err), "%s", why);
}

const admin_route admin_routes[] = {
    { "GET", "/v1/status", { NULL }, NULL, get_status },
    { "GET", "/v1/channels", { NULL }, NULL, get_channels },
    { "GET", "/v1/channels/(id)", { NULL }, NULL, get_channel },
    { "GET", "/v1/channels/(id)/members", { "at" }, NULL, get_members },
    { "POST", "/v1/channels/(id)/expel", { NULL }, "user", post_expel },
    { "POST", "/v1/channels/(id)/rekey", { NULL }, NULL, post_rekey },
    { "POST", "/v1/reload", { NULL }, NULL, post_reload },
    { "GET", "/v1/events", { "after", "wait_s" }, NULL, get_events },
};
const size_t admin_route_count = POC_COUNT(admin_routes);
