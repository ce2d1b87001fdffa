struct tiny_mcx;
#define NTA_AGENT_MAGIC_T    struct tiny_mcx
#define NTA_LEG_MAGIC_T      struct tiny_mcx
#define NTA_OUTGOING_MAGIC_T struct tiny_mcx
#define NTA_INCOMING_MAGIC_T struct tiny_mcx

#include "tiny_mcx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <microhttpd.h>
#include <netinet/in.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

#define PERIOD_S UINT64_C(2592000)
#define ROOT     "/keymanagement/identity/v1"

enum { SENT_MAX = 32 };

struct tiny_mcx {
    poc_secret *z, *ksak, *other_z, *other_ksak;
    mcx_kms *kms, *other; /* `other` has other keys, and whatever name */
    mcx_kms_service service;
    uint64_t number; /* of the present period */
    struct MHD_Daemon *http;
    char kms_url[64];
    poc_rng rng;

    mcx_sakke *sakke;
    mcx_certificate certificate;
    mcx_identity server;
    mcx_user_keys server_keys;
    mcx_receiver *receiver;
    mcx_signer *signer;
    mcx_verifier *verifier;
    mcx_opened csk;

    tiny_pf *pf;
    char contact[512];
    nta_outgoing_t *sent[SENT_MAX];
    nta_leg_t *legs[SENT_MAX];
    size_t sent_count;
    tiny_mcx_says says;
    tiny_mcx_seen seen;
};

/* ---- KMS ---- */

typedef struct upload {
    char octets[8192];
    size_t n;
} upload;

/* Keys of the period after the one asked for, in an answer to this question. */
static poc_err other_period_put(tiny_mcx *t, poc_wr *out, const char *target, int64_t now_s)
{
    const mcx_kms_answer head = { poc_span_str(TINY_MCX_ALICE), poc_span_str(TINY_MCX_KMS), poc_span_str(target),
                                  now_s };
    const mcx_period period = { t->service.period_s, t->service.offset_s, t->number + 3 };
    uint8_t uid[MCX_UID_LEN];
    mcx_user_keys keys;
    POC_TRY(mcx_uid(uid, head.user_uri, head.kms_uri, &period));
    POC_TRY(mcx_kms_issue(&keys, t->kms, poc_span_of(uid, sizeof(uid)), &t->rng));
    const poc_err err = mcx_kms_keys_put(out, &head, head.user_uri, uid, &period, &keys);
    mcx_user_keys_done(&keys);
    return err;
}

/* What was valid until some day is so until that day of 2020. */
static void end_long_ago(const poc_wr *out)
{
    static const char to[] = "<ValidTo>";
    char *at = memmem(out->buf, out->len, to, strlen(to));
    assert_non_null(at);
    memcpy(at + strlen(to), "2020", 4);
}

/* The certificate of another KMS, whose users may send: the second place where the name stands. */
static poc_err other_put(tiny_mcx *t, poc_wr *out, const mcx_kms_answer *head)
{
    static const char name[] = TINY_MCX_KMS, root[] = "Role=\"Root\"", external[] = "Role=\"External\"";
    POC_TRY(mcx_kms_certificates_put(out, head, t->other, t->service.period_s, t->service.offset_s, 1));
    char *at = memmem(out->buf, out->len, root, strlen(root));
    assert_non_null(at);
    const size_t more = strlen(external) - strlen(root), behind = (size_t)(at - (char *)out->buf) + strlen(root);
    assert_true(out->len + more <= out->cap);
    memmove(at + strlen(external), at + strlen(root), out->len - behind);
    memcpy(at, external, strlen(external));
    out->len += more;
    at = memmem(at, out->len - (size_t)(at - (char *)out->buf), name, strlen(name));
    assert_non_null(at);
    memcpy(at, TINY_MCX_OTHER, strlen(TINY_MCX_OTHER));
    return POC_OK;
}

static poc_err answer_make(tiny_mcx *t, poc_wr *out, int *status, const char *target, poc_span body, int64_t now_s)
{
    mcx_kms_served served = { .status = 500 };
    mcx_kms_service service = t->service;
    const bool is_keys = strstr(target, "/keyprov") != NULL, is_init = strstr(target, "/init") != NULL;
    const tiny_kms_lie lie = t->says.lie;
    const mcx_kms_answer head = { poc_span_str(TINY_MCX_ALICE), poc_span_str(TINY_MCX_KMS), poc_span_str(target),
                                  now_s };
    *status = 200;
    if (t->says.knows_other && strstr(target, "/certcache") != NULL)
        return other_put(t, out, &head);
    if (lie == TINY_KMS_OTHER_PERIOD && is_keys)
        return other_period_put(t, out, target, now_s);
    if (lie == TINY_KMS_OTHER_KIND && is_keys)
        return mcx_kms_init_put(out, &head, t->kms, service.period_s, service.offset_s);
    if (lie == TINY_KMS_OTHER_KMS && is_init)
        return mcx_kms_init_put(
            out, &(mcx_kms_answer){ head.user_uri, poc_span_str("kms.elsewhere"), head.request_url, now_s }, t->other,
            service.period_s, service.offset_s);
    if (lie == TINY_KMS_OTHER_KEYS && is_keys)
        service.kms = t->other;
    if (lie == TINY_KMS_OLD) {
        service.skew_s = 7200;
        now_s -= 3600;
    }
    const char *who = lie == TINY_KMS_OTHER_USER ? "sip:mallory@mcptt.example.org" : TINY_MCX_ALICE;
    if (lie == TINY_KMS_OTHER_USER && is_init)
        return mcx_kms_init_put(out, &(mcx_kms_answer){ poc_span_str(who), head.kms_uri, head.request_url, now_s },
                                t->kms, service.period_s, service.offset_s);
    POC_TRY(mcx_kms_serve(out, &served, &service, poc_span_str(who), poc_span_str(target), body, now_s));
    *status = served.status;
    if (lie == TINY_KMS_OVER && is_keys)
        end_long_ago(out);
    if (lie == TINY_KMS_CUT)
        out->len /= 2;
    return POC_OK;
}

static bool is_let_in(const tiny_mcx *t, struct MHD_Connection *c)
{
    char wanted[128];
    const char *said = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
    snprintf(wanted, sizeof(wanted), "Bearer %s", t->says.token);
    return said != NULL && strcmp(said, wanted) == 0;
}

static enum MHD_Result answer_send(struct MHD_Connection *c, int status, const char *body, size_t n)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(n, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(r, "Content-Type", "application/xml");
    const enum MHD_Result result = MHD_queue_response(c, (unsigned)status, r);
    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result question_answer(tiny_mcx *t, struct MHD_Connection *c, const char *url, poc_span body)
{
    char answer[MCX_KMS_ANSWER_MAX + MCX_KMS_URL_MAX];
    poc_wr out = poc_wr_into(answer, sizeof(answer));
    int status = t->says.kms_status;
    if (status != 0)
        return answer_send(c, status, "", 0);
    if (!is_let_in(t, c))
        return answer_send(c, 401, "", 0);
    if (t->says.lie == TINY_KMS_BROKEN)
        return answer_send(c, 500, "", 0);
    assert_int_equal(answer_make(t, &out, &status, url, body, (int64_t)time(NULL)), POC_OK);
    t->seen.keys_served += strstr(url, "/keyprov") != NULL;
    return answer_send(c, status, answer, out.len);
}

/* The path as it stood on the request line: escapes are the KMS's to undo. */
static void *on_uri(void *user, const char *uri, struct MHD_Connection *c)
{
    upload *u = calloc(1, sizeof(*u) + strlen(uri) + 1);
    (void)user, (void)c;
    if (u != NULL)
        memcpy(u + 1, uri, strlen(uri) + 1);
    return u;
}

static enum MHD_Result on_post(void *user, struct MHD_Connection *c, const char *url, const char *method,
                               const char *version, const char *data, size_t *data_size, void **state)
{
    upload *u = *state;
    (void)url, (void)method, (void)version;
    if (*data_size > 0) {
        if (*data_size > sizeof(u->octets) - u->n)
            return MHD_NO;
        memcpy(u->octets + u->n, data, *data_size);
        u->n += *data_size;
        *data_size = 0;
        return MHD_YES;
    }
    return u->n == 0 ? MHD_YES : question_answer(user, c, (const char *)(u + 1), poc_span_of(u->octets, u->n));
}

static void on_end(void *user, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode code)
{
    (void)user, (void)c, (void)code;
    free(*state);
}

static void http_start(tiny_mcx *t)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    t->http = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, on_post, t, MHD_OPTION_SOCK_ADDR, &at,
                               MHD_OPTION_URI_LOG_CALLBACK, on_uri, t, MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL,
                               MHD_OPTION_END);
    assert_non_null(t->http);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(t->http, MHD_DAEMON_INFO_BIND_PORT);
    snprintf(t->kms_url, sizeof(t->kms_url), "http://127.0.0.1:%u", info->port);
}

/* ---- the server's own keys ---- */

static void server_make(tiny_mcx *t)
{
    t->certificate = (mcx_certificate){ .kms_uri = poc_span_str(TINY_MCX_KMS),
                                        .period_s = t->service.period_s,
                                        .offset_s = t->service.offset_s,
                                        .sakke = t->sakke,
                                        .kpak = mcx_kms_kpak(t->kms).p };
    t->server =
        (mcx_identity){ .uri = poc_span_str(TINY_MCX_SERVER), .kms = &t->certificate, .period_number = t->number };
    assert_int_equal(mcx_identity_init(&t->server), POC_OK);
    const poc_span uid = poc_span_of(t->server.uid, MCX_UID_LEN);
    assert_int_equal(mcx_kms_issue(&t->server_keys, t->kms, uid, &t->rng), POC_OK);
    assert_int_equal(mcx_receiver_new(&t->receiver, uid, t->sakke, t->server_keys.rsk), POC_OK);
    assert_int_equal(mcx_signer_new(&t->signer, t->certificate.kpak, uid, t->server_keys.ssk, t->server_keys.pvt),
                     POC_OK);
    t->server.receiver = t->receiver;
    t->server.signer = t->signer;
}

void tiny_mcx_forget(tiny_mcx *t)
{
    for (size_t i = 0; i < t->sent_count; i++) {
        if (t->sent[i] != NULL)
            nta_outgoing_destroy(t->sent[i]);
        nta_leg_destroy(t->legs[i]);
    }
    t->sent_count = 0;
    mcx_opened_done(&t->csk);
    t->says = (tiny_mcx_says){ .status = 200, .expires_s = 3600, .token = TINY_MCX_TOKEN };
    memset(&t->seen, 0, sizeof(t->seen));
}

tiny_mcx *tiny_mcx_new(int64_t now_ms, uint64_t left_s)
{
    tiny_mcx *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    t->rng = poc_rng_system;
    tiny_mcx_forget(t);
    assert_int_equal(mcx_kms_secrets(&t->z, &t->ksak, &t->rng), POC_OK);
    assert_int_equal(mcx_kms_new(&t->kms, t->z, t->ksak), POC_OK);
    assert_int_equal(mcx_kms_secrets(&t->other_z, &t->other_ksak, &t->rng), POC_OK);
    assert_int_equal(mcx_kms_new(&t->other, t->other_z, t->other_ksak), POC_OK);
    assert_int_equal(mcx_sakke_new(&t->sakke, mcx_kms_z(t->kms).p), POC_OK);
    assert_int_equal(mcx_verifier_new(&t->verifier, 1), POC_OK);
    const uint64_t end_ntp_s = (uint64_t)now_ms / 1000 + MCX_NTP_MINUS_UNIX + left_s;
    t->service = (mcx_kms_service){ .kms = t->kms,
                                    .kms_uri = poc_span_str(TINY_MCX_KMS),
                                    .period_s = PERIOD_S,
                                    .offset_s = end_ntp_s % PERIOD_S,
                                    .root = ROOT,
                                    .cache_number = 1,
                                    .skew_s = MCX_KMS_TIME_SKEW_S,
                                    .periods_ahead = 1,
                                    .rng = &t->rng };
    t->number = mcx_period_number(end_ntp_s - 1, PERIOD_S, t->service.offset_s);
    server_make(t);
    http_start(t);
    return t;
}

void tiny_mcx_free(tiny_mcx *t)
{
    MHD_stop_daemon(t->http);
    tiny_mcx_forget(t);
    mcx_receiver_free(t->receiver);
    mcx_signer_free(t->signer);
    mcx_verifier_free(t->verifier);
    mcx_user_keys_done(&t->server_keys);
    mcx_sakke_free(t->sakke);
    mcx_kms_free(t->kms);
    mcx_kms_free(t->other);
    poc_secret_free(t->z);
    poc_secret_free(t->ksak);
    poc_secret_free(t->other_z);
    poc_secret_free(t->other_ksak);
    free(t);
}

const char *tiny_mcx_kms_url(const tiny_mcx *t)
{
    return t->kms_url;
}

tiny_mcx_says *tiny_mcx_say(tiny_mcx *t)
{
    return &t->says;
}

tiny_mcx_seen *tiny_mcx_look(tiny_mcx *t)
{
    return &t->seen;
}

/* ---- what comes by SIP ---- */

static void copy_header(char *out, size_t cap, const void *header)
{
    su_home_t home[1] = { SU_HOME_INIT(home) };
    const char *text = header == NULL ? NULL : sip_header_as_string(home, (sip_header_t const *)header);
    snprintf(out, cap, "%s", text == NULL ? "" : text);
    su_home_deinit(home);
}

static uint64_t ntp_now(void)
{
    return (uint64_t)time(NULL) + MCX_NTP_MINUS_UNIX;
}

static void key_open(tiny_mcx *t, const poc_part *part)
{
    uint8_t octets[MIKEY_MESSAGE_MAX];
    size_t n;
    mikey_msg msg;
    mcx_opened_done(&t->csk);
    assert_int_equal(mcx_body_octets(octets, sizeof(octets), &n, part->body, part->is_base64), POC_OK);
    assert_int_equal(mcx_i_message_read(&msg, poc_span_of(octets, n), NULL), POC_OK);
    const mcx_expected expected = { .now_ntp_s = ntp_now(),
                                    .skew_s = 10,
                                    .own = &t->server,
                                    .own_count = 1,
                                    .certificates = &t->certificate,
                                    .certificate_count = 1,
                                    .sender = poc_span_str(TINY_MCX_ALICE),
                                    .types = MCX_TYPE_BIT(MCX_CSK),
                                    .strict_signature = true,
                                    .verifier = t->verifier };
    assert_int_equal(mcx_i_message_open(&t->csk, &msg, &expected, NULL), POC_OK);
    t->seen.csk_id = t->csk.key_id;
    t->seen.uploads++;
}

/* The keys for XML of the CSK that came last. */
static void keys_take(const tiny_mcx *t, poc_secret **confidentiality, poc_secret **integrity)
{
    assert_int_equal(mcx_xml_keys(confidentiality, integrity, t->csk.key, t->csk.key_id, poc_span_str(TINY_MCX_ALICE)),
                     POC_OK);
}

static void token_read(tiny_mcx *t, const poc_part *part)
{
    static wire_mcx_info info;
    const char *why;
    poc_secret *confidentiality, *integrity;
    keys_take(t, &confidentiality, &integrity);
    const wire_mcx_keys keys = { t->csk.key_id, confidentiality, integrity };
    const wire_mcx_ring ring = { &keys, 1 };
    assert_int_equal(wire_mcx_info_read(&info, MCX_MCPTT, part->body, &ring, &why), POC_OK);
    snprintf(t->seen.token, sizeof(t->seen.token), "%s%.40s", info.has_clear ? "clear " : "", info.access_token);
    wire_mcx_info_done(&info);
    poc_secret_free(confidentiality);
    poc_secret_free(integrity);
}

static bool is_signed(const tiny_mcx *t, const poc_parts *parts, const poc_part *signatures)
{
    uint32_t covered = 0;
    const char *why;
    poc_secret *confidentiality, *integrity;
    keys_take(t, &confidentiality, &integrity);
    const wire_mcx_keys keys = { t->csk.key_id, confidentiality, integrity };
    const wire_mcx_ring ring = { &keys, 1 };
    assert_int_equal(wire_mcx_signed_check(&covered, MCX_MCPTT, signatures->body, parts, &ring, &why), POC_OK);
    poc_secret_free(confidentiality);
    poc_secret_free(integrity);
    return covered == 1;
}

static void body_take(tiny_mcx *t, poc_span type, poc_span body)
{
    poc_parts parts;
    t->seen.body_len = (unsigned)body.n;
    if (body.n == 0)
        return;
    assert_int_equal(poc_parts_read(&parts, type, body, NULL), POC_OK);
    const poc_part *key = poc_part_of(&parts, "application/mikey");
    const poc_part *info = poc_part_of(&parts, wire_mcx_media_type(WIRE_MCX_INFO, MCX_MCPTT));
    const poc_part *settings = poc_part_of(&parts, "application/poc-settings+xml");
    assert_non_null(key);
    key_open(t, key);
    if (info != NULL)
        token_read(t, info);
    snprintf(t->seen.settings, sizeof(t->seen.settings), "%.*s", settings == NULL ? 0 : (int)settings->body.n,
             settings == NULL ? "" : (const char *)settings->body.p);
}

static void third_take(tiny_mcx *t, poc_span body)
{
    wire_register inner;
    assert_int_equal(wire_register_read(&inner, body, NULL), POC_OK);
    snprintf(t->seen.inner_contact, sizeof(t->seen.inner_contact), "%.*s", (int)inner.contact.n,
             (const char *)inner.contact.p);
    assert_true(inner.has_expires && inner.expires_s == t->seen.expires_s);
    t->seen.thirds++;
    body_take(t, inner.content_type, inner.body);
}

static void report_take(tiny_mcx *t, poc_span type, poc_span body)
{
    static wire_mbms_listening l;
    const char *why;
    poc_parts parts;
    assert_int_equal(poc_parts_read(&parts, type, body, NULL), POC_OK);
    const poc_part *signatures = poc_part_of(&parts, wire_mcx_media_type(WIRE_MCX_SIGNED, MCX_MCPTT));
    assert_string_equal(wire_mcx_media_type(WIRE_MCX_MBMS_USAGE, MCX_MCPTT),
                        "application/vnd.3gpp.mcptt-mbms-usage-info+xml");
    assert_true(poc_part_of(&parts, "application/vnd.3gpp.mcptt-mbms-usage-info+xml") == &parts.part[0]);
    t->seen.is_signed = signatures != NULL && is_signed(t, &parts, signatures);
    assert_int_equal(wire_mbms_listening_read(&l, MCX_MCPTT, parts.part[0].body, &why), POC_OK);
    assert_int_equal(l.tmgi_count, 1);
    assert_true(l.is_general_purpose);
    t->seen.is_listening = l.is_listening;
    memcpy(t->seen.tmgi, l.tmgi[0], sizeof(t->seen.tmgi));
}

static void headers_note(tiny_mcx *t, sip_t const *sip)
{
    tiny_mcx_seen *s = &t->seen;
    su_home_t home[1] = { SU_HOME_INIT(home) };
    snprintf(s->via, sizeof(s->via), "%s", sip->sip_via->v_protocol);
    copy_header(s->contact, sizeof(s->contact), sip->sip_contact);
    copy_header(s->event, sizeof(s->event), sip->sip_event);
    copy_header(s->if_match, sizeof(s->if_match), sip->sip_if_match);
    snprintf(s->target, sizeof(s->target), "%s", url_as_string(home, sip->sip_request->rq_url));
    s->service[0] = s->identity[0] = '\0';
    for (sip_unknown_t const *u = sip->sip_unknown; u != NULL; u = u->un_next)
        snprintf(strstr(u->un_name, "-Service") != NULL ? s->service : s->identity, sizeof(s->service), "%s: %s",
                 u->un_name, u->un_value);
    s->expires_s = sip->sip_expires == NULL ? UINT32_MAX : (uint32_t)sip->sip_expires->ex_delta;
    if (sip->sip_contact != NULL)
        snprintf(t->contact, sizeof(t->contact), "%s", url_as_string(home, sip->sip_contact->m_url));
    su_home_deinit(home);
}

static void answer(tiny_mcx *t, nta_incoming_t *irq, sip_t const *sip)
{
    char warning[256], expires[16], min_expires[16], contact[600], etag[32];
    const tiny_mcx_says *a = &t->says;
    const bool is_ok = a->status == 200 && sip->sip_expires != NULL;
    snprintf(warning, sizeof(warning), "399 server \"%s\"", a->warning == NULL ? "" : a->warning);
    snprintf(expires, sizeof(expires), "%u", a->for_the_contact ? 7200 : a->expires_s);
    snprintf(min_expires, sizeof(min_expires), "%u", a->min_expires_s);
    snprintf(contact, sizeof(contact), "<%s>;expires=%u", a->contact == NULL ? t->contact : a->contact, a->expires_s);
    snprintf(etag, sizeof(etag), "etag%u", t->seen.publishes);
    const bool has_contact = a->contact != NULL || (is_ok && a->for_the_contact);
    nta_incoming_treply(irq, a->status, sip_status_phrase(a->status),
                        TAG_IF(a->warning != NULL, SIPTAG_WARNING_STR(warning)),
                        TAG_IF(is_ok, SIPTAG_EXPIRES_STR(expires)), TAG_IF(has_contact, SIPTAG_CONTACT_STR(contact)),
                        TAG_IF(a->min_expires_s > 0, SIPTAG_MIN_EXPIRES_STR(min_expires)),
                        TAG_IF(is_ok && sip->sip_event != NULL, SIPTAG_ETAG_STR(etag)), TAG_END());
    nta_incoming_destroy(irq);
}

static bool on_other(void *user, nta_incoming_t *irq, sip_t const *sip)
{
    tiny_mcx *t = user;
    char type[256];
    const poc_span body = sip->sip_payload == NULL ? poc_span_of("", 0)
                                                   : poc_span_of(sip->sip_payload->pl_data, sip->sip_payload->pl_len);
    copy_header(type, sizeof(type), sip->sip_content_type);
    headers_note(t, sip);
    switch (sip->sip_request->rq_method) {
    case sip_method_register:
        t->seen.registers++;
        if (strcmp(type, "message/sip") == 0)
            third_take(t, body);
        else
            body_take(t, poc_span_str(type), body);
        break;
    case sip_method_publish:
        t->seen.publishes++;
        body_take(t, poc_span_str(type), body);
        break;
    case sip_method_message:
        t->seen.messages++;
        report_take(t, poc_span_str(type), body);
        break;
    default:
        return false;
    }
    if (!t->says.is_silent)
        answer(t, irq, sip);
    return true;
}

void tiny_mcx_behind(tiny_mcx *t, tiny_pf *pf, bool challenges)
{
    t->pf = pf;
    tiny_pf_others(pf, challenges, on_other, t);
}

/* ---- what goes out ---- */

static int on_told(tiny_mcx *t, nta_outgoing_t *orq, sip_t const *sip)
{
    if (nta_outgoing_status(orq) < 200)
        return 0;
    t->seen.told++;
    t->seen.told_status = nta_outgoing_status(orq);
    copy_header(t->seen.told_warning, sizeof(t->seen.told_warning), sip == NULL ? NULL : sip->sip_warning);
    return 0;
}

void tiny_mcx_send_body(tiny_mcx *t, const char *content_type, poc_span body, const tiny_mcx_way *way)
{
    char identity[256], service[256];
    su_home_t home[1] = { SU_HOME_INIT(home) };
    assert_true(t->sent_count < SENT_MAX);
    snprintf(identity, sizeof(identity), "P-Asserted-Identity: <%s>",
             way->asserts == NULL ? TINY_MCX_PSI : way->asserts);
    snprintf(service, sizeof(service), "P-Asserted-Service: %s",
             way->service == NULL ? "urn:urn-7:3gpp-service.ims.icsi.mcptt" : way->service);
    nta_leg_t *leg = nta_leg_tcreate(tiny_pf_agent(t->pf), NULL, NULL, SIPTAG_FROM_STR("<" TINY_MCX_PSI ">"),
                                     SIPTAG_TO_STR("<sip:alice@home1.example>"), TAG_END());
    assert_non_null(leg);
    nta_leg_tag(leg, NULL);
    sip_payload_t *payload = sip_payload_create(home, body.p, (issize_t)body.n);
    nta_outgoing_t *orq =
        way->by_notify ? nta_outgoing_tcreate(leg, on_told, t, NULL, SIP_METHOD_NOTIFY, URL_STRING_MAKE(t->contact),
                                              SIPTAG_EVENT_STR("poc-settings"), SIPTAG_SUBSCRIPTION_STATE_STR("active"),
                                              SIPTAG_CONTENT_TYPE_STR(content_type), SIPTAG_HEADER_STR(identity),
                                              SIPTAG_PAYLOAD(payload), TAG_END())
                       : nta_outgoing_tcreate(leg, on_told, t, NULL, SIP_METHOD_MESSAGE, URL_STRING_MAKE(t->contact),
                                              SIPTAG_CONTENT_TYPE_STR(content_type), SIPTAG_HEADER_STR(identity),
                                              SIPTAG_HEADER_STR(service), SIPTAG_PAYLOAD(payload), TAG_END());
    assert_non_null(orq);
    t->legs[t->sent_count] = leg;
    t->sent[t->sent_count++] = orq;
    su_home_deinit(home);
}

static poc_secret *secret_of(const tiny_mcx_key *key)
{
    uint8_t octets[16];
    poc_secret *secret;
    memset(octets, key->seed, sizeof(octets));
    assert_int_equal(poc_secret_from(&secret, octets, sizeof(octets)), POC_OK);
    return secret;
}

void tiny_mcx_send_key(tiny_mcx *t, const tiny_mcx_key *key, const tiny_mcx_way *way)
{
    uint8_t octets[MIKEY_MESSAGE_MAX], body[MIKEY_MESSAGE_MAX + 1024];
    char content_type[WIRE_MCX_CONTENT_TYPE_MAX];
    static uint32_t fraction; /* no two messages of one time; the last octet does not count */
    const mcx_key_parameters parameters = { .type = (mcx_key_type)(key->id >> 28),
                                            .is_revoked = key->is_revoked,
                                            .expiry_s = key->expiry_s };
    mcx_seal_params p = { .sender = &t->server,
                          .key_id = key->id,
                          .ntp = ntp_now() << 32 | ++fraction << 8,
                          .ntp_s = ntp_now(),
                          .parameters = &parameters };
    mcx_seal_job job = {
        .uri = poc_span_str(TINY_MCX_ALICE), .kms = &t->certificate, .out = octets, .cap = sizeof(octets)
    };
    poc_secret *secret = secret_of(key);
    poc_wr wr = poc_wr_into(body, sizeof(body));
    memset(p.rand, key->seed, sizeof(p.rand));
    assert_int_equal(mcx_cs_id_of(&p.cs_id, parameters.type, MCX_MCPTT), POC_OK);
    assert_int_equal(mcx_i_message_seal(&p, secret, &t->rng, &job, 1), POC_OK);
    poc_secret_free(secret);
    if (way->alters)
        octets[job.len - 100] ^= 1;
    assert_int_equal(
        wire_mcx_download_write(&wr, content_type, MCX_MCPTT, TINY_MCX_ALICE, poc_span_of(octets, job.len), &t->rng),
        POC_OK);
    tiny_mcx_send_body(t, content_type, poc_span_of(body, wr.len), way);
}

mcx_srtcp *tiny_mcx_side(tiny_mcx *t, const tiny_mcx_key *key)
{
    uint8_t rand[MIKEY_RAND_LEN];
    mcx_srtcp *s;
    mcx_srtp_context c = { .csb_id = t->csk.key_id,
                           .cs_id = t->csk.cs_id,
                           .rand = poc_span_of(t->csk.rand, t->csk.rand_len) };
    poc_secret *secret = key == NULL ? poc_secret_ref(t->csk.key) : secret_of(key);
    if (key != NULL) {
        memset(rand, key->seed, sizeof(rand));
        c = (mcx_srtp_context){ .csb_id = key->id, .rand = poc_span_of(rand, sizeof(rand)) };
        assert_int_equal(mcx_cs_id_of(&c.cs_id, (mcx_key_type)(key->id >> 28), MCX_MCPTT), POC_OK);
    }
    assert_int_equal(mcx_srtcp_new(&s, secret, &c, &mcx_aes128_gcm), POC_OK);
    poc_secret_free(secret);
    return s;
}
