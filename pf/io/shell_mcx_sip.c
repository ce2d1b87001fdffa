/* What clients of mission critical services ask by SIP, and the keys that go to them: the desk and the engine decide, here they
 * are put together with transactions. */
#include "pf/io/shell_mcx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOWNLOAD_ROOM = 4096 };

#define KEY_PURPOSE UINT32_C(0xF0000000)

/* ---- requests that wait ---- */

static shell_mcx_waiting *waiting_new(shell_mcx *x, sip_mcx_transaction *t)
{
    shell_mcx_waiting *w = (shell_mcx_waiting *)calloc(1, sizeof(*w));
    if (w == NULL)
        return NULL;
    w->transaction = t;
    w->next = x->waiting;
    x->waiting = w;
    return w;
}

static void waiting_remove(shell_mcx *x, const shell_mcx_waiting *w)
{
    shell_mcx_waiting **at = &x->waiting;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

void shell_mcx_waiting_free(shell_mcx *x)
{
    for (shell_mcx_waiting *w = x->waiting, *next; w != NULL; w = next) {
        next = w->next;
        free(w);
    }
    x->waiting = NULL;
}

/* ---- answers ---- */

static void answer(shell_mcx *x, shell_mcx_waiting *w, const wire_mcx_answer *a)
{
    char kind[16];
    waiting_remove(x, w);
    if (a->why[0] != '\0') {
        (void)snprintf(kind, sizeof(kind), "%d", a->status);
        log_refusal("mcx_refused", kind, a->impu, a->why);
        x->counts.refused++;
    } else {
        x->counts.done++;
    }
    sip_mcx_answer(w->transaction, a);
    free(w);
}

static void lost(wire_mcx_answer *a)
{
    *a = (wire_mcx_answer){ .status = 503,
                            .phrase = "Service Unavailable",
                            .retry_after_s = 5,
                            .why = "what an answer says could not be made durable" };
}

/** What is told to anybody must be durable, a log-off as well as a key. */
static void answer_when_durable(shell_mcx *x, shell_mcx_waiting *w, const wire_mcx_answer *a)
{
    shell *s = x->shell;
    shell_pump(s);
    const uint64_t due = a->status == 200 ? shell_due(s) : 0;
    if (due == 0) {
        answer(x, w, a);
        return;
    }
    w->due = due;
    w->answer = *a;
}

void shell_mcx_durable(const shell *s, uint64_t through, bool ok)
{
    shell_mcx *x = s->mcx;
    shell_mcx_waiting *next;
    for (shell_mcx_waiting *w = x == NULL ? NULL : x->waiting; w != NULL; w = next) {
        next = w->next;
        if (w->due == 0 || w->due > through)
            continue;
        if (!ok)
            lost(&w->answer);
        const wire_mcx_answer a = w->answer;
        answer(x, w, &a);
    }
}

/* ---- requests ---- */

void shell_mcx_request(void *user, sip_mcx_transaction *t, const wire_mcx_request *request)
{
    shell_mcx *x = ((shell *)user)->mcx;
    wire_mcx_answer a = { .status = 503, .phrase = "Service Unavailable", .retry_after_s = 5, .why = "out of memory" };
    shell_mcx_waiting *w = waiting_new(x, t);
    x->counts.requests++;
    if (w == NULL) {
        sip_mcx_answer(t, &a);
        return;
    }
    x->not_authorised = NULL;
    const wire_mcx_outcome outcome = wire_mcx_desk_serve(x->desk, io_now_ms(), request, &a);
    if (a.why[0] != '\0' && x->not_authorised != NULL)
        a.why = x->not_authorised; /* they know better than the desk */
    shell_mcx_timer_set(x);
    if (outcome == WIRE_MCX_ANSWERED) {
        answer_when_durable(x, w, &a);
        if (a.is_authorised && a.expires_s > 0)
            shell_mcx_announce_again(x, a.impu);
        return;
    }
    w->number = a.number;
    x->counts.uploads++;
    shell_pump(x->shell);
}

static shell_mcx_waiting *waiting_of(const shell_mcx *x, uint64_t number)
{
    shell_mcx_waiting *w = x->waiting;
    while (w != NULL && (w->due != 0 || w->number != number))
        w = w->next;
    return w;
}

void shell_mcx_bound(shell *s, const pocpf_effect *e)
{
    char user[WIRE_MCX_USER_MAX];
    wire_mcx_answer a;
    shell_mcx *x = s->mcx;
    const uint32_t csk_id = e->u.bound.csk_id;
    const bool ok = e->u.bound.ok;
    if (x == NULL)
        return;
    (void)snprintf(user, sizeof(user), "%s", e->user);
    if (ok)
        shell_mcx_guard_user(s, user); /* before anybody can have heard of the key */
    const bool is_last = wire_mcx_desk_bound(x->desk, io_now_ms(), user, csk_id, ok, &a);
    shell_mcx_timer_set(x);
    shell_mcx_waiting *w = is_last ? waiting_of(x, a.number) : NULL;
    if (w != NULL)
        answer(x, w, &a);
    if (ok)
        shell_mcx_announce_to(x, user);
}

/* ---- downloads ---- */

/** A CSK takes the place of whichever went to the user before for that service; a MuSiK, or that it is revoked, of what went out
 *  about that very key. Purpose tags keep the two apart (TS 33.180 5.2.2). */
static uint64_t topic_of(const pocpf_effect *e)
{
    const uint32_t key_id = e->u.download.key_id;
    mcx_key_type type;
    const bool is_csk = mcx_key_type_of(&type, key_id) == POC_OK && type == MCX_CSK;
    return is_csk ? (key_id & KEY_PURPOSE) | e->u.download.service : key_id;
}

static poc_err send_key(shell_mcx *x, const char *user, const pocpf_effect *e)
{
    uint8_t room[DOWNLOAD_ROOM];
    char content_type[WIRE_MCX_CONTENT_TYPE_MAX];
    wire_mcx_user who = { .impu = user, .where = "" };
    poc_wr body = poc_wr_into(room, sizeof(room));
    const shell *s = x->shell;
    const mcx_service service = (mcx_service)e->u.download.service;
    (void)wire_mcx_desk_look_for(x->desk, user, service, &who);
    POC_TRY(wire_mcx_download_write(&body, content_type, service, e->u.download.mc_id,
                                    poc_span_of(e->u.download.i_message, e->u.download.len), &poc_rng_system));
    const sip_mcx_message message = { .impu = who.impu,
                                      .where = who.where,
                                      .subject = user,
                                      .number = e->u.download.number,
                                      .topic = topic_of(e),
                                      .service = service,
                                      .by_notify = s->boot->mcx.download == CONFIG_DOWNLOAD_NOTIFY,
                                      .content_type = content_type,
                                      .body = poc_span_of(room, body.len),
                                      .timeout_ms = e->u.download.timeout_ms };
    bool replaced;
    POC_TRY(sip_mcx_send(s->sip, &message, &replaced));
    x->counts.downloads++;
    x->counts.not_downloaded += replaced;
    return POC_OK;
}

void shell_mcx_download(shell *s, const pocpf_effect *e)
{
    char user[WIRE_MCX_USER_MAX];
    const uint64_t number = e->u.download.number;
    (void)snprintf(user, sizeof(user), "%s", e->user);
    const poc_err err = s->mcx == NULL || s->is_draining ? POC_E_STATE : send_key(s->mcx, user, e);
    if (err == POC_OK)
        return;
    if (!s->is_draining)
        log_refusal("download_not_sent", poc_err_name(err), user, "a key cannot be sent to its user");
    (void)pocpf_download_answered(s->pf, io_now_ms(), user, number, false);
}

void shell_mcx_sent(void *user, const char *subject, uint64_t number, int status)
{
    char kind[16];
    shell *s = (shell *)user;
    shell_mcx *x = s->mcx;
    const bool ok = status >= 200 && status < 300;
    if (number == 0) {
        shell_mcx_announced(x, subject, status);
        return;
    }
    if (ok) {
        x->counts.downloaded++;
    } else {
        (void)snprintf(kind, sizeof(kind), "%d", status);
        log_refusal("download_not_taken", kind, subject, "a client does not take a key, or is not there");
        x->counts.not_downloaded++;
    }
    (void)pocpf_download_answered(s->pf, io_now_ms(), subject, number, ok);
    shell_pump(s);
}
