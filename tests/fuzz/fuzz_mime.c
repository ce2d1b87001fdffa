/* Any octets as a multipart body: refused, or parts that lie inside it in their order. The first line is the Content-Type. */
#include <stdlib.h>
#include <string.h>

#include "base/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = memchr(data, '\n', size);
    size_t head = line == NULL ? size : (size_t)(line - data);
    poc_span body = poc_span_of(data + head, size - head);
    poc_parts parts;
    poc_fault fault;
    if (poc_parts_read(&parts, poc_span_of(data, head), body, &fault) != POC_OK)
        return fault.reason == NULL ? abort(), 0 : 0;
    const uint8_t *end = body.p;
    for (size_t i = 0; i < parts.count; i++) {
        if (parts.part[i].body.p < end || parts.part[i].body.p + parts.part[i].body.n > body.p + body.n)
            abort();
        end = parts.part[i].body.p + parts.part[i].body.n;
    }
    return 0;
}
