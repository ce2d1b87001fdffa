/* Any octets as a body of the key management service. The first octet says which one; what is read must be written, and
 * read again to the same. */
#include <stdlib.h>
#include <string.h>

#include "pf/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool item_eq(const wire_mbms_item *a, const wire_mbms_item *b)
{
    return strcmp(a->service_id, b->service_id) == 0 && poc_key_domain_eq(a->key_domain, b->key_domain) &&
           a->msk_id == b->msk_id && a->status == b->status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static wire_mbms_body body, again;
    static uint8_t text[8 * WIRE_MBMS_BODY_MAX];
    const char *why = NULL;
    if (size == 0)
        return 0;
    wire_mbms_procedure p = (wire_mbms_procedure)(data[0] % WIRE_MBMS_PROCEDURES);
    wire_mbms_way way = data[0] & 0x10 ? WIRE_MBMS_RESPONSE : WIRE_MBMS_REQUEST;
    if (wire_mbms_read(&body, p, way, poc_span_of(data + 1, size - 1), &why) != POC_OK) {
        must(why != NULL && why[0] != '\0');
        return 0;
    }
    must(body.count > 0 && body.count <= WIRE_MBMS_ITEMS_MAX);
    poc_wr wr = poc_wr_into(text, sizeof(text));
    if (wire_mbms_write(&wr, &body, p, way) != POC_OK)
        return 0; /* a status that we do not give */
    poc_err err = wire_mbms_read(&again, p, way, poc_span_of(text, wr.len), &why);
    must(err == POC_OK || (err == POC_E_LIMIT && wr.len > WIRE_MBMS_BODY_MAX));
    must(err != POC_OK || again.count == body.count);
    for (size_t i = 0; err == POC_OK && i < body.count; i++)
        must(item_eq(&body.items[i], &again.items[i]));
    return 0;
}
