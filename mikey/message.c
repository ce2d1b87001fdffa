/* The walk over a message: rules of the specification digest, 5.9. */
#include <string.h>

#include "mikey/payloads.h"

typedef struct walk {
    mikey_msg *msg;
    poc_rd rd;
    uint8_t times[MIKEY_KINDS_MAX];
} walk;

static poc_err admit(walk *w, const mikey_payload_kind *kind, size_t index)
{
    if (kind == NULL)
        return poc_rd_fail(&w->rd, "unknown payload");
    if ((kind->in & MIKEY_IN(w->msg->data_type)) == 0)
        return poc_rd_fail(&w->rd, "payload does not belong in this data type");
    if (w->times[index]++ == kind->most)
        return poc_rd_fail(&w->rd, "payload repeated");
    if (w->msg->payload_count == MIKEY_PAYLOADS_MAX)
        return poc_rd_fail(&w->rd, "too many payloads");
    return POC_OK;
}

/* Decodes the payload of type `*type` and sets `*type` to the next one. */
static poc_err step(walk *w, uint8_t *type)
{
    size_t index = 0;
    uint8_t next = MIKEY_LAST;
    const mikey_payload_kind *kind = mikey_payload_kind_of(*type, &index);
    POC_TRY(admit(w, kind, index));
    mikey_payload *payload = &w->msg->payloads[w->msg->payload_count++];
    payload->type = *type;
    payload->offset = poc_rd_offset(&w->rd);
    if (!kind->is_bare)
        POC_TRY(poc_rd_u8(&w->rd, &next));
    const uint8_t *body = w->rd.p;
    POC_TRY(kind->decode(w->msg, &w->rd));
    payload->body = poc_span_of(body, (size_t)(w->rd.p - body));
    if (kind->last && next != MIKEY_LAST)
        return poc_rd_fail(&w->rd, "payload behind the MAC");
    *type = next;
    return POC_OK;
}

/* What an I_MESSAGE must have (TS 33.180 E.1): everything but SP and the extensions. */
static poc_err complete_signed(walk *w)
{
    const mikey_msg *msg = w->msg;
    if (msg->rand.n == 0)
        return poc_rd_fail(&w->rd, "no RAND payload");
    if (!msg->idi.present || !msg->idr.present)
        return poc_rd_fail(&w->rd, "no IDRi or no IDRr");
    if (!msg->idkmsi.present || !msg->idkmsr.present)
        return poc_rd_fail(&w->rd, "no IDRkmsi or no IDRkmsr");
    if (msg->sed.n == 0)
        return poc_rd_fail(&w->rd, "no SAKKE payload");
    if (msg->signature.n == 0)
        return poc_rd_fail(&w->rd, "no SIGN payload");
    return POC_OK;
}

static poc_err complete(walk *w)
{
    const mikey_msg *msg = w->msg;
    if (msg->ts.n == 0)
        return poc_rd_fail(&w->rd, "no T payload");
    if (msg->data_type == MIKEY_I_MESSAGE)
        POC_TRY(complete_signed(w));
    if (msg->data_type == MIKEY_PSK && !msg->has_kemac)
        return poc_rd_fail(&w->rd, "no KEMAC payload");
    if (msg->data_type == MIKEY_PSK_VERIFICATION && !msg->has_v)
        return poc_rd_fail(&w->rd, "no V payload");
    if (msg->data_type == MIKEY_ERROR && !msg->has_error)
        return poc_rd_fail(&w->rd, "no ERR payload");
    return poc_rd_end(&w->rd);
}

poc_err mikey_decode(mikey_msg *out, poc_span datagram, poc_fault *fault)
{
    walk w = { .msg = out, .rd = poc_rd_over(datagram, fault) };
    uint8_t type;
    memset(out, 0, sizeof(*out));
    out->raw = datagram;
    if (datagram.n > MIKEY_MESSAGE_MAX)
        return poc_rd_fail(&w.rd, "longer than 2048 octets");
    POC_TRY(mikey_hdr_decode(out, &type, &w.rd));
    while (type != MIKEY_LAST)
        POC_TRY(step(&w, &type));
    return complete(&w);
}
