/* Reports which bearers are heard (TS 24.379 14.2.3). */
#include "ue/io/mcx.h"

static int on_report(radio *r, nta_outgoing_t *orq, sip_t const *sip);

typedef mcx_report report;

static poc_err report_send(struct mcx *m, report *p, const char *authorization)
{
    const mcx_sending s = { .method = sip_method_message,
                            .method_name = "MESSAGE",
                            .request_uri = m->psi,
                            .leg = p->leg,
                            .says_who = true,
                            .authorization = authorization,
                            .content_type = p->content_type,
                            .body = poc_span_of(p->body, p->body_len) };
    return mcx_send(m, &p->request, on_report, &s);
}

static void report_end(report *p)
{
    radio_request_end(&p->request);
    if (p->leg != NULL)
        nta_leg_destroy(p->leg);
    p->leg = NULL;
}

static void report_settle(struct mcx *m, report *p, int status, sip_t const *sip)
{
    char room[RADIO_TEXT_MAX];
    const char *reason = mcx_reason(sip, status, room, sizeof(room));
    report_end(p);
    mcx_tell(m, RADIO_MCX_ANSWERED, "MESSAGE", status, reason);
}

static report *report_of(struct mcx *m, const nta_outgoing_t *orq)
{
    for (size_t i = 0; i < RADIO_MCX_REPORTS_MAX; i++)
        if (m->reports[i].request.orq == orq)
            return &m->reports[i];
    return NULL;
}

static int on_report(radio *r, nta_outgoing_t *orq, sip_t const *sip)
{
    char authorization[GBA_HEADER_MAX];
    const int status = nta_outgoing_status(orq);
    report *p = report_of(r->mcx, orq);
    if (status < 200 || p == NULL)
        return 0;
    if (status == 401 &&
        radio_challenge_answer(r, &p->request, sip, poc_span_of(p->body, p->body_len), authorization) &&
        report_send(r->mcx, p, authorization) == POC_OK)
        return 0;
    report_settle(r->mcx, p, status, sip);
    radio_pump(r);
    return 0;
}

poc_err radio_mcx_report(radio *r, const uint8_t tmgi[POCUE_MCX_TMGI_LEN], bool is_listening)
{
    struct mcx *m = r->mcx;
    report *p = m == NULL ? NULL : report_of(m, NULL);
    if (m == NULL)
        return POC_E_STATE;
    if (p == NULL)
        return POC_E_LIMIT;
    poc_wr wr = poc_wr_into(p->body, sizeof(p->body));
    POC_TRY(pocue_mcx_listening_write(r->ue, tmgi, is_listening, p->content_type, &wr));
    p->body_len = wr.len;
    p->answer_by_ms = radio_now_ms() + m->answer_ms;
    p->leg = mcx_leg_make(m, NULL, m->psi);
    const poc_err err = p->leg == NULL ? POC_E_NOMEM : report_send(m, p, NULL);
    if (err != POC_OK)
        report_end(p);
    radio_pump(r);
    return err;
}

void mcx_reports_run(struct mcx *m, int64_t now_ms)
{
    for (size_t i = 0; i < RADIO_MCX_REPORTS_MAX; i++)
        if (m->reports[i].request.orq != NULL && now_ms >= m->reports[i].answer_by_ms)
            report_settle(m, &m->reports[i], 408, NULL);
}

int64_t mcx_reports_deadline_ms(const struct mcx *m)
{
    int64_t at_ms = INT64_MAX;
    for (size_t i = 0; i < RADIO_MCX_REPORTS_MAX; i++)
        if (m->reports[i].request.orq != NULL && m->reports[i].answer_by_ms < at_ms)
            at_ms = m->reports[i].answer_by_ms;
    return at_ms;
}

void mcx_reports_close(struct mcx *m)
{
    for (size_t i = 0; i < RADIO_MCX_REPORTS_MAX; i++)
        report_end(&m->reports[i]);
}
