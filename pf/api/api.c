/* The public door in front of the engine: structs that grow on the outside, plain values on the inside. The enums of the
 * two doors are the same numbers, which is asserted here, so that turning one into the other is a cast. */
#include <stdlib.h>
#include <string.h>

#include "pf/api/pocpf_of.h"

#define SAME(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), "the doors disagree about " #theirs)

SAME(POC_OK, POCPF_OK);
SAME(POC_E_INPUT, POCPF_E_INPUT);
SAME(POC_E_AUTH, POCPF_E_AUTH);
SAME(POC_E_DENIED, POCPF_E_DENIED);
SAME(POC_E_STATE, POCPF_E_STATE);
SAME(POC_E_LIMIT, POCPF_E_LIMIT);
SAME(POC_E_NOMEM, POCPF_E_NOMEM);
SAME(POC_E_IO, POCPF_E_IO);
SAME(POC_E_BUG, POCPF_E_BUG);
SAME(CORE_LEAVE_NEVER, POCPF_LEAVE_NEVER);
SAME(CORE_LEAVE_ALWAYS, POCPF_LEAVE_ALWAYS);
SAME(CORE_LEAVE_BATCH, POCPF_LEAVE_BATCH);
SAME(CORE_GATE_HOLD, POCPF_GATE_HOLD);
SAME(CORE_GATE_CONTINUE, POCPF_GATE_CONTINUE);
SAME(CORE_REFUSAL_UNICAST, POCPF_REFUSAL_UNICAST);
SAME(CORE_REFUSAL_RELEASE, POCPF_REFUSAL_RELEASE);
SAME(CORE_BY_SIP, POCPF_BY_SIP);
SAME(CORE_BY_PUSH, POCPF_BY_PUSH);
SAME(CORE_LEFT, POCPF_LEFT);
SAME(CORE_REMOVED, POCPF_REMOVED);
SAME(CORE_LOST, POCPF_LOST);
SAME(CORE_EXPELLED, POCPF_EXPELLED);
SAME(CORE_ANSWER_ACCEPTED, POCPF_ANSWER_ACCEPTED);
SAME(CORE_ANSWER_UNICAST, POCPF_ANSWER_UNICAST);
SAME(CORE_ANSWER_WRONG, POCPF_ANSWER_WRONG);
SAME(CORE_ANSWER_REFUSED, POCPF_ANSWER_REFUSED);
SAME(CORE_ANSWER_TIMEOUT, POCPF_ANSWER_TIMEOUT);
SAME(CORE_ANSWER_GONE, POCPF_ANSWER_GONE);
SAME(CORE_CONF_FULL, POCPF_CONF_FULL);
SAME(CORE_CONF_PARTIAL, POCPF_CONF_PARTIAL);
SAME(CORE_CONF_DELETED, POCPF_CONF_DELETED);
SAME(CORE_STATUS_ABSENT, POCPF_CONF_STATUS_ABSENT);
SAME(CORE_STATUS_PENDING, POCPF_CONF_PENDING);
SAME(CORE_STATUS_DIALING_OUT, POCPF_CONF_DIALING_OUT);
SAME(CORE_STATUS_DIALING_IN, POCPF_CONF_DIALING_IN);
SAME(CORE_STATUS_ALERTING, POCPF_CONF_ALERTING);
SAME(CORE_STATUS_ON_HOLD, POCPF_CONF_ON_HOLD);
SAME(CORE_STATUS_CONNECTED, POCPF_CONF_CONNECTED);
SAME(CORE_STATUS_MUTED, POCPF_CONF_MUTED);
SAME(CORE_STATUS_DISCONNECTING, POCPF_CONF_DISCONNECTING);
SAME(CORE_STATUS_DISCONNECTED, POCPF_CONF_DISCONNECTED);
SAME(CORE_METHOD_ABSENT, POCPF_CONF_METHOD_ABSENT);
SAME(CORE_METHOD_DEPARTED, POCPF_CONF_DEPARTED);
SAME(CORE_METHOD_BOOTED, POCPF_CONF_BOOTED);
SAME(CORE_METHOD_FAILED, POCPF_CONF_FAILED);
SAME(CORE_METHOD_BUSY, POCPF_CONF_BUSY);
SAME(CORE_SUB_ACTIVE, POCPF_SUB_ACTIVE);
SAME(CORE_SUB_REFUSED, POCPF_SUB_REFUSED);
SAME(CORE_SUB_UNSUPPORTED, POCPF_SUB_UNSUPPORTED);
SAME(CORE_SUB_ENDED, POCPF_SUB_ENDED);
SAME(CORE_SUB_RETRY, POCPF_SUB_RETRY);
SAME(CORE_ENABLER_STARTED, POCPF_ENABLER_STARTED);
SAME(CORE_ENABLER_FAILED, POCPF_ENABLER_FAILED);
SAME(CORE_ENABLER_DOWN, POCPF_ENABLER_DOWN);
SAME(CORE_ENABLER_UP, POCPF_ENABLER_UP);
SAME(CORE_ENABLER_STOPPED, POCPF_ENABLER_STOPPED);
SAME(CORE_DO_PERSIST, POCPF_DO_PERSIST);
SAME(CORE_DO_OFFER, POCPF_DO_OFFER);
SAME(CORE_DO_RELEASE, POCPF_DO_RELEASE);
SAME(CORE_DO_SERVE, POCPF_DO_SERVE);
SAME(CORE_DO_GATE, POCPF_DO_GATE);
SAME(CORE_DO_ENABLER_START, POCPF_DO_ENABLER_START);
SAME(CORE_DO_ENABLER_UPDATE, POCPF_DO_ENABLER_UPDATE);
SAME(CORE_DO_ENABLER_STOP, POCPF_DO_ENABLER_STOP);
SAME(CORE_DO_SUBSCRIBE, POCPF_DO_SUBSCRIBE);
SAME(CORE_DO_UNSUBSCRIBE, POCPF_DO_UNSUBSCRIBE);
SAME(CORE_DO_RESTORED, POCPF_DO_RESTORED);
SAME(CORE_DO_AUDIT, POCPF_DO_AUDIT);
SAME(CORE_DO_PUSH, POCPF_DO_PUSH);
SAME(CORE_DO_CSK_BOUND, POCPF_DO_CSK_BOUND);
SAME(CORE_DO_DOWNLOAD, POCPF_DO_DOWNLOAD);
SAME(CORE_KIND_MSK, POCPF_KIND_MSK);
SAME(CORE_KIND_MUSIK, POCPF_KIND_MUSIK);
SAME(CORE_AES128_GCM, POCPF_AES128_GCM);
SAME(CORE_AES256_GCM, POCPF_AES256_GCM);
SAME(CORE_AES128_CM, POCPF_AES128_CM);
SAME(CORE_OFFER_OPEN, POCPF_OFFER_OPEN);
SAME(CORE_OFFER_REKEY, POCPF_OFFER_REKEY);
SAME(CORE_OFFER_WITHDRAW, POCPF_OFFER_WITHDRAW);
SAME(CORE_REASON_NONE, POCPF_REASON_NONE);
SAME(CORE_REASON_EXPEL, POCPF_REASON_EXPEL);
SAME(CORE_REASON_LEAVE, POCPF_REASON_LEAVE);
SAME(CORE_REASON_JOIN, POCPF_REASON_JOIN);
SAME(CORE_REASON_INTERVAL, POCPF_REASON_INTERVAL);
SAME(CORE_REASON_MAX_MTK, POCPF_REASON_MAX_MTK);
SAME(CORE_REASON_OPERATOR, POCPF_REASON_OPERATOR);
SAME(CORE_REASON_BLIND, POCPF_REASON_BLIND);
SAME(CORE_REASON_RESTART, POCPF_REASON_RESTART);
SAME(CORE_REASON_RECOVERY, POCPF_REASON_RECOVERY);
SAME(CORE_AUDIT_MEMBER_IN, POCPF_AUDIT_MEMBER_IN);
SAME(CORE_AUDIT_MEMBER_CONFIRMED, POCPF_AUDIT_MEMBER_CONFIRMED);
SAME(CORE_AUDIT_MEMBER_UNICAST, POCPF_AUDIT_MEMBER_UNICAST);
SAME(CORE_AUDIT_MEMBER_LEFT, POCPF_AUDIT_MEMBER_LEFT);
SAME(CORE_AUDIT_MEMBER_EXPELLED, POCPF_AUDIT_MEMBER_EXPELLED);
SAME(CORE_AUDIT_REKEY_STARTED, POCPF_AUDIT_REKEY_STARTED);
SAME(CORE_AUDIT_REKEY_SWITCHED, POCPF_AUDIT_REKEY_SWITCHED);
SAME(CORE_AUDIT_REKEY_CANCELLED, POCPF_AUDIT_REKEY_CANCELLED);
SAME(CORE_AUDIT_CHANNEL_STARTED, POCPF_AUDIT_CHANNEL_STARTED);
SAME(CORE_AUDIT_CHANNEL_STOPPED, POCPF_AUDIT_CHANNEL_STOPPED);
SAME(CORE_AUDIT_CHANNEL_FAILED, POCPF_AUDIT_CHANNEL_FAILED);
SAME(CORE_AUDIT_BLIND, POCPF_AUDIT_BLIND);
SAME(CORE_AUDIT_SIGHTED, POCPF_AUDIT_SIGHTED);
SAME(CORE_AUDIT_REFUSED, POCPF_AUDIT_REFUSED);
SAME(CORE_AUDIT_STORE_FAILED, POCPF_AUDIT_STORE_FAILED);
SAME(CORE_AUDIT_MEMBER_REGISTERED, POCPF_AUDIT_MEMBER_REGISTERED);
SAME(CORE_AUDIT_MEMBER_DEREGISTERED, POCPF_AUDIT_MEMBER_DEREGISTERED);
SAME(CORE_AUDIT_MEMBER_STALE, POCPF_AUDIT_MEMBER_STALE);
SAME(CORE_AUDIT_MEMBER_PULLED, POCPF_AUDIT_MEMBER_PULLED);
SAME(CORE_AUDIT_MEMBER_SOLICITED, POCPF_AUDIT_MEMBER_SOLICITED);
SAME(CORE_AUDIT_MEMBER_ADMITTED, POCPF_AUDIT_MEMBER_ADMITTED);
SAME(CORE_AUDIT_CSK_BOUND, POCPF_AUDIT_CSK_BOUND);
SAME(CORE_AUDIT_CSK_CHANGED, POCPF_AUDIT_CSK_CHANGED);
SAME(CORE_AUDIT_CSK_LOGGED_OFF, POCPF_AUDIT_CSK_LOGGED_OFF);
SAME(CORE_AUDIT_KEY_REVOKED, POCPF_AUDIT_KEY_REVOKED);
SAME(CORE_AUDIT_COUNT, POCPF_AUDIT_COUNT);
SAME(CORE_ADDRESS_MAX, POCPF_ADDRESS_MAX);
SAME(CORE_MC_ID_MAX, POCPF_MC_ID_MAX);

const char *pocpf_err_name(pocpf_err err)
{
    return poc_err_name((poc_err)err);
}

const char *pocpf_reason_name(pocpf_reason reason)
{
    return core_reason_name((core_reason)reason);
}

const char *pocpf_audit_name(pocpf_audit audit)
{
    return core_audit_name((core_audit)audit);
}

/* ---- secrets ---- */

pocpf_secret *pocpf_secret_new(const void *bytes, size_t len)
{
    poc_secret *s;
    return poc_secret_from(&s, bytes, len) == POC_OK ? s : NULL;
}

void pocpf_secret_free(pocpf_secret *s)
{
    poc_secret_free(s);
}

const uint8_t *pocpf_secret_bytes(const pocpf_secret *s, size_t *len)
{
    *len = poc_secret_len(s);
    return poc_secret_bytes(s);
}

/* ---- making ---- */

static poc_err host_fill(void *ctx, void *out, size_t n)
{
    const pocpf_host *host = ctx;
    return host->random(host->user, out, n) == 0 ? POC_OK : POC_E_IO;
}

pocpf_err pocpf_new(pocpf **out, const pocpf_host *host, const pocpf_settings *s)
{
    *out = NULL;
    if (host->size < offsetof(pocpf_host, spread) || host->random == NULL || s->size < sizeof(*s) || s->naf_id == NULL)
        return POCPF_E_INPUT;
    pocpf *pf = calloc(1, sizeof(*pf));
    if (pf == NULL)
        return POCPF_E_NOMEM;
    pf->host = (pocpf_host){ .size = sizeof(pf->host), .user = host->user, .random = host->random };
    if (host->size >= sizeof(*host)) /* else of a caller who does not know it yet */
        pf->host.spread = host->spread;
    core_settings set = { .rng = { host_fill, &pf->host },
                          .spread = pf->host.spread,
                          .spread_user = pf->host.user,
                          .naf_id = poc_span_of(s->naf_id, s->naf_id_len),
                          .store_key = owner_of(s->store_key),
                          .members_max = s->members_max,
                          .channels_max = s->channels_max,
                          .offer_window = s->offer_window,
                          .roster_max = s->roster_max,
                          .push_tries = s->push_tries,
                          .push_first_ms = s->push_first_ms,
                          .push_cap_ms = s->push_cap_ms,
                          .solicit_per_s = s->solicit_per_s,
                          .muk_renew_s = s->muk_renew_s,
                          .mcx_skew_s = s->mcx_skew_s,
                          .mcx_algorithms = s->mcx_algorithms,
                          .mcx_forced = s->mcx_forced,
                          .mcx_strict_signature = s->mcx_strict_signature,
                          .require_verification = s->require_verification,
                          .accept_ts64 = s->accept_ts64,
                          .idi_fqdn = s->idi_fqdn,
                          .sdp_ids = s->sdp_ids };
    poc_err err = core_new(&pf->core, &set);
    if (err != POC_OK) {
        free(pf);
        return (pocpf_err)err;
    }
    *out = pf;
    return POCPF_OK;
}

void pocpf_free(pocpf *pf)
{
    if (pf == NULL)
        return;
    core_free(pf->core);
    free(pf);
}

/* ---- channels ---- */

static core_channel_conf conf_of(const pocpf_channel *c)
{
    core_channel_conf conf = { .id = c->id,
                               .group_uri = c->group_uri,
                               .key_group = c->key_group,
                               .rekey = { .on_leave = (core_on_leave)c->rekey.on_leave,
                                          .leave_batch_ms = c->rekey.leave_batch_ms,
                                          .on_join = c->rekey.on_join,
                                          .interval_s = c->rekey.interval_s,
                                          .max_mtk = c->rekey.max_mtk,
                                          .deadline_ms = c->rekey.deadline_ms,
                                          .gate = (core_gate)c->rekey.gate,
                                          .on_refusal = (core_on_refusal)c->rekey.on_refusal,
                                          .delivery = c->rekey.delivery } };
    conf.kind = (core_kind)c->kind;
    conf.musik = (core_musik){ .groups = c->musik.groups,
                               .group_count = c->musik.group_count,
                               .text = c->musik.text,
                               .service = c->musik.service,
                               .lifetime_s = c->musik.lifetime_s };
    if (c->size >= sizeof(*c)) /* else of a caller who does not know it yet */
        conf.musik.without_revocation = c->musik.without_revocation;
    memcpy(conf.key_domain.b, c->key_domain, sizeof(conf.key_domain.b));
    return conf;
}

pocpf_err pocpf_channel_add(pocpf *pf, int64_t now_ms, const pocpf_channel *c)
{
    if (c->size < offsetof(pocpf_channel, musik.without_revocation))
        return POCPF_E_INPUT;
    core_channel_conf conf = conf_of(c);
    return (pocpf_err)core_channel_add(pf->core, now_ms, &conf);
}

pocpf_err pocpf_channel_change(pocpf *pf, int64_t now_ms, const pocpf_channel *c)
{
    if (c->size < offsetof(pocpf_channel, musik.without_revocation))
        return POCPF_E_INPUT;
    core_channel_conf conf = conf_of(c);
    return (pocpf_err)core_channel_change(pf->core, now_ms, &conf);
}

pocpf_err pocpf_channel_stop(pocpf *pf, int64_t now_ms, const char *channel)
{
    return (pocpf_err)core_channel_stop(pf->core, now_ms, channel);
}

/* ---- what happened ---- */

pocpf_err pocpf_authenticated(pocpf *pf, int64_t now_ms, const pocpf_credential *c)
{
    if (c->size < sizeof(*c))
        return POCPF_E_INPUT;
    core_credential credential = { c->user, c->btid, owner_of(c->muk), c->expires_ms };
    return (pocpf_err)core_authenticated(pf->core, now_ms, &credential);
}

pocpf_err pocpf_member_joined(pocpf *pf, int64_t now_ms, const pocpf_join *j)
{
    if (j->size < sizeof(*j) || (j->dialog == NULL && j->dialog_len > 0) ||
        (j->push_address == NULL && j->push_address_len > 0))
        return POCPF_E_INPUT;
    core_join join = { j->channel, j->user, j->multicast_capable, poc_span_of(j->dialog, j->dialog_len),
                       poc_span_of(j->push_address, j->push_address_len) };
    return (pocpf_err)core_member_joined(pf->core, now_ms, &join);
}

pocpf_err pocpf_member_departed(pocpf *pf, int64_t now_ms, const char *channel, const char *user, pocpf_departure how)
{
    return (pocpf_err)core_member_departed(pf->core, now_ms, channel, user, (core_departure)how);
}

pocpf_err pocpf_join_check(const pocpf *pf, const char *channel, const char *user)
{
    return (pocpf_err)core_join_check(pf->core, channel, user);
}

pocpf_err pocpf_expel(pocpf *pf, int64_t now_ms, const char *channel, const char *user, pocpf_expulsion *done)
{
    core_expulsion e = { 0 };
    if (done != NULL && done->size < sizeof(*done))
        return POCPF_E_INPUT;
    const poc_err err = core_expel(pf->core, now_ms, channel, user, &e);
    if (done != NULL)
        *done = (pocpf_expulsion){
            .size = sizeof(*done), .was_member = e.was_member, .barred = e.barred, .rekeyed = e.rekeyed
        };
    return (pocpf_err)err;
}

pocpf_err pocpf_member_bearer(pocpf *pf, int64_t now_ms, const char *channel, const char *user, bool receives)
{
    return (pocpf_err)core_member_bearer(pf->core, now_ms, channel, user, receives);
}

pocpf_err pocpf_rekey(pocpf *pf, int64_t now_ms, const char *channel)
{
    return (pocpf_err)core_rekey(pf->core, now_ms, channel);
}

/* ---- the MBMS user service ---- */

pocpf_err pocpf_registered(pocpf *pf, int64_t now_ms, const pocpf_registration *r)
{
    if (r->size < sizeof(*r) || r->address == NULL)
        return POCPF_E_INPUT;
    core_registration registration = { r->channel, r->user, poc_span_of(r->address, r->address_len) };
    return (pocpf_err)core_registered(pf->core, now_ms, &registration);
}

pocpf_err pocpf_deregistered(pocpf *pf, int64_t now_ms, const char *channel, const char *user)
{
    return (pocpf_err)core_deregistered(pf->core, now_ms, channel, user);
}

static poc_err take_request(core_msk_request *out, const pocpf_msk_request *r)
{
    if (r->size < sizeof(*r) || r->user == NULL || (r->address == NULL && r->address_len > 0))
        return POC_E_INPUT;
    *out =
        (core_msk_request){ .user = r->user, .msk_id = r->msk_id, .address = poc_span_of(r->address, r->address_len) };
    memcpy(out->key_domain.b, r->key_domain, sizeof(out->key_domain.b));
    return POC_OK;
}

pocpf_err pocpf_msk_requested(pocpf *pf, int64_t now_ms, const pocpf_msk_request *r)
{
    core_msk_request request;
    poc_err err = take_request(&request, r);
    return (pocpf_err)(err == POC_OK ? core_msk_requested(pf->core, now_ms, &request) : err);
}

pocpf_err pocpf_msk_request_check(const pocpf *pf, const pocpf_msk_request *r)
{
    core_msk_request request;
    poc_err err = take_request(&request, r);
    return (pocpf_err)(err == POC_OK ? core_msk_request_check(pf->core, &request) : err);
}

static size_t hear(pocpf *pf, int64_t now_ms, pocpf_datagram *datagrams, size_t n)
{
    core_datagram batch[CORE_HEARD_BATCH];
    for (size_t i = 0; i < n; i++)
        batch[i] = (core_datagram){ .address = poc_span_of(datagrams[i].address, datagrams[i].address_len),
                                    .octets = poc_span_of(datagrams[i].octets, datagrams[i].len) };
    const size_t confirmed = core_push_heard(pf->core, now_ms, batch, n);
    for (size_t i = 0; i < n; i++)
        datagrams[i].verdict = (pocpf_err)batch[i].verdict;
    return confirmed;
}

size_t pocpf_push_heard(pocpf *pf, int64_t now_ms, pocpf_datagram *datagrams, size_t n)
{
    size_t confirmed = 0;
    for (size_t i = 0; i < n; i += CORE_HEARD_BATCH)
        confirmed += hear(pf, now_ms, datagrams + i, n - i < CORE_HEARD_BATCH ? n - i : CORE_HEARD_BATCH);
    return confirmed;
}

pocpf_err pocpf_solicit(pocpf *pf, int64_t now_ms, const char *channel, const char *user)
{
    return (pocpf_err)core_solicit(pf->core, now_ms, channel, user);
}

pocpf_err pocpf_admit(pocpf *pf, int64_t now_ms, const char *channel, const char *user)
{
    return (pocpf_err)core_admit(pf->core, now_ms, channel, user);
}

bool pocpf_is_barred(const pocpf *pf, const char *channel, const char *user)
{
    return core_is_barred(pf->core, channel, user);
}

/* ---- answers ---- */

pocpf_err pocpf_offer_answered(pocpf *pf, int64_t now_ms, const char *channel, const char *user, uint64_t offer,
                               pocpf_answer answer, const uint8_t *verification, size_t verification_len)
{
    poc_span message = verification == NULL ? (poc_span){ NULL, 0 } : poc_span_of(verification, verification_len);
    return (pocpf_err)core_offer_answered(pf->core, now_ms, channel, user, offer, (core_answer)answer, message);
}

static poc_span text_span(const char *text)
{
    return text == NULL ? (poc_span){ NULL, 0 } : poc_span_str(text);
}

static void user_at(const void *users, size_t i, core_conf_user *out)
{
    const pocpf_conf_user *u = (const pocpf_conf_user *)users + i;
    *out = (core_conf_user){ text_span(u->entity), (core_conf_state)u->state, u->endpoints, u->endpoint_count };
}

static void endpoint_at(const void *endpoints, size_t i, core_conf_endpoint *out)
{
    const pocpf_conf_endpoint *ep = (const pocpf_conf_endpoint *)endpoints + i;
    *out = (core_conf_endpoint){ .entity = text_span(ep->entity),
                                 .state = (core_conf_state)ep->state,
                                 .status = (core_conf_status)ep->status,
                                 .method = (core_conf_method)ep->disconnection_method,
                                 .by = text_span(ep->disconnected_by) };
}

pocpf_err pocpf_conference_info(pocpf *pf, int64_t now_ms, const char *channel, const pocpf_conference *d)
{
    if (d->size < sizeof(*d))
        return POCPF_E_INPUT;
    core_conference doc = { .state = (core_conf_state)d->state,
                            .version = d->version,
                            .has_users = d->has_users,
                            .users_state = (core_conf_state)d->users_state,
                            .users = d->users,
                            .users_listed = d->user_count_listed,
                            .has_user_count = d->has_user_count,
                            .user_count = d->user_count,
                            .user_at = user_at,
                            .endpoint_at = endpoint_at };
    return (pocpf_err)core_conference_info(pf->core, now_ms, channel, &doc);
}

pocpf_err pocpf_subscription_changed(pocpf *pf, int64_t now_ms, const char *channel, pocpf_subscription what,
                                     bool fresh, uint32_t retry_ms)
{
    return (pocpf_err)core_subscription_changed(pf->core, now_ms, channel, (core_subscription)what, fresh, retry_ms);
}

pocpf_err pocpf_enabler_changed(pocpf *pf, int64_t now_ms, const char *channel, pocpf_enabler what)
{
    return (pocpf_err)core_enabler_changed(pf->core, now_ms, channel, (core_enabler)what);
}

pocpf_err pocpf_mtk_made(pocpf *pf, int64_t now_ms, const char *channel, uint32_t msk_id, uint32_t mtks)
{
    return (pocpf_err)core_mtk_made(pf->core, now_ms, channel, msk_id, mtks);
}

pocpf_err pocpf_persisted(pocpf *pf, int64_t now_ms, bool ok)
{
    return (pocpf_err)core_persisted(pf->core, now_ms, ok);
}

void pocpf_tick(pocpf *pf, int64_t now_ms)
{
    core_tick(pf->core, now_ms);
}

int64_t pocpf_deadline_ms(const pocpf *pf)
{
    return core_deadline_ms(pf->core);
}

pocpf_err pocpf_restore(pocpf *pf, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    return (pocpf_err)core_restore(pf->core, poc_span_of(key, key_len), poc_span_of(value, value_len));
}

pocpf_err pocpf_restored(pocpf *pf, int64_t now_ms)
{
    return (pocpf_err)core_restored(pf->core, now_ms);
}

/* ---- what to do ---- */

static void give_persist(pocpf *pf, pocpf_effect *out, const core_effect *in)
{
    out->u.persist.records = pf->records;
    out->u.persist.count = in->u.persist.count;
    for (size_t i = 0; i < in->u.persist.count; i++) {
        const core_record *r = &in->u.persist.records[i];
        pf->records[i] = (pocpf_record){ r->key.p, r->key.n, r->value.p, r->value.n };
    }
}

static void give_offer(pocpf_effect *out, const core_effect *in)
{
    out->u.offer.number = in->u.offer.number;
    out->u.offer.kind = (pocpf_offer_kind)in->u.offer.kind;
    out->u.offer.msk_id = in->u.offer.msk_id;
    out->u.offer.mikey = in->u.offer.mikey.p;
    out->u.offer.mikey_len = in->u.offer.mikey.n;
    out->u.offer.timeout_ms = in->u.offer.timeout_ms;
}

static void give_push(pocpf_effect *out, const core_effect *in)
{
    out->u.push.msk_id = in->u.push.msk_id;
    out->u.push.mikey = in->u.push.mikey.p;
    out->u.push.mikey_len = in->u.push.mikey.n;
    out->u.push.address = in->u.push.address.p;
    out->u.push.address_len = in->u.push.address.n;
    out->u.push.again = in->u.push.again;
}

static void give_enabler(pocpf_effect *out, const core_effect *in)
{
    memcpy(out->u.enabler.key_domain, in->u.enabler.key_domain.b, sizeof(out->u.enabler.key_domain));
    out->u.enabler.msk_id = in->u.enabler.msk_id;
    out->u.enabler.seq_low = in->u.enabler.seq_low;
    out->u.enabler.seq_high = in->u.enabler.seq_high;
    out->u.enabler.csb_id = in->u.enabler.csb_id;
    memcpy(out->u.enabler.rand, in->u.enabler.rand, sizeof(out->u.enabler.rand));
    out->u.enabler.msk = in->u.enabler.msk;
    out->u.enabler.kind = (pocpf_kind)in->u.enabler.kind;
    out->u.enabler.cs_id = in->u.enabler.cs_id;
}

static void give_download(pocpf_effect *out, const core_effect *in)
{
    out->u.download.number = in->u.download.number;
    out->u.download.mc_id = in->u.download.mc_id;
    out->u.download.key_id = in->u.download.key_id;
    out->u.download.i_message = in->u.download.i_message.p;
    out->u.download.len = in->u.download.i_message.n;
    out->u.download.timeout_ms = in->u.download.timeout_ms;
    out->u.download.service = in->u.download.service;
    out->u.download.revokes = in->u.download.revokes;
}

static void give_audit(pocpf_effect *out, const core_effect *in)
{
    out->u.audit.what = (pocpf_audit)in->u.audit.what;
    out->u.audit.reason = (pocpf_reason)in->u.audit.reason;
    out->u.audit.msk_id = in->u.audit.msk_id;
    out->u.audit.count = in->u.audit.count;
    out->u.audit.total = in->u.audit.total;
    out->u.audit.detail = in->u.audit.detail;
}

static void give(pocpf *pf, pocpf_effect *out, const core_effect *in)
{
    switch (in->type) {
    case CORE_DO_PERSIST:
        give_persist(pf, out, in);
        break;
    case CORE_DO_OFFER:
        give_offer(out, in);
        break;
    case CORE_DO_PUSH:
        give_push(out, in);
        break;
    case CORE_DO_CSK_BOUND:
        out->u.bound.csk_id = in->u.bound.csk_id;
        out->u.bound.ok = in->u.bound.ok;
        break;
    case CORE_DO_DOWNLOAD:
        give_download(out, in);
        break;
    case CORE_DO_RELEASE:
        out->u.release.reason = (pocpf_reason)in->u.release;
        break;
    case CORE_DO_SERVE:
        out->u.serve.multicast = in->u.multicast;
        break;
    case CORE_DO_GATE:
        out->u.gate.hold = in->u.hold;
        break;
    case CORE_DO_ENABLER_START:
    case CORE_DO_ENABLER_UPDATE:
        give_enabler(out, in);
        break;
    case CORE_DO_SUBSCRIBE:
        out->u.subscribe.group_uri = in->u.subscribe.group_uri;
        out->u.subscribe.as_user = in->u.subscribe.as_user;
        out->u.subscribe.refresh = in->u.subscribe.refresh;
        break;
    case CORE_DO_RESTORED:
        out->u.restored.dialog = in->u.dialog.p;
        out->u.restored.dialog_len = in->u.dialog.n;
        break;
    case CORE_DO_AUDIT:
        give_audit(out, in);
        break;
    case CORE_DO_ENABLER_STOP:
    case CORE_DO_UNSUBSCRIBE:
        break;
    }
}

bool pocpf_poll(pocpf *pf, pocpf_effect *out)
{
    core_effect effect;
    if (!core_poll(pf->core, &effect))
        return false;
    *out = (pocpf_effect){ .type = (pocpf_effect_type)effect.type, .channel = effect.channel, .user = effect.user };
    give(pf, out, &effect);
    return true;
}

/* ---- looking ---- */

uint64_t pocpf_changes(const pocpf *pf)
{
    return core_changes(pf->core);
}

uint64_t pocpf_changes_durable(const pocpf *pf)
{
    return core_changes_durable(pf->core);
}

pocpf_err pocpf_channel_look(const pocpf *pf, const char *channel, pocpf_channel_status *out)
{
    core_channel_status s;
    if (out->size < sizeof(*out))
        return POCPF_E_INPUT;
    poc_err err = core_channel_look(pf->core, channel, &s);
    if (err != POC_OK)
        return (pocpf_err)err;
    *out = (pocpf_channel_status){ out->size,   s.state,   s.msk_id, s.next_msk_id, s.members,
                                   s.confirmed, s.unicast, s.blind,  s.held };
    return POCPF_OK;
}

static void show_member(pocpf_member_status *out, const core_member_status *s)
{
    *out = (pocpf_member_status){ out->size, s->user,          s->state,     s->msk_id,
                                  s->by_sip, s->address.n > 0, s->address.p, s->address.n };
}

bool pocpf_member_next(const pocpf *pf, const char *channel, size_t *at, pocpf_member_status *out)
{
    core_member_status s;
    if (out->size < sizeof(*out) || !core_member_next(pf->core, channel, at, &s))
        return false;
    show_member(out, &s);
    return true;
}

pocpf_err pocpf_member_look(const pocpf *pf, const char *channel, const char *user, pocpf_member_status *out)
{
    core_member_status s;
    if (out->size < sizeof(*out))
        return POCPF_E_INPUT;
    poc_err err = core_member_look(pf->core, channel, user, &s);
    if (err == POC_OK)
        show_member(out, &s);
    return (pocpf_err)err;
}
