#include "pf/wire/xml.h"

#include <libxml/parser.h>
#include <string.h>

#include "base/text.h"

struct wire_xml {
    const wire_xml_reader *reader;
    void *user;
    xmlParserCtxtPtr parser;
    const wire_xml_row *path[WIRE_XML_DEPTH_MAX];
    size_t depth;   /* elements open that are in the table */
    size_t skipped; /* elements open inside something that is not */
    const xmlChar **attributes;
    int attribute_count;
    char text[WIRE_XML_TEXT_MAX];
    size_t text_len;
    poc_err err;
    const char *why;
};

void *wire_xml_user(const wire_xml *x)
{
    return x->user;
}

void wire_xml_stop(wire_xml *x, poc_err err, const char *why)
{
    if (x->err != POC_OK)
        return;
    x->err = err;
    x->why = why;
}

/* Stopping frees the buffer that names and attributes point into: only at the very end of a handler. */
static void settle(wire_xml *x)
{
    if (x->err != POC_OK)
        xmlStopParser(x->parser);
}

/* libxml2 gives (local name, prefix, URI, value, end) for each. */
bool wire_xml_attribute(const wire_xml *x, const char *name, poc_span *value)
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

static const wire_xml_row *row_find(const wire_xml *x, poc_span name, poc_span uri)
{
    int parent = x->depth == 0 ? WIRE_XML_TOP : x->path[x->depth - 1]->is;
    for (size_t i = 0; i < x->reader->row_count; i++) {
        const wire_xml_row *row = &x->reader->rows[i];
        if (row->parent == parent && x->reader->is_row(x, row, name, uri))
            return row;
    }
    return NULL;
}

static void element_open(wire_xml *x, poc_span name, poc_span uri)
{
    if (x->depth + x->skipped >= x->reader->depth_max) {
        wire_xml_stop(x, POC_E_LIMIT, "nested too deep");
        return;
    }
    const wire_xml_row *row = x->skipped > 0 ? NULL : row_find(x, name, uri);
    if (row == NULL && x->depth == 0) {
        wire_xml_stop(x, POC_E_INPUT, x->reader->foreign_root);
        return;
    }
    if (row == NULL) {
        x->skipped++;
        return;
    }
    x->path[x->depth++] = row;
    x->text_len = 0;
    if (row->open != NULL)
        row->open(x);
}

static void element_close(wire_xml *x)
{
    if (x->skipped > 0) {
        x->skipped--;
        return;
    }
    const wire_xml_row *row = x->path[--x->depth];
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
    wire_xml *x = ctx;
    (void)prefix, (void)namespaces, (void)namespace_list, (void)defaulted;
    x->attributes = list;
    x->attribute_count = attribute_count;
    if (x->err == POC_OK)
        element_open(x, span_of(name), span_of(uri));
    settle(x);
}

static void on_close(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    wire_xml *x = ctx;
    (void)name, (void)prefix, (void)uri;
    if (x->err == POC_OK)
        element_close(x);
    settle(x);
}

/* White space in front of an element's text, or between its children, is nobody's text. */
static void on_text(void *ctx, const xmlChar *p, int n)
{
    wire_xml *x = ctx;
    poc_span part = poc_span_of(p, (size_t)n);
    if (x->err != POC_OK || x->skipped > 0 || x->depth == 0 || x->path[x->depth - 1]->close == NULL)
        return;
    if (x->text_len == 0 && poc_trim(part).n == 0)
        return;
    if (part.n > sizeof(x->text) - x->text_len) {
        wire_xml_stop(x, POC_E_LIMIT, "text too long");
        settle(x);
        return;
    }
    memcpy(x->text + x->text_len, part.p, part.n);
    x->text_len += part.n;
}

static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    (void)name, (void)external, (void)system;
    wire_xml_stop(ctx, POC_E_INPUT, "DOCTYPE is not allowed");
    settle(ctx);
}

/* libxml2 would print to standard error without them. */
static void on_complaint(void *ctx, const char *format, ...)
{
    (void)ctx, (void)format;
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
        .warning = on_complaint,
        .error = on_complaint,
        .fatalError = on_complaint,
    };
}

static void parse(wire_xml *x, poc_span xml)
{
    xmlSAXHandler sax = handlers();
    x->parser = xmlCreatePushParserCtxt(&sax, x, NULL, 0, NULL);
    if (x->parser == NULL) {
        wire_xml_stop(x, POC_E_NOMEM, "out of memory");
        return;
    }
    /* NOENT resolves &amp; and its kin in attributes; without a DTD there are no other entities. */
    (void)xmlCtxtUseOptions(x->parser, XML_PARSE_NONET | XML_PARSE_NOENT);
    int failed = xmlParseChunk(x->parser, (const char *)xml.p, (int)xml.n, 1);
    if (x->parser->errNo == XML_ERR_NO_MEMORY)
        wire_xml_stop(x, POC_E_NOMEM, "out of memory");
    if (failed != 0 || !x->parser->wellFormed)
        wire_xml_stop(x, POC_E_INPUT, "not well-formed XML");
    xmlFreeParserCtxt(x->parser);
}

poc_err wire_xml_read(const wire_xml_reader *reader, void *user, poc_span xml, const char **why)
{
    wire_xml x = { .reader = reader, .user = user, .why = "" };
    *why = xml.n == 0 ? "empty document" : "document too large";
    if (xml.n == 0)
        return POC_E_INPUT;
    if (xml.n > reader->octets_max)
        return POC_E_LIMIT;
    parse(&x, xml);
    *why = x.why;
    return x.err;
}
