/* What the documents of a KMS share. Private to the room. */
#ifndef MCX_KMS_XML_H
#define MCX_KMS_XML_H

#include "base/xml.h"
#include "mcx/mcx.h"

#define KMS_SPACE         "urn:3gpp:ns:mcsecKMSInterface:1.0"
#define KMS_USER_ID_UID   2u /* UserIdFormat: the hashed identity of F.2.1 */
#define KMS_PARAMETER_SET 1u
#define KMS_DEPTH_MAX     12u

/** UserUri, KmsUri, Time and ClientReqUrl, as every document begins. */
void kms_head_put(poc_wr *out, const mcx_kms_answer *head);
/** Nothing in it that XML could not carry, and no part empty. */
bool kms_head_is_good(const mcx_kms_answer *head);

/** Elements of the namespace by their names. For poc_xml_reader. */
bool kms_is_row(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri);
/** Text of 1..size - 1 octets and its terminator. */
bool kms_take_text(void *place, size_t size, poc_span text);
/** xsd:dateTime to Unix seconds in an int64_t: with a fraction or without, in UTC unless it says how far from it. */
bool kms_take_time(void *place, size_t size, poc_span text);

#endif
