/* Signatures of XML bodies by HMAC-SHA256 (TS 24.379 F.6, XML Signature). What a signature covers is read from the very octets
 * that it was computed over, never from the document around them: there is nothing to wrap. */
#include <string.h>

#include "base/crypto.h"
#include "base/text.h"
#include "pf/wire/mcx.h"

#define C14N        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
#define HMAC        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
#define DIGEST      "http://www.w3.org/2001/04/xmlenc#sha256"
#define SIGNED_INFO "SignedInfo"

enum { DEPTH_MAX = 8, INFO_MAX = 2048 };

/* "<id@host>" without its brackets. */
static poc_span bare_id(poc_span id)
{
    if (id.n > 2 && id.p[0] == '<' && id.p[id.n - 1] == '>')
        return poc_span_of(id.p + 1, id.n - 2);
    return poc_span_of(id.p, 0);
}

/* ---- writing ---- */

/* SignedInfo in its canonical form. */
static poc_err info_put(poc_wr *out, const poc_part *part)
{
    uint8_t digest[POC_SHA256_LEN];
    const poc_span id = bare_id(part->id);
    if (id.n == 0 || !poc_xml_is_text(id))
        return POC_E_INPUT;
    POC_TRY(poc_sha256(digest, part->body));
    poc_wr_fmt(out, "<SignedInfo xmlns=\"" MCX_DSIG_SPACE "\">"
                    "<CanonicalizationMethod Algorithm=\"" C14N "\"></CanonicalizationMethod>"
                    "<SignatureMethod Algorithm=\"" HMAC "\"></SignatureMethod><Reference URI=\"cid:");
    poc_xml_put_text(out, id);
    poc_wr_fmt(out, "\"><DigestMethod Algorithm=\"" DIGEST "\"></DigestMethod><DigestValue>");
    poc_base64_put(out, poc_span_of(digest, sizeof(digest)));
    poc_wr_fmt(out, "</DigestValue></Reference></SignedInfo>");
    return poc_wr_done(out);
}

static poc_err signature_put(poc_wr *out, const poc_part *part, const wire_mcx_keys *keys)
{
    uint8_t info[INFO_MAX], mac[POC_SHA256_LEN];
    poc_wr wr = poc_wr_into(info, sizeof(info));
    POC_TRY(info_put(&wr, part));
    if (memchr(info, '&', wr.len) != NULL) /* what signed_check would not take either */
        return POC_E_INPUT;
    POC_TRY(poc_hmac_sha256(mac, poc_secret_span(keys->integrity), poc_span_of(info, wr.len)));
    poc_wr_fmt(out, "<Signature xmlns=\"" MCX_DSIG_SPACE "\">");
    poc_wr_put(out, info, wr.len);
    poc_wr_fmt(out, "<SignatureValue>");
    poc_base64_put(out, poc_span_of(mac, sizeof(mac)));
    poc_wr_fmt(out, "</SignatureValue><KeyInfo><KeyName>");
    mcx_key_name_put(out, keys->key_id);
    poc_wr_fmt(out, "</KeyName></KeyInfo></Signature>\n");
    return POC_OK;
}

poc_err wire_mcx_signed_write(poc_wr *out, const poc_part *parts, size_t count, mcx_service service,
                              const wire_mcx_keys *keys)
{
    const mcx_dialect *d = &mcx_dialects[service];
    if (count == 0 || count > WIRE_MCX_SIGNATURES_MAX)
        return POC_E_INPUT;
    poc_wr_fmt(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s-signed xmlns=\"%s\">\n", d->prefix,
               d->signed_space);
    for (size_t i = 0; i < count; i++)
        POC_TRY(signature_put(out, &parts[i], keys));
    poc_wr_fmt(out, "</%s-signed>\n", d->prefix);
    return poc_wr_done(out);
}

/* ---- reading the document: values and names of keys ---- */

typedef struct signature {
    const wire_mcx_keys *keys;
    uint8_t mac[POC_SHA256_LEN];
    bool has_mac, has_key_name;
} signature;

typedef struct reading {
    const mcx_dialect *dialect;
    const wire_mcx_ring *ring;
    signature signatures[WIRE_MCX_SIGNATURES_MAX];
    size_t count;
} reading;

enum element { E_ROOT = 1, E_SIGNATURE, E_VALUE, E_KEY_INFO, E_KEY_NAME };

static void open_signature(poc_xml *x)
{
    reading *r = poc_xml_user(x);
    if (r->count == WIRE_MCX_SIGNATURES_MAX)
        poc_xml_stop(x, POC_E_LIMIT, "too many signatures");
    else
        r->signatures[r->count++] = (signature){ .keys = NULL };
}

static signature *signature_now(poc_xml *x)
{
    reading *r = poc_xml_user(x);
    return &r->signatures[r->count - 1];
}

static void close_value(poc_xml *x, poc_span text)
{
    signature *s = signature_now(x);
    size_t n = 0;
    if (s->has_mac || !mcx_base64_take(s->mac, sizeof(s->mac), &n, text) || n != sizeof(s->mac))
        poc_xml_stop(x, POC_E_INPUT, "SignatureValue is not base64 of 32 octets, or stands twice");
    s->has_mac = true;
}

static void close_key_name(poc_xml *x, poc_span text)
{
    reading *r = poc_xml_user(x);
    signature *s = signature_now(x);
    if (s->has_key_name)
        poc_xml_stop(x, POC_E_INPUT, "KeyName twice");
    s->has_key_name = true;
    s->keys = mcx_key_named(r->ring, text);
}

static const poc_xml_row rows[] = {
    { "*-signed", POC_XML_TOP, E_ROOT, NULL, NULL },
    { "d:Signature", E_ROOT, E_SIGNATURE, open_signature, NULL },
    { "d:SignatureValue", E_SIGNATURE, E_VALUE, NULL, close_value },
    { "d:KeyInfo", E_SIGNATURE, E_KEY_INFO, NULL, NULL },
    { "d:KeyName", E_KEY_INFO, E_KEY_NAME, NULL, close_key_name },
};

static bool is_row(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    const reading *r = poc_xml_user(x);
    return mcx_is_named(row->name, r->dialect, r->dialect->signed_space, name, uri);
}

static const poc_xml_reader reader = { .rows = rows,
                                       .row_count = POC_COUNT(rows),
                                       .is_row = is_row,
                                       .foreign_root = "not a body of signatures of this service",
                                       .octets_max = WIRE_MCX_BODY_MAX,
                                       .depth_max = DEPTH_MAX,
                                       .text_max = WIRE_MCX_TEXT_MAX };

/* ---- the canonical form of a SignedInfo ---- */

/* The next SignedInfo as it stands, from its '<' to the '>' of its end. */
static bool info_next(poc_span *info, poc_span *rest)
{
    static const char open[] = "<" SIGNED_INFO, end[] = "</" SIGNED_INFO ">";
    const uint8_t *from = memmem(rest->p, rest->n, open, sizeof(open) - 1);
    if (from == NULL)
        return false;
    const size_t left = rest->n - (size_t)(from - rest->p);
    const uint8_t *to = memmem(from, left, end, sizeof(end) - 1);
    if (to == NULL)
        return false;
    *info = poc_span_of(from, (size_t)(to - from) + sizeof(end) - 1);
    *rest = poc_span_of(from + info->n, left - info->n);
    return true;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A tag, `text` being what stands between '<' and '>': one space before each attribute, values in double quotes as they
 * stand, and an end of its own for an empty element. */
static bool tag_put(poc_wr *out, poc_span text, bool is_first)
{
    bool is_empty = false, in_value = false;
    size_t name_len = 0;
    text = poc_trim(text);
    if (text.n > 0 && text.p[text.n - 1] == '/') {
        is_empty = true;
        text = poc_trim(poc_span_of(text.p, text.n - 1));
    }
    while (name_len < text.n && !is_space(text.p[name_len]))
        name_len++;
    poc_wr_u8(out, '<');
    poc_wr_put(out, text.p, name_len);
    if (is_first && memmem(text.p, text.n, "xmlns=\"", 7) == NULL)
        poc_wr_fmt(out, " xmlns=\"" MCX_DSIG_SPACE "\"");
    for (size_t i = name_len; i < text.n; i++) {
        const uint8_t c = text.p[i];
        if (c == '"')
            in_value = !in_value;
        if (c == '\'' || (in_value && is_space(c) && c != ' '))
            return false;
        if (in_value || !is_space(c))
            poc_wr_u8(out, c);
        else if (!is_space(text.p[i - 1]) || i == name_len)
            poc_wr_u8(out, ' ');
    }
    poc_wr_u8(out, '>');
    if (is_empty) {
        poc_wr_fmt(out, "</");
        poc_wr_put(out, text.p, name_len);
        poc_wr_u8(out, '>');
    }
    return name_len > 0 && !in_value;
}

/* Of the forms that C14N would change this knows those that signers write; the others are refused. */
static poc_err info_canonical(poc_wr *out, poc_span info)
{
    for (size_t i = 0; i < info.n; i++) {
        const uint8_t c = info.p[i];
        if (c == '&' || c == '>')
            return POC_E_INPUT;
        if (c == '<') {
            const uint8_t *end = memchr(info.p + i, '>', info.n - i);
            const poc_span tag =
                end == NULL ? poc_span_of(info.p, 0) : poc_span_of(info.p + i + 1, (size_t)(end - (info.p + i + 1)));
            if (tag.n == 0 || tag.p[0] == '!' || tag.p[0] == '?' || !tag_put(out, tag, i == 0))
                return POC_E_INPUT;
            i += tag.n + 1;
        } else if (c != '\r' || i + 1 == info.n || info.p[i + 1] != '\n') /* XML reads CR LF as LF */
            poc_wr_u8(out, c);
    }
    return poc_wr_done(out);
}

/* ---- what a SignedInfo says ---- */

typedef struct info {
    const poc_parts *parts;
    uint32_t covered;
    size_t part; /* of the reference that is open; parts->count: none of ours */
    bool has_c14n, has_hmac, has_digest, has_value;
} info;

enum { I_INFO = 1, I_C14N, I_HMAC, I_REFERENCE, I_DIGEST, I_VALUE };

static void algorithm_take(poc_xml *x, bool *has, const char *algorithm)
{
    poc_span value;
    *has = poc_xml_attribute(x, "Algorithm", &value) && poc_span_eq_str(value, algorithm);
    if (!*has)
        poc_xml_stop(x, POC_E_INPUT, "an algorithm that is not ours");
}

static void open_c14n(poc_xml *x)
{
    algorithm_take(x, &((info *)poc_xml_user(x))->has_c14n, C14N);
}

static void open_hmac(poc_xml *x)
{
    algorithm_take(x, &((info *)poc_xml_user(x))->has_hmac, HMAC);
}

static void open_digest(poc_xml *x)
{
    algorithm_take(x, &((info *)poc_xml_user(x))->has_digest, DIGEST);
}

static void open_reference(poc_xml *x)
{
    static const char scheme[] = "cid:";
    info *in = poc_xml_user(x);
    poc_span uri = { (const uint8_t *)"", 0 };
    (void)poc_xml_attribute(x, "URI", &uri);
    if (uri.n >= sizeof(scheme) - 1 && memcmp(uri.p, scheme, sizeof(scheme) - 1) == 0)
        uri = poc_span_of(uri.p + sizeof(scheme) - 1, uri.n - (sizeof(scheme) - 1));
    in->has_digest = in->has_value = false;
    in->part = 0;
    while (in->part < in->parts->count && (uri.n == 0 || !poc_span_eq(bare_id(in->parts->part[in->part].id), uri)))
        in->part++;
    if (in->part == in->parts->count)
        poc_xml_stop(x, POC_E_INPUT, "a signature of a part that is not there");
}

static void close_digest_value(poc_xml *x, poc_span text)
{
    info *in = poc_xml_user(x);
    uint8_t said[POC_SHA256_LEN], is[POC_SHA256_LEN];
    size_t n = 0;
    in->has_value = true;
    if (!mcx_base64_take(said, sizeof(said), &n, text) || n != sizeof(said))
        poc_xml_stop(x, POC_E_INPUT, "DigestValue is not base64 of 32 octets");
    else if (poc_sha256(is, in->parts->part[in->part].body) != POC_OK)
        poc_xml_stop(x, POC_E_NOMEM, "out of memory");
    else if (!poc_equal_ct(said, is, sizeof(is)))
        poc_xml_stop(x, POC_E_AUTH, "a part is not what was signed");
}

static void close_reference(poc_xml *x, poc_span text)
{
    info *in = poc_xml_user(x);
    (void)text;
    if (!in->has_digest || !in->has_value)
        poc_xml_stop(x, POC_E_INPUT, "a reference without its digest");
    in->covered |= UINT32_C(1) << in->part;
}

/* A reference with Transforms is to something else than the octets of a part. */
static void open_transforms(poc_xml *x)
{
    poc_xml_stop(x, POC_E_INPUT, "transforms are not ours");
}

static const poc_xml_row info_rows[] = {
    { "d:SignedInfo", POC_XML_TOP, I_INFO, NULL, NULL },
    { "d:CanonicalizationMethod", I_INFO, I_C14N, open_c14n, NULL },
    { "d:SignatureMethod", I_INFO, I_HMAC, open_hmac, NULL },
    { "d:Reference", I_INFO, I_REFERENCE, open_reference, close_reference },
    { "d:Transforms", I_REFERENCE, I_REFERENCE, open_transforms, NULL },
    { "d:DigestMethod", I_REFERENCE, I_DIGEST, open_digest, NULL },
    { "d:DigestValue", I_REFERENCE, I_VALUE, NULL, close_digest_value },
};

static bool is_info_row(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    (void)x;
    return mcx_is_named(row->name, &mcx_dialects[MCX_MCPTT], "", name, uri);
}

static const poc_xml_reader info_reader = { .rows = info_rows,
                                            .row_count = POC_COUNT(info_rows),
                                            .is_row = is_info_row,
                                            .foreign_root = "not a SignedInfo",
                                            .octets_max = INFO_MAX,
                                            .depth_max = DEPTH_MAX,
                                            .text_max = WIRE_MCX_TEXT_MAX };

/* ---- checking ---- */

static poc_err signature_check(info *in, const signature *s, poc_span text, const char **why)
{
    uint8_t canonical[INFO_MAX], mac[POC_SHA256_LEN];
    poc_wr wr = poc_wr_into(canonical, sizeof(canonical));
    *why = "a signature without all its parts";
    if (!s->has_mac || !s->has_key_name)
        return POC_E_INPUT;
    *why = "signed with a key that is not known";
    if (s->keys == NULL)
        return POC_E_AUTH;
    *why = "SignedInfo in a form that is not taken";
    POC_TRY(info_canonical(&wr, text));
    *why = "the signature does not hold";
    POC_TRY(poc_hmac_sha256(mac, poc_secret_span(s->keys->integrity), poc_span_of(canonical, wr.len)));
    if (!poc_equal_ct(mac, s->mac, sizeof(mac)))
        return POC_E_AUTH;
    in->has_c14n = in->has_hmac = false;
    POC_TRY(poc_xml_read(&info_reader, in, poc_span_of(canonical, wr.len), why));
    *why = "SignedInfo without its algorithms";
    return in->has_c14n && in->has_hmac ? POC_OK : POC_E_INPUT;
}

static poc_err signatures_check(info *in, const reading *r, poc_span xml, const char **why)
{
    poc_span rest = xml, text;
    for (size_t i = 0; i < r->count; i++) {
        *why = "a signature without SignedInfo";
        if (!info_next(&text, &rest))
            return POC_E_INPUT;
        POC_TRY(signature_check(in, &r->signatures[i], text, why));
    }
    *why = r->count == 0 ? "no signature" : "SignedInfo without a signature";
    if (r->count == 0 || info_next(&text, &rest))
        return POC_E_INPUT;
    *why = "";
    return POC_OK;
}

poc_err wire_mcx_signed_check(uint32_t *covered, mcx_service service, poc_span xml, const poc_parts *parts,
                              const wire_mcx_ring *ring, const char **why)
{
    reading r = { .dialect = &mcx_dialects[service], .ring = ring };
    info in = { .parts = parts };
    *covered = 0;
    POC_TRY(poc_xml_read(&reader, &r, xml, why));
    POC_TRY(signatures_check(&in, &r, xml, why));
    *covered = in.covered;
    return POC_OK;
}
