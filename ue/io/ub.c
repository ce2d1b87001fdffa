/* Bootstrapping over Ub: a GET to the BSF, repeated as long as libpocue says so. */
#include <string.h>

#include "ue/io/inside.h"

static poc_err request_send(radio *r)
{
    char authorization[GBA_HEADER_MAX];
    poc_wr wr = poc_wr_into(authorization, sizeof(authorization));
    POC_TRY(pocue_ub_request(r->ue, &wr));
    POC_TRY(poc_wr_text(&wr));
    radio_http_begin(&r->ub);
    POC_TRY(radio_http_header(&r->ub, "Authorization", authorization));
    POC_TRY(radio_http_header(&r->ub, "Host", r->bsf_fqdn));
    return radio_http_send(&r->ub, r->bsf_url, poc_span_of(NULL, 0));
}

static void ub_end(radio *r, radio_event what, int status, const char *text)
{
    radio_tell(r, what, status, text);
    radio_mcx_bootstrapped(r, what == RADIO_BOOTSTRAPPED);
    radio_pump(r);
}

static void on_done(radio *r, int status, const char *error)
{
    const http *u = &r->ub;
    bool again = false;
    if (status == 0) {
        ub_end(r, RADIO_BOOTSTRAP_FAILED, 0, error);
        return;
    }
    poc_err err = pocue_ub_answer(r->ue, radio_now_ms(), status, poc_span_str(u->www_authenticate),
                                  poc_span_str(u->authentication_info), poc_span_of(u->body, u->body_len), &again);
    if (err == POC_OK && again)
        err = request_send(r);
    if (err != POC_OK)
        ub_end(r, RADIO_BOOTSTRAP_FAILED, status, poc_err_name(err));
    else if (!again)
        ub_end(r, RADIO_BOOTSTRAPPED, status, NULL);
}

poc_err radio_bootstrap(radio *r)
{
    return r->ub.is_running ? POC_E_STATE : request_send(r);
}

poc_err radio_ub_open(radio *r, const char *bsf_url)
{
    if (bsf_url == NULL || strlen(bsf_url) >= sizeof(r->bsf_url))
        return POC_E_INPUT;
    memcpy(r->bsf_url, bsf_url, strlen(bsf_url) + 1);
    return radio_http_open(r, &r->ub, on_done);
}

void radio_ub_close(radio *r)
{
    radio_http_close(&r->ub);
}
