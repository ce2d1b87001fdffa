/* A BSF that knows the keys and sends what it likes: any octets as the challenge, and as the body of a success whose
 * rspauth holds. */
#include <stdlib.h>
#include <string.h>

#include "gba/gba.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BSF "bsf.example.org"

static const uint8_t k[16] = { 1 }, opc[16] = { 2 }, amf[2] = { 0x80 }, rand_octets[16] = { 3 };

static poc_err fill(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 4, n);
    return POC_OK;
}

static const poc_rng constant = { fill, NULL };

static void must(bool holds)
{
    if (!holds)
        abort();
}

static poc_err answer(gba_ub_client *c, int status, poc_span challenge, poc_span info, poc_span body,
                      gba_bootstrap *boot)
{
    gba_ub_next next;
    return gba_ub_client_answer(c, status, challenge, info, body, &next, boot);
}

static void vector_make(gba_vector *v, char *challenge, size_t cap)
{
    gba_usim network;
    uint8_t octets[32];
    poc_wr wr = poc_wr_into(challenge, cap);
    must(gba_usim_init(&network, k, opc, 0, amf) == POC_OK);
    must(gba_vector_make(v, &network, rand_octets) == POC_OK);
    memcpy(octets, v->rand, 16);
    memcpy(octets + 16, v->autn, 16);
    poc_wr_fmt(&wr, "Digest realm=\"" BSF "\", algorithm=AKAv1-MD5, qop=\"auth-int\", nonce=\"");
    poc_base64_put(&wr, poc_span_of(octets, sizeof(octets)));
    poc_wr_fmt(&wr, "\"");
    must(poc_wr_text(&wr) == POC_OK);
    gba_usim_done(&network);
}

/* The rspauth that fits the client's last request. */
static void rspauth_put(poc_wr *wr, gba_ub_client *c, const gba_vector *v, poc_span body)
{
    char request[GBA_HEADER_MAX], rspauth[33];
    poc_wr sent = poc_wr_into(request, sizeof(request));
    gba_digest d;
    must(gba_ub_client_request(c, &sent) == POC_OK);
    must(gba_digest_parse(&d, poc_span_of(request, sent.len), true, NULL) == POC_OK);
    const gba_digest_input in = {
        d.username, d.realm, poc_span_of(v->res, 8), poc_span_of(NULL, 0), d.uri, d.nonce, d.nc, d.cnonce, d.qop, body
    };
    must(gba_digest_response(rspauth, &in) == POC_OK);
    poc_wr_fmt(wr, "rspauth=\"%s\"", rspauth);
}

static void as_body(gba_usim *usim, poc_span body)
{
    char challenge[GBA_HEADER_MAX], info[64];
    poc_wr wr = poc_wr_into(info, sizeof(info));
    gba_ub_client *c;
    gba_bootstrap boot;
    gba_vector v;
    vector_make(&v, challenge, sizeof(challenge));
    must(gba_ub_client_new(&c, poc_span_str("a@b"), poc_span_str(BSF), usim, &constant) == POC_OK);
    must(answer(c, 401, poc_span_str(challenge), poc_span_of(NULL, 0), poc_span_of(NULL, 0), &boot) == POC_OK);
    rspauth_put(&wr, c, &v, body);
    poc_err err = answer(c, 200, poc_span_of(NULL, 0), poc_span_of(info, wr.len), body, &boot);
    must(err == POC_E_INPUT || (err == POC_OK && strchr(boot.btid, '@') != NULL && boot.ks != NULL));
    gba_bootstrap_done(&boot);
    gba_ub_client_free(c);
    gba_vector_done(&v);
}

static void as_challenge(gba_usim *usim, poc_span header)
{
    gba_ub_client *c;
    gba_bootstrap boot;
    must(gba_ub_client_new(&c, poc_span_str("a@b"), poc_span_str(BSF), usim, &constant) == POC_OK);
    must(answer(c, 401, header, poc_span_of(NULL, 0), poc_span_of(NULL, 0), &boot) != POC_E_BUG);
    gba_ub_client_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gba_usim usim;
    must(gba_usim_init(&usim, k, opc, 0, amf) == POC_OK);
    as_challenge(&usim, poc_span_of(data, size));
    usim.sqn = 0;
    as_body(&usim, poc_span_of(data, size));
    gba_usim_done(&usim);
    must(poc_secret_live_count() == 0);
    return 0;
}
