#include "base/xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"

struct poc_xml {
    const poc_xml_reader *reader;
    void *user;
    xmlParserCtxtPtr parser;
    const poc_xml_row *path[POC_XML_DEPTH_MAX];
    int now;        /* number of the element that opens or closes */
    size_t depth;   /* elements open that are in the table */
    size_t skipped; /* elements open inside something that is not */
    const xmlChar **attributes;
    int attribute_count;
    char text[POC_XML_TEXT_MAX];
    size_t text_len;
    poc_err err;
    const char *why;
};

void *poc_xml_user(const poc_xml *x)
{
    return x->user;
}

int poc_xml_element(const poc_xml *x)
{
    return x->now;
}

void poc_xml_stop(poc_xml *x, poc_err err, const char *why)
{
    if (x->err != POC_OK)
        return;
    x->err = err;
    x->why = why;
}

/* Stopping frees the buffer that names and attributes point into: only at the very end of a handler. */
static void settle(poc_xml *x)
{
    if (x->err != POC_OK)
        xmlStopParser(x->parser);
}

/* libxml2 gives (local name, prefix, URI, value, end) for each. */
bool poc_xml_attribute(const poc_xml *x, const char *name, poc_span *value)
{
    for (int i = 0; i < x->attribute_count; i++) {
        const xmlChar *const *row = x->attributes + 5 * (ptrdiff_t)i;
        if (row[2] == NULL && strcmp((const char *)row[0], name) == 0) {
            *value = poc_span_of(row[3], (size_t)(row[4] - row[3]));
            return true;
        }
    }
    return false;
}

static const poc_xml_row *row_find(const poc_xml *x, poc_span name, poc_span uri)
{
    int parent = x->depth == 0 ? POC_XML_TOP : x->path[x->depth - 1]->is;
    for (size_t i = 0; i < x->reader->row_count; i++) {
        const poc_xml_row *row = &x->reader->rows[i];
        if (row->parent == parent && x->reader->is_row(x, row, name, uri))
            return row;
    }
    return NULL;
}

static void element_open(poc_xml *x, poc_span name, poc_span uri)
{
    if (x->depth + x->skipped >= x->reader->depth_max) {
        poc_xml_stop(x, POC_E_LIMIT, "nested too deep");
        return;
    }
    const poc_xml_row *row = x->skipped > 0 ? NULL : row_find(x, name, uri);
    if (row == NULL && x->depth == 0) {
        poc_xml_stop(x, POC_E_INPUT, x->reader->foreign_root);
        return;
    }
    if (row == NULL) {
        x->skipped++;
        return;
    }
    x->path[x->depth++] = row;
    x->now = row->is;
    x->text_len = 0;
    if (row->open != NULL)
        row->open(x);
}

static void element_close(poc_xml *x)
{
    if (x->skipped > 0) {
        x->skipped--;
        return;
    }
    const poc_xml_row *row = x->path[--x->depth];
    x->now = row->is;
    if (row->close != NULL)
        row->close(x, poc_trim(poc_span_of(x->text, x->text_len)));
    x->text_len = 0;
}

/* ---- SAX ---- */

static poc_span span_of(const xmlChar *text)
{
    return text == NULL ? poc_span_of(NULL, 0) : poc_span_str((const char *)text);
}

static void on_open(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int namespaces,
                    const xmlChar **namespace_list, int attribute_count, int defaulted, const xmlChar **list)
{
    poc_xml *x = ctx;
    (void)prefix, (void)namespaces, (void)namespace_list, (void)defaulted;
    x->attributes = list;
    x->attribute_count = attribute_count;
    if (x->err == POC_OK)
        element_open(x, span_of(name), span_of(uri));
    settle(x);
}

static void on_close(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    poc_xml *x = ctx;
    (void)name, (void)prefix, (void)uri;
    if (x->err == POC_OK)
        element_close(x);
    settle(x);
}

/* White space in front of an element's text, or between its children, is nobody's text. */
static void on_text(void *ctx, const xmlChar *p, int n)
{
    poc_xml *x = ctx;
    poc_span part = poc_span_of(p, (size_t)n);
    if (x->err != POC_OK || x->skipped > 0 || x->depth == 0 || x->path[x->depth - 1]->close == NULL)
        return;
    if (x->text_len == 0 && poc_trim(part).n == 0)
        return;
    if (part.n > x->reader->text_max - x->text_len) {
        poc_xml_stop(x, POC_E_LIMIT, "text too long");
        settle(x);
        return;
    }
    memcpy(x->text + x->text_len, part.p, part.n);
    x->text_len += part.n;
}

static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    (void)name, (void)external, (void)system;
    poc_xml_stop(ctx, POC_E_INPUT, "DOCTYPE is not allowed");
    settle(ctx);
}

/* libxml2 would print to standard error without it. Want of memory is told here before it makes the document look as if it were
 * malformed. */
static void on_complaint(void *ctx, xmlErrorPtr error)
{
    if (error->code == XML_ERR_NO_MEMORY)
        poc_xml_stop(ctx, POC_E_NOMEM, "out of memory");
}

static xmlSAXHandler handlers(void)
{
    return (xmlSAXHandler){
        .initialized = XML_SAX2_MAGIC,
        .internalSubset = on_doctype,
        .startElementNs = on_open,
        .endElementNs = on_close,
        .characters = on_text,
        .cdataBlock = on_text,
        .serror = on_complaint,
    };
}

static bool parser_init(poc_xml *x, xmlParserCtxtPtr parser)
{
    x->parser = parser;
    if (parser == NULL) {
        poc_xml_stop(x, POC_E_NOMEM, "out of memory");
        return false;
    }
    /* NOENT resolves &amp; and its kin in attributes; without a DTD there are no other entities. */
    (void)xmlCtxtUseOptions(parser, XML_PARSE_NONET | XML_PARSE_NOENT);
    return true;
}

static void parser_done(poc_xml *x, int failed)
{
    if (x->parser->errNo == XML_ERR_NO_MEMORY)
        poc_xml_stop(x, POC_E_NOMEM, "out of memory");
    if (failed != 0 || !x->parser->wellFormed)
        poc_xml_stop(x, POC_E_INPUT, "not well-formed XML");
    xmlFreeParserCtxt(x->parser);
}

static void parse(poc_xml *x, poc_span xml)
{
    xmlSAXHandler sax = handlers();
    if (parser_init(x, xmlCreatePushParserCtxt(&sax, x, NULL, 0, NULL)))
        parser_done(x, xmlParseChunk(x->parser, (const char *)xml.p, (int)xml.n, 1));
}

/* Reads `text` where it stands, which libxml2 does with nothing but UTF-8. */
static int parse_text(poc_xml *x, const char *text)
{
    xmlParserCtxtPtr parser = x->parser;
    xmlParserInputPtr input = xmlNewStringInputStream(parser, (const xmlChar *)text);
    if (input == NULL || inputPush(parser, input) < 0) {
        if (input != NULL)
            xmlFreeInputStream(input);
        poc_xml_stop(x, POC_E_NOMEM, "out of memory");
        return -1;
    }
    return xmlParseDocument(parser);
}

/* What libxml2 copies it frees without wiping: it gets a copy of ours, with the terminator it wants. */
static void parse_in_place(poc_xml *x, poc_span xml)
{
    if (memchr(xml.p, '\0', xml.n) != NULL) {
        poc_xml_stop(x, POC_E_INPUT, "not well-formed XML");
        return;
    }
    char *text = poc_vault_new(xml.n + 1);
    if (text == NULL) {
        poc_xml_stop(x, POC_E_NOMEM, "out of memory");
        return;
    }
    memcpy(text, xml.p, xml.n);
    if (parser_init(x, xmlNewParserCtxt())) {
        *x->parser->sax = handlers();
        x->parser->userData = x;
        parser_done(x, parse_text(x, text));
    }
    poc_vault_free(text);
}

poc_err poc_xml_read(const poc_xml_reader *reader, void *user, poc_span xml, const char **why)
{
    poc_xml x = { .reader = reader, .user = user, .why = "" };
    *why = xml.n == 0 ? "empty document" : "document too large";
    if (xml.n == 0)
        return POC_E_INPUT;
    if (xml.n > reader->octets_max)
        return POC_E_LIMIT;
    if (reader->holds_keys)
        parse_in_place(&x, xml);
    else
        parse(&x, xml);
    poc_wipe(x.text, sizeof(x.text));
    *why = x.why;
    return x.err;
}

/* ---- writing ---- */

void poc_xml_put_text(poc_wr *out, poc_span text)
{
    static const struct {
        uint8_t octet;
        const char *reference;
    } marks[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" } };
    for (size_t i = 0; i < text.n; i++) {
        size_t m = 0;
        while (m < POC_COUNT(marks) && marks[m].octet != text.p[i])
            m++;
        if (m < POC_COUNT(marks))
            poc_wr_fmt(out, "%s", marks[m].reference);
        else
            poc_wr_u8(out, text.p[i]);
    }
}

void poc_xml_put_element(poc_wr *out, const char *name, poc_span text)
{
    poc_wr_fmt(out, "<%s>", name);
    poc_xml_put_text(out, text);
    poc_wr_fmt(out, "</%s>", name);
}

/* Octets of the well-formed UTF-8 sequence (Unicode 3.9, table 3-7) of a character that XML allows; 0 when it is none. */
static size_t character_len(poc_span text)
{
    static const struct {
        uint8_t lead_mask, lead;
        uint32_t from;
    } forms[] = { { 0x80, 0x00, 0 }, { 0xE0, 0xC0, 0x80 }, { 0xF0, 0xE0, 0x800 }, { 0xF8, 0xF0, 0x10000 } };
    for (size_t more = 0; more < POC_COUNT(forms) && more < text.n; more++) {
        if ((text.p[0] & forms[more].lead_mask) != forms[more].lead)
            continue;
        uint32_t c = text.p[0] & (uint8_t)~forms[more].lead_mask;
        for (size_t i = 1; i <= more; i++) {
            if ((text.p[i] & 0xC0) != 0x80)
                return 0;
            c = c << 6 | (text.p[i] & 0x3Fu);
        }
        bool is_surrogate = c >= 0xD800 && c <= 0xDFFF;
        return c < forms[more].from || c > 0x10FFFF || is_surrogate || c == 0xFFFE || c == 0xFFFF ? 0 : more + 1;
    }
    return 0;
}

bool poc_xml_is_text(poc_span text)
{
    while (text.n > 0) {
        size_t n = character_len(text);
        if (n == 0 || text.p[0] < ' ' || text.p[0] == 0x7F)
            return false;
        text = poc_span_of(text.p + n, text.n - n);
    }
    return true;
}
