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

/** Null: never, or not now. */
static json_t *json_time(int64_t unix_s)
{
    char text[32];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    if (unix_s == 0)
        return json_null();
    poc_time_put(&wr, unix_s);
    return poc_wr_text(&wr) == POC_OK ? json_string(text) : json_null();
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
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "uplink", (json_int_t)c->uplink, "downlink_unicast",
                     (json_int_t)c->downlink_unicast, "feed", (json_int_t)c->feed, "copies_dropped",
                     (json_int_t)c->copies_dropped, "foreign_dropped", (json_int_t)c->foreign_dropped, "guard_refused",
                     (json_int_t)c->guard_refused, "guard_unsealed", (json_int_t)c->guard_unsealed);
}

static json_t *counts_of_store(const store_counts *c)
{
    return json_pack("{s:I,s:I,s:I}", "batches", (json_int_t)c->batches, "records", (json_int_t)c->records, "failures",
                     (json_int_t)c->failures);
}

static json_t *counts_of_push(const push_counts *c)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "sent", (json_int_t)c->sent, "send_errors",
                     (json_int_t)c->send_errors, "system_calls", (json_int_t)c->system_calls, "blocked",
                     (json_int_t)c->blocked, "heard", (json_int_t)c->heard, "refused", (json_int_t)c->refused,
                     "ignored", (json_int_t)c->ignored);
}

static json_t *counts_of_keyman(const keyman_http_counts *c)
{
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "requests", (json_int_t)c->requests, "done", (json_int_t)c->done,
                     "challenged", (json_int_t)c->challenged, "refused", (json_int_t)c->refused, "limited",
                     (json_int_t)c->limited, "dropped", (json_int_t)c->dropped, "asked_zn", (json_int_t)c->asked_zn);
}

static json_t *counts_of_content(const content_counts *c)
{
    return json_pack("{s:I,s:I}", "packets", (json_int_t)c->packets, "foreign_dropped", (json_int_t)c->foreign_dropped);
}

/** Null without the group `mcx`. */
static json_t *status_of_mcx(const shell_mcx_status *m)
{
    const shell_mcx_counts *c = &m->counts;
    if (!m->is_on)
        return json_null();
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:I,s:I,s:I,s:I}", "users", (json_int_t)m->users,
                     "requests", (json_int_t)c->requests, "done", (json_int_t)c->done, "refused",
                     (json_int_t)c->refused, "uploads", (json_int_t)c->uploads, "downloads", (json_int_t)c->downloads,
                     "downloaded", (json_int_t)c->downloaded, "not_downloaded", (json_int_t)c->not_downloaded,
                     "announcements", (json_int_t)c->announcements, "keys_until", json_time(m->keeper.ready_until_s),
                     "kms_asked", (json_int_t)m->keeper.requests, "kms_failed", (json_int_t)m->keeper.failures,
                     "kms_served", (json_int_t)m->kms.served, "kms_refused", (json_int_t)m->kms.refused);
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
    return json_pack("{s:s,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "version", POC_VERSION, "uptime_s",
                     (json_int_t)(s.up_ms / 1000), "channels", (json_int_t)s.channels, "sessions",
                     (json_int_t)s.sip.sessions, "sip", counts_of_sip(&s.sip), "relay", counts_of_relay(&s.relay),
                     "store", counts_of_store(&s.store), "push", counts_of_push(&s.push), "key_management",
                     counts_of_keyman(&s.keyman), "content", counts_of_content(&s.content), "mcx",
                     status_of_mcx(&s.mcx), "refused", counts_of_refusals());
}

static json_t *json_channel(const shell_channel_status *c)
{
    const pocpf_channel_status *e = &c->engine;
    return json_pack("{s:s,s:s,s:o,s:o,s:s,s:o,s:o,s:I,s:I,s:I,s:b,s:b}", "id", c->id, "key",
                     c->is_musik ? "musik" : "msk", "group", json_name(c->group), "service", json_name(c->service),
                     "state", e->state, "msk_id", json_id(e->msk_id), "next_msk_id", json_id(e->next_msk_id), "members",
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

static json_t *get_service(admin_call *call)
{
    shell_service v;
    char domain[2 * POC_KEY_DOMAIN_LEN + 1];
    poc_wr hex = poc_wr_into(domain, sizeof(domain));
    if (!shell_service_look(call->shell, call->segment, &v))
        return refuse(call, 404, "not_found", "there is no channel \"%s\", or mbms.key_management_listen is empty",
                      call->segment);
    poc_hex_put(&hex, poc_span_of(v.key_domain.b, sizeof(v.key_domain.b)));
    (void)poc_wr_text(&hex);
    return json_pack("{s:s,s:s,s:I,s:s,s:b,s:I,s:I,s:I}", "service", v.service, "key_domain_id", domain, "key_group",
                     (json_int_t)v.key_group, "path", v.path, "tls", v.is_tls, "push_port", (json_int_t)v.push_port,
                     "wait_time_s", (json_int_t)0, "max_back_off_s", (json_int_t)v.max_back_off_s);
}

/** "192.0.2.7:2269", IPv6 in brackets; null when a member has no push address. */
static json_t *json_address(const pocpf_member_status *m)
{
    char text[80];
    struct sockaddr_storage at;
    poc_wr wr = poc_wr_into(text, sizeof(text));
    if (!m->by_push || push_address_unpack(&at, m->address, m->address_len) != POC_OK)
        return json_null();
    bool is_ip6 = at.ss_family == AF_INET6;
    poc_wr_fmt(&wr, "%s", is_ip6 ? "[" : "");
    poc_addr_put(&wr, (const struct sockaddr *)&at);
    poc_wr_fmt(&wr, "%s:%u", is_ip6 ? "]" : "", (unsigned)poc_addr_port((const struct sockaddr *)&at));
    return poc_wr_text(&wr) == POC_OK ? json_string(text) : json_null();
}

static json_t *json_ways(const pocpf_member_status *m)
{
    json_t *list = json_array();
    if (m->by_sip)
        (void)json_array_append_new(list, json_string("sip"));
    if (m->by_push)
        (void)json_array_append_new(list, json_string("push"));
    return list;
}

static json_t *json_member(const pocpf_member_status *m)
{
    return json_pack("{s:s,s:s,s:o,s:o,s:o}", "user", m->user, "state", m->state, "msk_id", json_id(m->msk_id), "ways",
                     json_ways(m), "push_address", json_address(m));
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
        (void)json_array_append_new(list, json_member(&m));
    bool is_full = json_array_size(list) == PAGE;
    return json_pack("{s:o,s:o}", "members", list, "next", is_full ? json_integer((json_int_t)at) : json_null());
}

static json_t *json_services(uint32_t services)
{
    json_t *list = json_array();
    if ((services & WIRE_MCX_SERVICE_BIT(MCX_MCPTT)) != 0)
        (void)json_array_append_new(list, json_string("mcptt"));
    if ((services & WIRE_MCX_SERVICE_BIT(MCX_MCVIDEO)) != 0)
        (void)json_array_append_new(list, json_string("mcvideo"));
    return list;
}

static json_t *json_mcx_user(const shell_mcx_user *u)
{
    return json_pack("{s:s,s:s,s:s,s:o,s:o,s:o,s:o}", "user", u->user, "impu", u->impu, "mc_id", u->mc_id, "services",
                     json_services(u->services), "csk_id", json_id(u->csk_id), "algorithm", json_name(u->algorithm),
                     "expires", json_time(u->expires_ms / 1000));
}

static json_t *get_mcx_users(admin_call *call)
{
    shell_mcx_user u;
    size_t at = call->number[0];
    json_t *list = json_array();
    while (json_array_size(list) < PAGE && shell_mcx_user_next(call->shell, &at, &u))
        (void)json_array_append_new(list, json_mcx_user(&u));
    bool is_full = json_array_size(list) == PAGE;
    return json_pack("{s:o,s:o}", "users", list, "next", is_full ? json_integer((json_int_t)at) : json_null());
}

/** The name is one of /v1/mcx/users, as it stands there. */
static json_t *post_mcx_log_off(admin_call *call)
{
    const poc_err err = shell_mcx_log_off(call->shell, call->text);
    if (err == POC_E_STATE)
        return refuse(call, 404, "not_found", "%s is not registered for mission critical services", call->text);
    return err == POC_OK ? json_pack("{s:s}", "user", call->text)
                         : refuse(call, 409, poc_err_name(err), "the engine refuses");
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

/** What an order is about. False: the request is refused. */
static bool subject_of(admin_call *call, shell_channel_status *c, char user[POC_URI_MAX], shell_subject *who)
{
    *who = (shell_subject){ call->text == NULL ? NULL : user, call->text };
    if (call->text != NULL && poc_uri_canonical(user, poc_span_str(call->text)) != POC_OK) {
        (void)refuse(call, 400, "input", "\"user\" is not a SIP URI");
        return false;
    }
    if (shell_channel_look(call->shell, call->segment, c))
        return true;
    (void)no_channel(call);
    return false;
}

static json_t *answer_order(admin_call *call, const char *who, poc_err err)
{
    return err == POC_OK ? outcome(call, who) : refuse(call, 409, poc_err_name(err), "the engine refuses");
}

static json_t *post_expel(admin_call *call)
{
    shell_channel_status c;
    char user[POC_URI_MAX];
    shell_subject who;
    pocpf_expulsion done;
    if (!subject_of(call, &c, user, &who))
        return NULL;
    json_t *o = answer_order(call, user, shell_expel(call->shell, c.id, &who, &done));
    if (o == NULL)
        return NULL;
    (void)json_object_set_new(o, "was_member", json_boolean(done.was_member));
    (void)json_object_set_new(o, "barred", json_boolean(done.barred));
    (void)json_object_set_new(o, "rekeyed", json_boolean(done.rekeyed));
    return o;
}

/** Without a user it is about all. */
static json_t *post_solicit(admin_call *call)
{
    shell_channel_status c;
    char user[POC_URI_MAX];
    shell_subject who;
    if (!subject_of(call, &c, user, &who))
        return NULL;
    poc_err err = shell_solicit(call->shell, c.id, who.user);
    if (err == POC_E_STATE)
        return refuse(call, 404, "not_found", "%s is no member of channel \"%s\" who can be pushed to",
                      who.user == NULL ? "nobody" : user, c.id);
    return answer_order(call, who.user, err);
}

static json_t *post_admit(admin_call *call)
{
    shell_channel_status c;
    char user[POC_URI_MAX];
    shell_subject who;
    if (!subject_of(call, &c, user, &who))
        return NULL;
    poc_err err = shell_admit(call->shell, c.id, &who);
    if (err == POC_E_STATE)
        return refuse(call, 404, "not_found", "%s is not barred from channel \"%s\"", user, c.id);
    return answer_order(call, user, err);
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
    { "GET", "/v1/status", { NULL }, NULL, false, get_status },
    { "GET", "/v1/channels", { NULL }, NULL, false, get_channels },
    { "GET", "/v1/channels/(id)", { NULL }, NULL, false, get_channel },
    { "GET", "/v1/channels/(id)/members", { "at" }, NULL, false, get_members },
    { "GET", "/v1/channels/(id)/service", { NULL }, NULL, false, get_service },
    { "POST", "/v1/channels/(id)/expel", { NULL }, "user", false, post_expel },
    { "POST", "/v1/channels/(id)/admit", { NULL }, "user", false, post_admit },
    { "POST", "/v1/channels/(id)/solicit", { NULL }, "user", true, post_solicit },
    { "POST", "/v1/channels/(id)/rekey", { NULL }, NULL, false, post_rekey },
    { "GET", "/v1/mcx/users", { "at" }, NULL, false, get_mcx_users },
    { "POST", "/v1/mcx/log-off", { NULL }, "user", false, post_mcx_log_off },
    { "POST", "/v1/reload", { NULL }, NULL, false, post_reload },
    { "GET", "/v1/events", { "after", "wait_s" }, NULL, false, get_events },
};
const size_t admin_route_count = POC_COUNT(admin_routes);
