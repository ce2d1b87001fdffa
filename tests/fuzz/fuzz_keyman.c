/* Whole HTTP requests against a key management service with an engine behind it. The input is the request's parts, one a
 * line: method, target, content type, intended identity, Authorization, then the body. With "!" as Authorization the
 * request is signed as its user would: only then may anything be granted. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/wire/desk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static desk d;

static void start(void)
{
    must(desk_new(&d) == POC_OK);
    must(desk_challenge(&d) == POC_OK);
}

static bool sign(const wire_keyman_request *r)
{
    poc_wr wr = poc_wr_into(d.authorization, sizeof(d.authorization));
    return gba_ua_authorize(&d.alice.client, poc_span_str(d.challenge), poc_span_str(DESK_FQDN), r->method, r->target,
                            r->body, &d.rng, &wr) == POC_OK &&
           poc_wr_text(&wr) == POC_OK;
}

static void answer_holds_together(const wire_keyman_request *r, bool is_signed)
{
    const wire_keyman_answer *a = &d.answer;
    pocpf_effect e;
    must(a->status >= 200 && a->status < 600 && a->why != NULL);
    must((a->www_authenticate[0] != '\0') == (a->status == 401));
    must((a->retry_after_s > 0) == (a->status == 503));
    must((a->content_type == NULL) == (a->body_len == 0) && a->body_len <= sizeof(a->body));
    must(is_signed || (a->status != 200 && a->user[0] == '\0' && !pocpf_poll(d.pf, &e)));
    if (a->body_len == 0)
        return;
    must(gba_ua_check_answer(&d.alice.client, r->authorization, poc_span_str(a->authentication_info),
                             poc_span_of(a->body, a->body_len)) == POC_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_up;
    if (!is_up)
        start();
    is_up = true;
    poc_span rest = poc_span_of(data, size);
    wire_keyman_request r = { .address = "192.0.2.7", .address_len = 9 };
    r.method = poc_split(&rest, '\n');
    r.target = poc_split(&rest, '\n');
    r.content_type = poc_split(&rest, '\n');
    r.intended_identity = poc_split(&rest, '\n');
    r.authorization = poc_split(&rest, '\n');
    r.body = rest;
    bool is_signed = poc_span_eq_str(r.authorization, "!") && sign(&r);
    if (is_signed)
        r.authorization = poc_span_str(d.authorization);
    d.now_ms += 1000;
    if (d.now_ms % 256000 == 0 || d.alice.client.nc > 100) { /* before the nonce is old */
        desk_done(&d);
        start();
        return 0;
    }
    if (wire_keyman_serve(d.k, d.now_ms, &r, &d.answer) == WIRE_KEYMAN_ANSWERED)
        answer_holds_together(&r, is_signed);
    else
        must(!is_signed);
    must(desk_run(&d) == POC_OK);
    return 0;
}
