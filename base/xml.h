/* Small XML documents by libxml2's SAX interface: no tree, no DTD, no entities but the five of XML itself, no network. A
 * reader is a table of the elements it knows and where they stand; all else is passed over with what is in it. Private to
 * the room. */
#ifndef PF_POC_XML_H
#define PF_POC_XML_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

#define POC_XML_DEPTH_MAX 16u
#define POC_XML_TEXT_MAX  ((size_t)8 * 1024) /* octets of one element's text */

typedef struct poc_xml poc_xml;

/** Place of a document's root: no element stands above it. Rows give their own elements numbers from 1. */
#define POC_XML_TOP 0

/** An element that is read. `open` and `close` may be NULL; they report what is wrong by poc_xml_stop. */
typedef struct poc_xml_row {
    const char *name;
    int parent, is;
    void (*open)(poc_xml *x);
    void (*close)(poc_xml *x, poc_span text); /* `text` without white space at its ends, borrowed */
} poc_xml_row;

typedef struct poc_xml_reader {
    const poc_xml_row *rows;
    size_t row_count;
    /** Is the element `name` in namespace `uri` (n 0: none) this row? */
    bool (*is_row)(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri);
    const char *foreign_root; /* the reason when the root is in no row */
    size_t octets_max;
    size_t depth_max; /* at most POC_XML_DEPTH_MAX */
    size_t text_max;  /* octets of one element's text, white space inside counted: at most POC_XML_TEXT_MAX */
    /** Read in locked memory that is wiped, from UTF-8 only; the caller wipes `xml` and what it makes of the texts. */
    bool holds_keys;
} poc_xml_reader;

/** Reads a whole document. POC_E_INPUT: not well-formed, or refused by a row; POC_E_LIMIT: too large, too deep;
 *  POC_E_NOMEM. `why` gets a constant text, "" on success. */
poc_err poc_xml_read(const poc_xml_reader *reader, void *user, poc_span xml, const char **why);

/** What poc_xml_read was given. */
void *poc_xml_user(const poc_xml *x);
/** The number (`is`) of the element that opens or closes now. */
int poc_xml_element(const poc_xml *x);
/** Ends reading at the end of this callback; the first reason stands. */
void poc_xml_stop(poc_xml *x, poc_err err, const char *why);
/** An attribute without namespace of the element that opens now: false when it is not there. */
bool poc_xml_attribute(const poc_xml *x, const char *name, poc_span *value);

/** Writes text as the content of an element or of an attribute in double quotes. Octets that XML has no place for are the
 *  caller's to refuse. */
void poc_xml_put_text(poc_wr *out, poc_span text);
/** "<name>text</name>". */
void poc_xml_put_element(poc_wr *out, const char *name, poc_span text);
/** Text that XML can carry: well-formed UTF-8 of characters that XML allows, none of them a control character. */
bool poc_xml_is_text(poc_span text);

#endif
