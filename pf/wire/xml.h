/* Small XML documents by libxml2's SAX interface: no tree, no DTD, no entities but the five of XML itself, no network. A
 * reader is a table of the elements it knows and where they stand; all else is passed over with what is in it. Private to
 * the room. */
#ifndef PF_WIRE_XML_H
#define PF_WIRE_XML_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

#define WIRE_XML_DEPTH_MAX 16u
#define WIRE_XML_TEXT_MAX  512u /* octets of one element's text */

typedef struct wire_xml wire_xml;

/** Place of a document's root: no element stands above it. Rows give their own elements numbers from 1. */
#define WIRE_XML_TOP 0

/** An element that is read. `open` and `close` may be NULL; they report what is wrong by wire_xml_stop. */
typedef struct wire_xml_row {
    const char *name;
    int parent, is;
    void (*open)(wire_xml *x);
    void (*close)(wire_xml *x, poc_span text); /* `text` without white space at its ends, borrowed */
} wire_xml_row;

typedef struct wire_xml_reader {
    const wire_xml_row *rows;
    size_t row_count;
    /** Is the element `name` in namespace `uri` (n 0: none) this row? */
    bool (*is_row)(const wire_xml *x, const wire_xml_row *row, poc_span name, poc_span uri);
    const char *foreign_root; /* the reason when the root is in no row */
    size_t octets_max;
    size_t depth_max; /* at most WIRE_XML_DEPTH_MAX */
} wire_xml_reader;

/** Reads a whole document. POC_E_INPUT: not well-formed, or refused by a row; POC_E_LIMIT: too large, too deep;
 *  POC_E_NOMEM. `why` gets a constant text, "" on success. */
poc_err wire_xml_read(const wire_xml_reader *reader, void *user, poc_span xml, const char **why);

/** What wire_xml_read was given. */
void *wire_xml_user(const wire_xml *x);
/** Ends reading at the end of this callback; the first reason stands. */
void wire_xml_stop(wire_xml *x, poc_err err, const char *why);
/** An attribute without namespace of the element that opens now: false when it is not there. */
bool wire_xml_attribute(const wire_xml *x, const char *name, poc_span *value);

#endif
