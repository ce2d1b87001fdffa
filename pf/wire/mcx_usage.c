/* mbms-usage-info (TS 24.379 F.2, TS 24.281 F.2): which bearers there are, and which of them a client hears. */
#include <string.h>

#include "base/text.h"
#include "pf/wire/mcx.h"

enum { DEPTH_MAX = 8, VERSION = 1 };

/* ---- announcement ---- */

poc_err wire_mbms_announcement_write(poc_wr *out, const wire_mbms_announcement *a, mcx_service service)
{
    const mcx_dialect *d = &mcx_dialects[service];
    if (a->area_count > WIRE_MCX_AREAS_MAX)
        return POC_E_INPUT;
    poc_wr_fmt(out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s-mbms-usage-info xmlns=\"%s\">\n  <announcement>\n"
               "    <TMGI>",
               d->prefix, d->usage_space);
    poc_hex_put(out, poc_span_of(a->tmgi, sizeof(a->tmgi)));
    poc_wr_fmt(out, "</TMGI>\n");
    if (a->qci != 0)
        poc_wr_fmt(out, "    <QCI>%u</QCI>\n", (unsigned)a->qci);
    if (a->area_count > 0)
        poc_wr_fmt(out, "    <mbms-service-areas>\n");
    for (size_t i = 0; i < a->area_count; i++)
        poc_wr_fmt(out, "      <mbms-service-area-id>%04x</mbms-service-area-id>\n", (unsigned)a->areas[i]);
    if (a->area_count > 0)
        poc_wr_fmt(out, "    </mbms-service-areas>\n");
    if (a->general_purpose_line > 0)
        poc_wr_fmt(out, "    <GPMS>%u</GPMS>\n", (unsigned)a->general_purpose_line);
    poc_wr_fmt(out, "  </announcement>\n  <version>%d</version>\n</%s-mbms-usage-info>\n", VERSION, d->prefix);
    return poc_wr_done(out);
}

/* ---- listening status ---- */

enum element { E_ROOT = 1, E_STATUS, E_WORD, E_SESSION, E_GENERAL, E_TMGI };

#define BIT(e) (1u << (e))

typedef struct reading {
    wire_mbms_listening *out;
    const mcx_dialect *dialect;
    unsigned seen;
} reading;

/* Whether the element may stand here: once. */
static wire_mbms_listening *once(poc_xml *x)
{
    reading *r = poc_xml_user(x);
    const unsigned bit = BIT(poc_xml_element(x));
    if ((r->seen & bit) != 0)
        poc_xml_stop(x, POC_E_INPUT, "an element twice");
    r->seen |= bit;
    return r->out;
}

static void open_status(poc_xml *x)
{
    (void)once(x);
}

static void close_word(poc_xml *x, poc_span text)
{
    wire_mbms_listening *l = once(x);
    l->is_listening = poc_span_eq_str(text, "listening");
    if (!l->is_listening && !poc_span_eq_str(text, "not-listening"))
        poc_xml_stop(x, POC_E_INPUT, "neither listening nor not-listening");
}

static void close_session(poc_xml *x, poc_span text)
{
    wire_mbms_listening *l = once(x);
    if (text.n == 0 || text.n >= sizeof(l->session_id) || !poc_xml_is_text(text))
        poc_xml_stop(x, POC_E_INPUT, "session-id is empty, too long or no text");
    else
        memcpy(l->session_id, text.p, text.n);
}

static void close_general(poc_xml *x, poc_span text)
{
    wire_mbms_listening *l = once(x);
    l->is_general_purpose = poc_span_eq_str(text, "true") || poc_span_eq_str(text, "1");
    if (!l->is_general_purpose && !poc_span_eq_str(text, "false") && !poc_span_eq_str(text, "0"))
        poc_xml_stop(x, POC_E_INPUT, "general-purpose is neither true nor false");
}

static void close_tmgi(poc_xml *x, poc_span text)
{
    wire_mbms_listening *l = ((reading *)poc_xml_user(x))->out;
    if (l->tmgi_count == WIRE_MCX_TMGIS_MAX)
        poc_xml_stop(x, POC_E_LIMIT, "too many TMGIs");
    else if (poc_hex_get_exact(l->tmgi[l->tmgi_count], WIRE_MCX_TMGI_LEN, text) != POC_OK)
        poc_xml_stop(x, POC_E_INPUT, "TMGI is not hex of 6 octets");
    else
        l->tmgi_count++;
}

static const poc_xml_row rows[] = {
    { "*-mbms-usage-info", POC_XML_TOP, E_ROOT, NULL, NULL },
    { "mbms-listening-status", E_ROOT, E_STATUS, open_status, NULL },
    { "mbms-listening-status", E_STATUS, E_WORD, NULL, close_word },
    { "session-id", E_STATUS, E_SESSION, NULL, close_session },
    { "general-purpose", E_STATUS, E_GENERAL, NULL, close_general },
    { "TMGI", E_STATUS, E_TMGI, NULL, close_tmgi },
};

static bool is_row(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    const reading *r = poc_xml_user(x);
    return mcx_is_named(row->name, r->dialect, r->dialect->usage_space, name, uri);
}

static const poc_xml_reader reader = { .rows = rows,
                                       .row_count = POC_COUNT(rows),
                                       .is_row = is_row,
                                       .foreign_root = "not an mbms-usage-info of this service",
                                       .octets_max = WIRE_MCX_BODY_MAX,
                                       .depth_max = DEPTH_MAX,
                                       .text_max = WIRE_MCX_TEXT_MAX };

poc_err wire_mbms_listening_read(wire_mbms_listening *out, mcx_service service, poc_span xml, const char **why)
{
    reading r = { .out = out, .dialect = &mcx_dialects[service] };
    memset(out, 0, sizeof(*out));
    POC_TRY(poc_xml_read(&reader, &r, xml, why));
    if ((r.seen & BIT(E_WORD)) != 0 && out->tmgi_count > 0)
        return POC_OK;
    *why = "no listening status, or one without a TMGI";
    return POC_E_INPUT;
}
