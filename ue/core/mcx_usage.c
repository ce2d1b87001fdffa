/* Bodies about MBMS bearers (TS 24.379 14 and F.2, TS 24.281 F.2; digest 7.3): the announcement with the description of the
 * general purpose subchannel, and the report that a bearer is heard. */
#include <string.h>

#include "base/mime.h"
#include "base/xml.h"
#include "ue/core/core.h"

enum { DEPTH_MAX = 8, TEXT_MAX = 512, VERSION = 1 };

#define BODY_MAX ((size_t)16 * 1024)

static const struct {
    const char *type, *root, *space;
} documents[MCX_SERVICES] = {
    [MCX_MCPTT] = { "application/vnd.3gpp.mcptt-mbms-usage-info+xml", "mcptt-mbms-usage-info",
                    "urn:3gpp:ns:mcpttMbmsUsage:1.0" },
    [MCX_MCVIDEO] = { "application/vnd.3gpp.mcvideo-mbms-usage-info+xml", "mcvideo-mbms-usage-info",
                      "urn:3gpp:ns:mcvideoMbmsUsage:1.0" },
};

const char *ue_mcx_usage_type(mcx_service service)
{
    return documents[service].type;
}

static poc_err refuse(const char **why, const char *text)
{
    *why = text;
    return POC_E_INPUT;
}

/* ---- the document of an announcement ---- */

enum element { E_ROOT = 1, E_ANNOUNCEMENT, E_TMGI, E_QCI, E_AREAS, E_AREA, E_GPMS };

#define BIT(e) (1u << (e))

typedef struct reading {
    ue_mcx_bearer *out;
    mcx_service service;
    unsigned seen;
    uint64_t general_purpose_line; /* m-line of the description, from 1; 0: not said */
} reading;

static reading *once(poc_xml *x)
{
    reading *r = poc_xml_user(x);
    const unsigned bit = BIT(poc_xml_element(x));
    if ((r->seen & bit) != 0)
        poc_xml_stop(x, POC_E_INPUT, "an element twice");
    r->seen |= bit;
    return r;
}

static void open_once(poc_xml *x)
{
    (void)once(x);
}

static void close_tmgi(poc_xml *x, poc_span text)
{
    if (poc_hex_get_exact(once(x)->out->tmgi, UE_MCX_TMGI_LEN, text) != POC_OK)
        poc_xml_stop(x, POC_E_INPUT, "TMGI is not hex of 6 octets");
}

static void close_qci(poc_xml *x, poc_span text)
{
    uint64_t qci = 0;
    reading *r = once(x);
    if (poc_u64_get(&qci, UINT8_MAX, text) != POC_OK)
        poc_xml_stop(x, POC_E_INPUT, "QCI is no number of an octet");
    r->out->qci = (uint32_t)qci;
}

static void close_area(poc_xml *x, poc_span text)
{
    uint8_t id[2];
    ue_mcx_bearer *b = ((reading *)poc_xml_user(x))->out;
    if (b->area_count == UE_MCX_AREAS_MAX)
        poc_xml_stop(x, POC_E_LIMIT, "too many service areas");
    else if (poc_hex_get_exact(id, sizeof(id), text) != POC_OK)
        poc_xml_stop(x, POC_E_INPUT, "a service area is not hex of 2 octets");
    else
        b->areas[b->area_count++] = (uint16_t)(id[0] << 8 | id[1]);
}

static void close_gpms(poc_xml *x, poc_span text)
{
    reading *r = once(x);
    if (poc_u64_get(&r->general_purpose_line, POC_SDP_MEDIA_MAX, text) != POC_OK || r->general_purpose_line == 0)
        poc_xml_stop(x, POC_E_INPUT, "GPMS is no number of an m-line");
}

static const poc_xml_row rows[] = {
    { "", POC_XML_TOP, E_ROOT, NULL, NULL },
    { "announcement", E_ROOT, E_ANNOUNCEMENT, open_once, NULL },
    { "TMGI", E_ANNOUNCEMENT, E_TMGI, NULL, close_tmgi },
    { "QCI", E_ANNOUNCEMENT, E_QCI, NULL, close_qci },
    { "mbms-service-areas", E_ANNOUNCEMENT, E_AREAS, open_once, NULL },
    { "mbms-service-area-id", E_AREAS, E_AREA, NULL, close_area },
    { "GPMS", E_ANNOUNCEMENT, E_GPMS, NULL, close_gpms },
};

static bool is_row(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    const reading *r = poc_xml_user(x);
    const char *wanted = row->is == E_ROOT ? documents[r->service].root : row->name;
    return poc_span_eq_str(uri, documents[r->service].space) && poc_span_eq_str(name, wanted);
}

static const poc_xml_reader reader = { .rows = rows,
                                       .row_count = POC_COUNT(rows),
                                       .is_row = is_row,
                                       .foreign_root = "not an mbms-usage-info of this service",
                                       .octets_max = BODY_MAX,
                                       .depth_max = DEPTH_MAX,
                                       .text_max = TEXT_MAX };

static poc_err document_read(reading *r, poc_span xml, const char **why)
{
    POC_TRY(poc_xml_read(&reader, r, xml, why));
    if ((r->seen & BIT(E_ANNOUNCEMENT)) == 0 || (r->seen & BIT(E_TMGI)) == 0)
        return refuse(why, "no announcement, or one without a TMGI");
    return POC_OK;
}

/* ---- the description beside it ---- */

static bool has_key(poc_span lines)
{
    poc_span value;
    if (poc_sdp_attr(lines, "key-mgmt", &value) || poc_sdp_attr(lines, "crypto", &value))
        return true;
    while (lines.n > 0) {
        const poc_span line = poc_split(&lines, '\n');
        if (line.n >= 2 && line.p[0] == 'k' && line.p[1] == '=')
            return true;
    }
    return false;
}

/* MCX-4: keys come to each user by himself, sealed and signed. */
static bool carries_key(const poc_sdp *sdp)
{
    bool found = has_key(sdp->lines);
    for (size_t i = 0; i < sdp->media_count; i++)
        found = found || has_key(sdp->media[i].lines);
    return found;
}

static const poc_sdp_media *floor_line(const poc_sdp *sdp, uint64_t general_purpose_line)
{
    if (general_purpose_line > 0)
        return general_purpose_line <= sdp->media_count ? &sdp->media[general_purpose_line - 1] : NULL;
    for (size_t i = 0; i < sdp->media_count; i++) {
        if (poc_span_eq_nocase(sdp->media[i].type, "application") && poc_span_eq_nocase(sdp->media[i].proto, "udp"))
            return &sdp->media[i];
    }
    return NULL;
}

static const poc_sdp_media *audio_line(const poc_sdp *sdp)
{
    for (size_t i = 0; i < sdp->media_count; i++) {
        if (poc_span_eq_nocase(sdp->media[i].type, "audio") && sdp->media[i].port != 0)
            return &sdp->media[i];
    }
    return NULL;
}

static bool same_group(const bcast_channel *a, const bcast_channel *b)
{
    bcast_channel c = *b;
    memcpy(c.port, a->port, sizeof(c.port));
    return ue_channel_eq(a, &c);
}

static poc_err description_read(ue_mcx_bearer *out, uint64_t general_purpose_line, poc_span text, const char **why)
{
    poc_sdp sdp;
    bcast_channel media;
    if (poc_sdp_parse(&sdp, text, NULL) != POC_OK)
        return refuse(why, "malformed description");
    if (carries_key(&sdp))
        return refuse(why, "the announcement carries a key");
    const poc_sdp_media *floor = floor_line(&sdp, general_purpose_line), *audio = audio_line(&sdp);
    if (floor == NULL || floor->port == 0 || ue_sdp_group(&sdp, floor, &out->channel) != POC_OK)
        return refuse(why, "no general purpose subchannel to a group");
    out->channel.port[BCAST_FLOW_FLOOR] = floor->port;
    if (audio != NULL && audio != floor) {
        if (ue_sdp_group(&sdp, audio, &media) != POC_OK || !same_group(&out->channel, &media) ||
            audio->port == floor->port)
            return refuse(why, "media to another group than the subchannel, or to its port");
        out->channel.port[BCAST_FLOW_RTP] = audio->port;
    }
    out->has_channel = true;
    return POC_OK;
}

static void channel_name(ue_mcx_bearer *b)
{
    poc_wr wr = poc_wr_into(b->channel.id, sizeof(b->channel.id));
    poc_hex_put(&wr, poc_span_of(b->tmgi, sizeof(b->tmgi)));
    (void)poc_wr_text(&wr); /* 12 of 64 octets */
}

bool ue_mcx_is_announcement(mcx_service service, poc_span content_type, poc_span body)
{
    poc_parts parts;
    return body.n > 0 && poc_parts_read(&parts, content_type, body, NULL) == POC_OK &&
           poc_part_of(&parts, documents[service].type) != NULL;
}

poc_err ue_mcx_announcement_read(ue_mcx_bearer *out, mcx_service service, poc_span content_type, poc_span body,
                                 const char **why)
{
    poc_parts parts;
    reading r = { .out = out, .service = service };
    memset(out, 0, sizeof(*out));
    if (body.n == 0 || poc_parts_read(&parts, content_type, body, NULL) != POC_OK)
        return refuse(why, "malformed body");
    const poc_part *document = poc_part_of(&parts, documents[service].type);
    const poc_part *description = poc_part_of(&parts, "application/sdp");
    if (document == NULL || document->is_base64 || (description != NULL && description->is_base64))
        return refuse(why, "no mbms-usage-info of this service");
    if (poc_part_of(&parts, "application/mikey") != NULL)
        return refuse(why, "the announcement carries a key");
    POC_TRY(document_read(&r, document->body, why));
    if (description != NULL)
        POC_TRY(description_read(out, r.general_purpose_line, description->body, why));
    channel_name(out);
    *why = NULL;
    return POC_OK;
}

/* ---- listening status ---- */

poc_err ue_mcx_listening_write(poc_wr *out, mcx_service service, const uint8_t tmgi[UE_MCX_TMGI_LEN], bool is_listening)
{
    poc_wr_fmt(out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<%s xmlns=\"%s\"><mbms-listening-status>"
               "<mbms-listening-status>%s</mbms-listening-status><general-purpose>true</general-purpose><TMGI>",
               documents[service].root, documents[service].space, is_listening ? "listening" : "not-listening");
    poc_hex_put(out, poc_span_of(tmgi, UE_MCX_TMGI_LEN));
    poc_wr_fmt(out, "</TMGI></mbms-listening-status><version>%d</version></%s>\r\n", VERSION, documents[service].root);
    return poc_wr_done(out);
}
