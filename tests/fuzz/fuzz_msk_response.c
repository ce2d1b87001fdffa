/* Any octets as the answer of the key management service: refused, or every item has a status. The first octet chooses what was
 * asked for. */
#include <stdlib.h>
#include <string.h>

#include "ue/core/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *media_type;
    size_t count;
    ue_keyman_item items[2];
} asked[UE_KEYMAN_KINDS] = {
    [UE_KEYMAN_DEREGISTER] = { "application/mbms-register-response+xml", 1, { { .service_id = "urn:a" } } },
    [UE_KEYMAN_REGISTER] = { "application/mbms-register-response+xml",
                             2,
                             { { .service_id = "urn:a" }, { .service_id = "urn:b" } } },
    [UE_KEYMAN_MSK] = { "application/mbms-msk-response+xml",
                        2,
                        { { .key_domain = { { 0x00, 0xf1, 0x10 } }, .msk_id = 0x10010000 },
                          { .key_domain = { { 0x00, 0xf1, 0x10 } }, .msk_id = 0x10020003 } } },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const ue_keyman_kind kind = data[0] % UE_KEYMAN_KINDS;
    ue_keyman_item items[2];
    memcpy(items, asked[kind].items, sizeof(items));
    poc_span body = poc_span_of(data + 1, size - 1);
    if (ue_keyman_answer_read(items, asked[kind].count, kind, poc_span_str(asked[kind].media_type), body) != POC_OK)
        return 0;
    for (size_t i = 0; i < asked[kind].count; i++)
        if (items[i].status < 200 || items[i].status > 599)
            abort();
    return 0;
}
