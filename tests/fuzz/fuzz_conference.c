/* Any octets as a NOTIFY body: refused with a reason, or a document that holds together. */
#include <stdlib.h>
#include <string.h>

#include "pf/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const pocpf_conference *d)
{
    for (size_t i = 0; i < d->user_count_listed; i++)
        for (size_t j = 0; j < d->users[i].endpoint_count; j++)
            if (strlen(d->users[i].entity) == 0 || strlen(d->users[i].endpoints[j].entity) == 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    POC_OWNED(wire_conference, c, wire_conference_free);
    const char *why = NULL;
    if (wire_conference_read(&c, poc_span_of(data, size), &why) == POC_OK)
        walk(wire_conference_document(c));
    else if (why == NULL || c != NULL)
        abort();
    return 0;
}
