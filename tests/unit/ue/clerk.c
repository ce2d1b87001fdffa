#include "clerk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/text.h"

void clerk_open(clerk *c, pair *p)
{
    gba_naf_settings s = { .fqdn = poc_span_str("pf1.poc.example.org"), .nonce_lifetime_s = 60, .users_max = 8 };
    memcpy(s.ua_id, gba_ua_id_mbms, sizeof(s.ua_id));
    *c = (clerk){ .pair = p, .item_status = 200 };
    assert_int_equal(gba_naf_new(&c->naf, &s, &p->rng), POC_OK);
}

void clerk_close(clerk *c)
{
    gba_naf_free(c->naf);
}

static gba_naf_verdict check(clerk *c, const gba_request *request, gba_naf_user *user)
{
    const int64_t now_s = c->pair->now_ms / 1000;
    const char *why;
    gba_naf_verdict verdict = gba_naf_check(c->naf, now_s, request, user, &why);
    if (verdict != GBA_NAF_ASK_ZN)
        return verdict;
    gba_zn_answer zn;
    poc_span btid = gba_naf_btid(request);
    assert_int_equal(gba_bsf_zn(c->pair->bsf, now_s, btid, gba_naf_naf_id(c->naf), &zn), POC_OK);
    assert_int_equal(gba_naf_learn(c->naf, now_s, btid, &zn), POC_OK);
    gba_zn_answer_done(&zn);
    return gba_naf_check(c->naf, now_s, request, user, &why);
}

static void challenge(clerk *c, bool stale, clerk_answer *a)
{
    poc_wr wr = poc_wr_into(a->www_authenticate, sizeof(a->www_authenticate));
    a->status = 401;
    assert_int_equal(gba_naf_challenge(c->naf, c->pair->now_ms / 1000, stale, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

/* Every element of this name in the request gets a response with what is in it. */
static void respond_each(clerk *c, const char *element, poc_wr *out)
{
    char open[32], shut[32];
    snprintf(open, sizeof(open), "<%s>", element);
    snprintf(shut, sizeof(shut), "</%s>", element);
    for (const char *at = c->body; (at = strstr(at, open)) != NULL;) {
        const char *end = strstr(at, shut);
        assert_non_null(end);
        end += strlen(shut);
        poc_wr_fmt(out, "  <Response>");
        poc_wr_put(out, at, (size_t)(end - at));
        poc_wr_fmt(out, "<ResponseCode>%d %s</ResponseCode></Response>\n", c->item_status,
                   c->item_status == 200 ? "OK" : "Refused");
        at = end;
    }
}

static void respond(clerk *c, clerk_answer *a)
{
    bool is_msk = strstr(c->target, "msk-request") != NULL;
    const char *root = is_msk ? "mskResponse" : "mbmsSecurityRegisterResponse";
    poc_wr wr = poc_wr_into(a->body, sizeof(a->body));
    a->content_type = is_msk ? "application/mbms-msk-response+xml" : "application/mbms-register-response+xml";
    poc_wr_fmt(&wr, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s xmlns=\"urn:x\">\n", root);
    respond_each(c, is_msk ? "MSK" : "serviceID", &wr);
    poc_wr_fmt(&wr, "</%s>\n", root);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

static void prove(clerk *c, const gba_request *request, clerk_answer *a)
{
    poc_wr wr = poc_wr_into(a->authentication_info, sizeof(a->authentication_info));
    poc_span body = poc_span_str(c->lies ? "another body" : a->body);
    assert_int_equal(gba_naf_authentication_info(c->naf, request, body, &wr), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

static bool is_refused(clerk *c, const gba_naf_user *user)
{
    if (c->wants_new_bootstrap) {
        snprintf(c->old_btid, sizeof(c->old_btid), "%s", user->btid);
        c->wants_new_bootstrap = false;
    }
    return strcmp(c->old_btid, user->btid) == 0;
}

void clerk_serve(clerk *c, const char *target, const char *authorization, poc_span body, clerk_answer *a)
{
    gba_naf_user user;
    gba_request request = { .method = poc_span_str("POST"),
                            .uri = poc_span_str(target),
                            .body = body,
                            .authorization = poc_span_str(authorization) };
    *a = (clerk_answer){ .status = 200, .content_type = "" };
    c->posts++;
    if (c->whole_status != 0) {
        a->status = c->whole_status;
        return;
    }
    gba_naf_verdict verdict = check(c, &request, &user);
    if (verdict != GBA_NAF_OK || is_refused(c, &user)) {
        challenge(c, verdict == GBA_NAF_STALE, a);
        return;
    }
    c->served++;
    snprintf(c->btid, sizeof(c->btid), "%s", user.btid);
    snprintf(c->target, sizeof(c->target), "%s", target);
    snprintf(c->body, sizeof(c->body), "%.*s", (int)body.n, (const char *)body.p);
    respond(c, a);
    prove(c, &request, a);
}
