/* Any octets as a body of MCX. The first octet says which: 'i' info, 's' signatures over the parts of a fixed message, 'u' MBMS
 * usage, 'r' an inner REGISTER; 'w' what is written encrypted and signed from the octets must be read again as it was. */
#include <stdlib.h>
#include <string.h>

#include "pf/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static poc_secret *confidentiality, *integrity;
static wire_mcx_keys keys;
static wire_mcx_ring ring;

static void start(void)
{
    poc_secret *csk;
    must(poc_secret_from(&csk, "0123456789abcdef", 16) == POC_OK);
    must(mcx_xml_keys(&confidentiality, &integrity, csk, 0x20000001, poc_span_str("sip:a@example.org")) == POC_OK);
    poc_secret_free(csk);
    keys = (wire_mcx_keys){ 0x20000001, confidentiality, integrity };
    ring = (wire_mcx_ring){ &keys, 1 };
}

static wire_mcx_info info;
static uint8_t text[2 * WIRE_MCX_BODY_MAX];

static void info_try(poc_span xml)
{
    static wire_mcx_info again;
    const char *why = NULL;
    const poc_err err = wire_mcx_info_read(&info, MCX_MCPTT, xml, &ring, &why);
    must(why != NULL && (why[0] == '\0') == (err == POC_OK));
    must(err == POC_OK || (info.access_token[0] == '\0' && info.client_id[0] == '\0' && info.request_uri[0] == '\0'));
    if (err != POC_OK)
        return;
    poc_wr wr = poc_wr_into(text, sizeof(text));
    const poc_err written = wire_mcx_info_write(&wr, &info, MCX_MCPTT, NULL, &poc_rng_system);
    must(written == POC_OK || written == POC_E_LIMIT);
    if (written != POC_OK || wr.len > WIRE_MCX_BODY_MAX)
        return;
    must(wire_mcx_info_read(&again, MCX_MCPTT, poc_span_of(text, wr.len), &ring, &why) == POC_OK);
    must(strcmp(info.access_token, again.access_token) == 0 && strcmp(info.client_id, again.client_id) == 0);
    must(strcmp(info.request_uri, again.request_uri) == 0);
}

static poc_parts parts_of(poc_span first)
{
    poc_parts parts = { .count = 2 };
    parts.part[0] = (poc_part){ .id = poc_span_str("<a@b>"), .body = first };
    parts.part[1] = (poc_part){ .id = poc_span_str("<c@d>"), .body = poc_span_str("<list/>") };
    return parts;
}

static void signatures_try(poc_span xml)
{
    const poc_parts parts = parts_of(poc_span_str("<info/>"));
    const char *why = NULL;
    uint32_t covered = 7;
    const poc_err err = wire_mcx_signed_check(&covered, MCX_MCPTT, xml, &parts, &ring, &why);
    must(why != NULL && (why[0] == '\0') == (err == POC_OK));
    must(err == POC_OK ? covered != 0 && covered < 4 : covered == 0);
}

static void usage_try(poc_span xml)
{
    static wire_mbms_listening l;
    const char *why = NULL;
    const poc_err err = wire_mbms_listening_read(&l, MCX_MCPTT, xml, &why);
    must(why != NULL && (why[0] == '\0') == (err == POC_OK));
    must(err != POC_OK || (l.tmgi_count > 0 && l.tmgi_count <= WIRE_MCX_TMGIS_MAX));
}

static bool is_inside(poc_span part, poc_span whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void register_try(poc_span octets)
{
    wire_register r;
    poc_fault fault;
    const poc_err err = wire_register_read(&r, octets, &fault);
    must(err == POC_OK ? r.to.n > 0 && r.from.n > 0 && r.request_uri.n > 0 : fault.reason != NULL);
    must(is_inside(r.to, octets) && is_inside(r.from, octets) && is_inside(r.contact, octets));
    must(is_inside(r.content_type, octets) && is_inside(r.request_uri, octets) && is_inside(r.body, octets));
}

static void written_try(poc_span octets)
{
    static wire_mcx_info again;
    const char *why = NULL;
    uint32_t covered;
    const poc_parts parts = parts_of(octets);
    poc_wr wr = poc_wr_into(text, sizeof(text));
    must(wire_mcx_signed_write(&wr, parts.part, parts.count, MCX_MCPTT, &keys) == POC_OK);
    must(wire_mcx_signed_check(&covered, MCX_MCPTT, poc_span_of(text, wr.len), &parts, &ring, &why) == POC_OK);
    must(covered == 3);
    if (octets.n >= sizeof(info.access_token))
        return;
    info = (wire_mcx_info){ .has_clear = false };
    memcpy(info.access_token, octets.p, octets.n);
    wr = poc_wr_into(text, sizeof(text));
    if (wire_mcx_info_write(&wr, &info, MCX_MCPTT, &keys, &poc_rng_system) != POC_OK)
        return; /* no text, or it grows beyond what fits when it is escaped */
    const poc_span token = poc_trim(poc_span_str(info.access_token));
    const poc_err err = wire_mcx_info_read(&again, MCX_MCPTT, poc_span_of(text, wr.len), &ring, &why);
    must(err == (token.n > 0 || info.access_token[0] == '\0' ? POC_OK : POC_E_INPUT));
    must(err != POC_OK || (poc_span_eq_str(token, again.access_token) && !again.has_clear));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        uint8_t octet;
        void (*try)(poc_span octets);
    } kinds[] = {
        { 'i', info_try }, { 's', signatures_try }, { 'u', usage_try }, { 'r', register_try }, { 'w', written_try }
    };
    if (keys.confidentiality == NULL)
        start();
    for (size_t i = 0; size > 0 && i < POC_COUNT(kinds); i++)
        if (kinds[i].octet == data[0])
            kinds[i].try(poc_span_of(data + 1, size - 1));
    return 0;
}
