/* What the S-CSCF of a core sends to an application server when a user has registered (TS 24.229 5.4.1.7): a REGISTER of its
 * own, in whose body the user's stands. */
#include "ue/io/mcx.h"

enum { TAG_OCTETS = 8 };

static poc_err random_put(poc_wr *out)
{
    uint8_t octets[TAG_OCTETS];
    POC_TRY(poc_rng_system.fill(poc_rng_system.ctx, octets, sizeof(octets)));
    poc_hex_put(out, poc_span_of(octets, sizeof(octets)));
    return POC_OK;
}

poc_err mcx_inner_register_put(poc_wr *out, const struct mcx *m, uint32_t expires_s, const char *content_type,
                               poc_span body)
{
    const radio *r = m->radio;
    poc_wr_fmt(out, "REGISTER %s SIP/2.0\r\nVia: SIP/2.0/TCP ue.invalid;branch=z9hG4bK", m->domain);
    POC_TRY(random_put(out));
    poc_wr_fmt(out, "\r\nMax-Forwards: 70\r\nFrom: <%s>;tag=", r->impu);
    POC_TRY(random_put(out));
    poc_wr_fmt(out, "\r\nTo: <%s>\r\nCall-ID: ", r->impu);
    POC_TRY(random_put(out));
    poc_wr_fmt(out, "\r\nCSeq: 1 REGISTER\r\nContact: %s\r\nExpires: %u\r\n", m->contact, (unsigned)expires_s);
    if (body.n > 0)
        poc_wr_fmt(out, "Content-Type: %s\r\n", content_type);
    poc_wr_fmt(out, "Content-Length: %zu\r\n\r\n", body.n);
    poc_wr_span(out, body);
    return poc_wr_done(out);
}
