/* Bodies that are carried between a client and the core, as the shell wants them carried on. */
#include <stdlib.h>
#include <string.h>

#include <sofia-sip/msg_addr.h>

#include "pf/io/sip_private.h"

static sip_content as_it_is(sip_t const *m)
{
    return (sip_content){ m->sip_content_type, m->sip_payload };
}

/** What was changed, in the memory of the request. */
static poc_err content_make(sip_content *out, su_home_t *home, const wire_mcx_carried *c)
{
    out->type = sip_content_type_make(home, c->content_type);
    out->payload = sip_payload_create(home, c->body, (isize_t)c->len);
    return out->type != NULL && out->payload != NULL ? POC_OK : POC_E_NOMEM;
}

static poc_err content_ask(sip_content *out, const sip_inbound *in, const char *who, bool from_client, const char **why)
{
    const sip *s = in->sip;
    su_home_t *home = msg_home(in->msg);
    const char *type = sip_header_as_string(home, (sip_header_t const *)in->m->sip_content_type);
    wire_mcx_carried *c = malloc(sizeof(*c));
    poc_err err = c == NULL || type == NULL ? POC_E_NOMEM : POC_OK;
    *why = "out of memory";
    if (err == POC_OK) {
        err = s->events->content(s->user, who, from_client, poc_span_str(type), sip_body(in->m), c);
        *why = c->why;
    }
    if (err == POC_OK && c->has_changed)
        err = content_make(out, home, c);
    if (c != NULL)
        poc_wipe(c, sizeof(*c));
    free(c);
    return err;
}

static void refuse(sip_inbound *in, poc_err err, const char *who, const char *why)
{
    nta_incoming_t *irq = in->irq;
    in->irq = NULL;
    sip_refused(in->sip, err, who, why);
    if (err == POC_E_AUTH)
        sip_refuse(in->sip, irq, SIP_403_FORBIDDEN, "content is not protected by its sender");
    else if (err == POC_E_INPUT)
        sip_refuse(in->sip, irq, SIP_400_BAD_REQUEST, "protected content cannot be read");
    else
        sip_refuse(in->sip, irq, SIP_500_INTERNAL_SERVER_ERROR, "protected content cannot be carried on");
    sip_inbound_free(in);
}

bool sip_content_settle(sip_content *out, sip_inbound *in, const char *who, bool from_client)
{
    const char *why;
    *out = as_it_is(in->m);
    if (in->sip->events->content == NULL || in->m->sip_content_type == NULL || sip_body(in->m).n == 0)
        return true;
    const poc_err err = content_ask(out, in, who, from_client, &why);
    if (err != POC_OK)
        refuse(in, err, who, why);
    return err == POC_OK;
}

static poc_err alone(sip_content *out, su_home_t *home, poc_span sdp)
{
    out->type = sip_content_type_make(home, SIP_SDP_TYPE);
    out->payload = sip_payload_create(home, sdp.p, (isize_t)sdp.n);
    return out->type != NULL && out->payload != NULL ? POC_OK : POC_E_NOMEM;
}

poc_err sip_content_describe(sip_content *out, su_home_t *home, sip_content content, poc_span sdp)
{
    if (content.type == NULL)
        return alone(out, home, sdp);
    const char *type = sip_header_as_string(home, (sip_header_t const *)content.type);
    wire_mcx_carried *c = malloc(sizeof(*c));
    poc_err err = c == NULL || type == NULL ? POC_E_NOMEM : POC_OK;
    if (err == POC_OK)
        err = wire_mcx_redescribe(c, poc_span_str(type), poc_span_of(content.payload->pl_data, content.payload->pl_len),
                                  sdp, &poc_rng_system);
    if (err == POC_OK)
        err = content_make(out, home, c);
    free(c);
    return err;
}
