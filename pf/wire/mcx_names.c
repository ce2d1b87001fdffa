/* Names that differ between MCPTT and MCVideo: a correction is one line here. */
#include <string.h>

#include "base/text.h"
#include "pf/wire/mcx.h"

const mcx_dialect mcx_dialects[MCX_SERVICES] = {
    [MCX_MCPTT] = { "mcptt", "urn:3gpp:ns:mcpttInfo:1.0", "urn:3gpp:ns:mcpttMbmsUsage:1.0",
                    "urn:3gpp:ns:mcpttSigned:1.0" },
    [MCX_MCVIDEO] = { "mcvideo", "urn:3gpp:ns:mcvideoInfo:1.0", "urn:3gpp:ns:mcvideoMbmsUsage:1.0",
                      "urn:3gpp:ns:mcvideoSigned:1.0" },
};

static const char *const media_types[WIRE_MCX_BODIES][MCX_SERVICES] = {
    [WIRE_MCX_INFO] = { "application/vnd.3gpp.mcptt-info+xml", "application/vnd.3gpp.mcvideo-info+xml" },
    [WIRE_MCX_MBMS_USAGE] = { "application/vnd.3gpp.mcptt-mbms-usage-info+xml",
                              "application/vnd.3gpp.mcvideo-mbms-usage-info+xml" },
    [WIRE_MCX_SIGNED] = { "application/vnd.3gpp.mcptt-signed+xml", "application/vnd.3gpp.mcvideo-signed+xml" },
};

const char *wire_mcx_media_type(wire_mcx_body body, mcx_service service)
{
    return media_types[body][service];
}

bool mcx_is_named(const char *pattern, const mcx_dialect *dialect, const char *space, poc_span name, poc_span uri)
{
    const size_t n = strlen(dialect->prefix);
    if (strncmp(pattern, "e:", 2) == 0)
        return poc_span_eq_str(uri, MCX_XENC_SPACE) && poc_span_eq_str(name, pattern + 2);
    if (strncmp(pattern, "d:", 2) == 0)
        return poc_span_eq_str(uri, MCX_DSIG_SPACE) && poc_span_eq_str(name, pattern + 2);
    if (!poc_span_eq_str(uri, space))
        return false;
    if (pattern[0] != '*')
        return poc_span_eq_str(name, pattern);
    return name.n >= n && memcmp(name.p, dialect->prefix, n) == 0 &&
           poc_span_eq_str(poc_span_of(name.p + n, name.n - n), pattern + 1);
}

bool mcx_base64_take(uint8_t *out, size_t cap, size_t *n, poc_span text)
{
    char squeezed[POC_XML_TEXT_MAX];
    size_t len = 0;
    if (text.n > sizeof(squeezed))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (memchr(" \t\r\n", text.p[i], 4) == NULL)
            squeezed[len++] = (char)text.p[i];
    return poc_base64_get(out, cap, n, poc_span_of(squeezed, len)) == POC_OK;
}

const wire_mcx_keys *mcx_key_named(const wire_mcx_ring *ring, poc_span key_name)
{
    uint8_t octets[4];
    uint32_t id;
    size_t n = 0;
    if (!mcx_base64_take(octets, sizeof(octets), &n, key_name) || n != sizeof(octets))
        return NULL;
    poc_rd rd = poc_rd_over(poc_span_of(octets, n), NULL);
    (void)poc_rd_u32(&rd, &id); /* four octets are there */
    for (size_t i = 0; i < ring->count; i++)
        if (ring->keys[i].key_id == id)
            return &ring->keys[i];
    return NULL;
}

void mcx_key_name_put(poc_wr *out, uint32_t key_id)
{
    uint8_t octets[4];
    poc_wr wr = poc_wr_into(octets, sizeof(octets));
    poc_wr_u32(&wr, key_id);
    poc_base64_put(out, poc_span_of(octets, sizeof(octets)));
}
