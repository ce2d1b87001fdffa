/* Bootstrapping-Info-Request and -Answer (TS 29.109 clause 5.2, command 310): one table per message, which encoder and
 * decoder both walk.
 *
 *   header: version 1 | length 3 | flags 1 | command 3 | application 4 | hop-by-hop 4 | end-to-end 4
 *   AVP:    code 4 | flags (V M P) 1 | length 3 | [vendor 4] | data, padded to a multiple of four */
#include "gba/private.h"

#include <string.h>

enum {
    VERSION = 1,
    FLAG_REQUEST = 0x80,
    FLAG_PROXIABLE = 0x40,
    COMMAND = 310,
    APPLICATION = 16777220,
    AVP_V = 0x80,
    AVP_M = 0x40,
    VENDOR = 10415,
    AVP_VENDOR_ID = 266,
    AVP_AUTH_APPLICATION_ID = 258,
    AVP_EXPERIMENTAL_CODE = 298,
    USS_MAX = 3072,
    MATERIAL_LEN = 32
};
#define NTP_OFFSET INT64_C(2208988800) /* 1900-01-01 to 1970-01-01 in seconds */
#define NTP_ERA    (INT64_C(1) << 32)

typedef struct avp_kind {
    bool (*present)(const void *field);
    void (*put)(poc_wr *wr, const void *field);
    poc_err (*get)(poc_rd *rd, void *field);
} avp_kind;

typedef struct avp_row {
    uint32_t code;
    uint32_t vendor; /* 0: base protocol */
    size_t at;
    const avp_kind *kind; /* NULL: may come, says nothing to us */
    bool required;
} avp_row;

static void avp_close(poc_wr *wr, size_t at)
{
    size_t len = wr->len - at;
    if (!wr->overflow) {
        wr->buf[at + 5] = (uint8_t)(len >> 16);
        wr->buf[at + 6] = (uint8_t)(len >> 8);
        wr->buf[at + 7] = (uint8_t)len;
    }
    while (wr->len % 4 != 0 && !wr->overflow)
        poc_wr_u8(wr, 0);
}

static size_t avp_open(poc_wr *wr, uint32_t code, uint32_t vendor)
{
    size_t at = wr->len;
    poc_wr_u32(wr, code);
    poc_wr_u32(wr, (uint32_t)(vendor != 0 ? AVP_V | AVP_M : AVP_M) << 24);
    if (vendor != 0)
        poc_wr_u32(wr, vendor);
    return at;
}

static void avp_u32(poc_wr *wr, uint32_t code, uint32_t value)
{
    size_t at = avp_open(wr, code, 0);
    poc_wr_u32(wr, value);
    avp_close(wr, at);
}

typedef struct avp {
    uint32_t code, vendor;
    bool mandatory;
    poc_rd data;
} avp;

static poc_err avp_next(poc_rd *rd, avp *out)
{
    uint32_t flags_len;
    poc_span padding;
    *out = (avp){ 0 };
    POC_TRY(poc_rd_u32(rd, &out->code));
    POC_TRY(poc_rd_u32(rd, &flags_len));
    size_t len = flags_len & 0xFFFFFF, head = 8;
    if ((flags_len >> 24 & AVP_V) != 0) {
        POC_TRY(poc_rd_u32(rd, &out->vendor));
        head = 12;
    }
    if (len < head)
        return poc_rd_fail(rd, "AVP shorter than its header");
    out->mandatory = (flags_len >> 24 & AVP_M) != 0;
    POC_TRY(poc_rd_take(rd, &out->data, len - head));
    return poc_rd_span(rd, &padding, (4 - len % 4) % 4);
}

/* ---- kinds ---- */

static bool span_present(const void *field)
{
    return ((const poc_span *)field)->n > 0;
}
static void span_put(poc_wr *wr, const void *field)
{
    poc_wr_span(wr, *(const poc_span *)field);
}
static poc_err span_get(poc_rd *rd, void *field)
{
    if (rd->left == 0)
        return poc_rd_fail(rd, "empty AVP");
    return poc_rd_span(rd, field, rd->left);
}
static const avp_kind octets = { span_present, span_put, span_get };

static bool always(const void *field)
{
    (void)field;
    return true;
}
static bool u32_present(const void *field)
{
    return *(const uint32_t *)field != 0;
}
static void u32_put(poc_wr *wr, const void *field)
{
    poc_wr_u32(wr, *(const uint32_t *)field);
}
static poc_err u32_get(poc_rd *rd, void *field)
{
    return poc_rd_u32(rd, field);
}
static const avp_kind number = { u32_present, u32_put, u32_get };
static const avp_kind enumerated = { always, u32_put, u32_get };

/* Time of RFC 6733 4.3.1: NTP seconds; with the top bit clear the count has wrapped in 2036 (RFC 4330 3). */
static bool time_present(const void *field)
{
    return *(const int64_t *)field != 0;
}
static void time_put(poc_wr *wr, const void *field)
{
    poc_wr_u32(wr, (uint32_t)(*(const int64_t *)field + NTP_OFFSET));
}
static poc_err time_get(poc_rd *rd, void *field)
{
    uint32_t ntp;
    POC_TRY(poc_rd_u32(rd, &ntp));
    *(int64_t *)field = (int64_t)ntp - NTP_OFFSET + (ntp < UINT32_C(0x80000000) ? NTP_ERA : 0);
    return POC_OK;
}
static const avp_kind moment = { time_present, time_put, time_get };

/* Vendor-Specific-Application-Id { Vendor-Id, Auth-Application-Id } of Zn. */
static void application_put(poc_wr *wr, const void *field)
{
    (void)field;
    avp_u32(wr, AVP_VENDOR_ID, VENDOR);
    avp_u32(wr, AVP_AUTH_APPLICATION_ID, APPLICATION);
}
static poc_err application_get(poc_rd *rd, void *field)
{
    bool is_zn = false;
    (void)field;
    while (rd->left > 0) {
        avp a;
        uint32_t value;
        POC_TRY(avp_next(rd, &a));
        POC_TRY(poc_rd_u32(&a.data, &value));
        POC_TRY(poc_rd_end(&a.data));
        is_zn |= a.code == AVP_AUTH_APPLICATION_ID && value == APPLICATION;
    }
    return is_zn ? POC_OK : poc_rd_fail(rd, "application is not Zn");
}
static const avp_kind application = { always, application_put, application_get };

/* Experimental-Result { Vendor-Id, Experimental-Result-Code }. */
static void experimental_put(poc_wr *wr, const void *field)
{
    avp_u32(wr, AVP_VENDOR_ID, VENDOR);
    avp_u32(wr, AVP_EXPERIMENTAL_CODE, *(const uint32_t *)field);
}
static poc_err experimental_get(poc_rd *rd, void *field)
{
    uint32_t *code = field, vendor = 0;
    while (rd->left > 0) {
        avp a;
        uint32_t value;
        POC_TRY(avp_next(rd, &a));
        POC_TRY(poc_rd_u32(&a.data, &value));
        POC_TRY(poc_rd_end(&a.data));
        if (a.code == AVP_VENDOR_ID)
            vendor = value;
        if (a.code == AVP_EXPERIMENTAL_CODE)
            *code = value;
    }
    return *code != 0 && vendor == VENDOR ? POC_OK : poc_rd_fail(rd, "experimental result of another vendor");
}
static const avp_kind experimental = { u32_present, experimental_put, experimental_get };

static bool key_present(const void *field)
{
    return *(poc_secret *const *)field != NULL;
}
static void key_put(poc_wr *wr, const void *field)
{
    poc_wr_span(wr, poc_secret_span(*(poc_secret *const *)field));
}
static poc_err key_get(poc_rd *rd, void *field)
{
    poc_secret **key = field;
    if (rd->left != MATERIAL_LEN)
        return poc_rd_fail(rd, "key material is not 32 octets");
    POC_TRY(poc_secret_new(key, MATERIAL_LEN));
    return poc_rd_copy(rd, poc_secret_edit(*key), MATERIAL_LEN);
}
static const avp_kind material = { key_present, key_put, key_get };

static bool impi_present(const void *field)
{
    return *(const char *)field != '\0';
}
static void impi_put(poc_wr *wr, const void *field)
{
    poc_wr_span(wr, poc_span_str(field));
}
static poc_err impi_get(poc_rd *rd, void *field)
{
    char *to = field;
    size_t len = rd->left;
    if (len == 0 || len > GBA_IMPI_MAX || memchr(rd->p, '\0', len) != NULL)
        return poc_rd_fail(rd, "User-Name is not an IMPI");
    to[len] = '\0';
    return poc_rd_copy(rd, to, len);
}
static const avp_kind user_name = { impi_present, impi_put, impi_get };

/* ussList of TS 29.109 Annex A. Only the uids matter here: whom this subscription may act as. */
static bool uss_present(const void *field)
{
    return ((const gba_zn_answer *)field)->impu_count > 0;
}
static void uss_put(poc_wr *wr, const void *field)
{
    const gba_zn_answer *a = field;
    poc_wr_fmt(wr, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ussList><uss id=\"4\" type=\"4\"><uids>");
    for (size_t i = 0; i < a->impu_count; i++) {
        poc_wr_fmt(wr, "<uid>");
        for (const char *c = a->impus[i]; *c != '\0'; c++) /* a canonical URI holds no other mark of XML */
            if (*c == '&')
                poc_wr_fmt(wr, "&amp;");
            else
                poc_wr_u8(wr, (uint8_t)*c);
        poc_wr_fmt(wr, "</uid>");
    }
    poc_wr_fmt(wr, "</uids></uss></ussList>");
}

/* A uid that is no SIP or tel URI is kept as it stands: it matches nobody, but a list that shrank to nothing would mean
 * "the BSF did not say". Beyond GBA_IMPUS_MAX the rest gives no further rights. */
static poc_err uid_get(poc_rd *rd, gba_zn_answer *a, poc_span text)
{
    char plain[POC_URI_MAX];
    poc_wr wr = poc_wr_into(plain, sizeof(plain));
    if (a->impu_count == GBA_IMPUS_MAX)
        return POC_OK;
    while (text.n > 0) {
        bool escaped = memchr(text.p, '&', text.n) != NULL;
        poc_wr_span(&wr, poc_split(&text, '&'));
        if (escaped && !poc_span_eq_str(poc_split(&text, ';'), "amp"))
            return poc_rd_fail(rd, "entity in uid");
        if (escaped)
            poc_wr_u8(&wr, '&');
    }
    char *to = a->impus[a->impu_count];
    if (poc_wr_text(&wr) != POC_OK || wr.len == 0 || memchr(plain, '\0', wr.len) != NULL)
        return poc_rd_fail(rd, "uid empty or too long");
    if (poc_uri_canonical(to, poc_span_of(plain, wr.len)) != POC_OK)
        memcpy(to, plain, wr.len + 1);
    a->impu_count++;
    return POC_OK;
}

static poc_err uss_get(poc_rd *rd, void *field)
{
    poc_span xml;
    POC_TRY(poc_rd_span(rd, &xml, rd->left));
    if (xml.n > USS_MAX)
        return poc_rd_fail(rd, "user security settings too long");
    poc_split(&xml, '<');
    while (xml.n > 0) {
        poc_span text = poc_split(&xml, '<'), tag = poc_split(&text, '>');
        if (tag.n == 0 || tag.p[0] == '!')
            return poc_rd_fail(rd, "declaration in user security settings");
        poc_span name = poc_split(&tag, ' ');
        const uint8_t *colon = name.p[0] != '/' && name.n > 0 ? memchr(name.p, ':', name.n) : NULL;
        if (colon != NULL)
            name = poc_span_of(colon + 1, name.n - (size_t)(colon + 1 - name.p));
        if (poc_span_eq_str(name, "uid"))
            POC_TRY(uid_get(rd, field, poc_trim(text)));
    }
    return POC_OK;
}
static const avp_kind uss = { uss_present, uss_put, uss_get };

/* ---- messages ---- */

#define AT(type, field) offsetof(type, field)

/* What any message may carry beside its own: Auth-Session-State, Route-Record, Proxy-Info, Error-Message,
 * Error-Reporting-Host, GUSS-Timestamp, Security-Feature-Response (RFC 6733, TS 29.109 6.3). */
#define TOLERATED                                                                                                   \
    { 277, 0, 0, NULL, false }, { 282, 0, 0, NULL, false }, { 284, 0, 0, NULL, false }, { 281, 0, 0, NULL, false }, \
        { 294, 0, 0, NULL, false }, { 409, VENDOR, 0, NULL, false },                                                \
    {                                                                                                               \
        420, VENDOR, 0, NULL, false                                                                                 \
    }

static const avp_row request_rows[] = {
    { 263, 0, AT(gba_zn_request, session_id), &octets, true },
    { 260, 0, 0, &application, true },
    { 264, 0, AT(gba_zn_request, origin_host), &octets, true },
    { 296, 0, AT(gba_zn_request, origin_realm), &octets, true },
    { 283, 0, AT(gba_zn_request, destination_realm), &octets, true },
    { 293, 0, AT(gba_zn_request, destination_host), &octets, false },
    { 403, VENDOR, AT(gba_zn_request, gsid), &octets, false },
    { 401, VENDOR, AT(gba_zn_request, btid), &octets, true },
    { 402, VENDOR, AT(gba_zn_request, naf_id), &octets, true },
    { 407, VENDOR, AT(gba_zn_request, gba_u_aware), &number, false },
    TOLERATED,
};

static const avp_row reply_rows[] = {
    { 263, 0, AT(gba_zn_reply, session_id), &octets, true },
    { 260, 0, 0, &application, true },
    { 268, 0, AT(gba_zn_reply, result), &number, false },
    { 297, 0, AT(gba_zn_reply, experimental), &experimental, false },
    { 264, 0, AT(gba_zn_reply, origin_host), &octets, true },
    { 296, 0, AT(gba_zn_reply, origin_realm), &octets, true },
    { 1, 0, AT(gba_zn_reply, answer.impi), &user_name, false },
    { 405, VENDOR, AT(gba_zn_reply, answer.me_key), &material, false },
    { 406, VENDOR, AT(gba_zn_reply, answer.uicc_key), &material, false },
    { 404, VENDOR, AT(gba_zn_reply, answer.expires_s), &moment, false },
    { 408, VENDOR, AT(gba_zn_reply, created_s), &moment, false },
    { 400, VENDOR, AT(gba_zn_reply, answer), &uss, false },
    { 410, VENDOR, AT(gba_zn_reply, gba_type), &enumerated, false },
    TOLERATED,
};
enum { REPLY_ROWS_OF_FAILURE = 6 }; /* what stands in front of the answer's own parts */
_Static_assert(POC_COUNT(reply_rows) <= 32 && POC_COUNT(request_rows) <= 32, "one bit per row");

static poc_err message_encode(poc_wr *wr, const void *message, const avp_row *rows, size_t n, uint8_t flags)
{
    const uint32_t *ids = message; /* hop-by-hop and end-to-end open both structs */
    size_t start = wr->len;
    poc_wr_u32(wr, (uint32_t)VERSION << 24);
    poc_wr_u32(wr, (uint32_t)flags << 24 | COMMAND);
    poc_wr_u32(wr, APPLICATION);
    poc_wr_u32(wr, ids[0]);
    poc_wr_u32(wr, ids[1]);
    for (size_t i = 0; i < n; i++) {
        const void *field = (const char *)message + rows[i].at;
        if (rows[i].kind == NULL)
            continue;
        if (!rows[i].kind->present(field)) {
            if (rows[i].required)
                return POC_E_INPUT;
            continue;
        }
        size_t at = avp_open(wr, rows[i].code, rows[i].vendor);
        rows[i].kind->put(wr, field);
        avp_close(wr, at);
    }
    POC_TRY(poc_wr_done(wr));
    size_t len = wr->len - start;
    wr->buf[start + 1] = (uint8_t)(len >> 16);
    wr->buf[start + 2] = (uint8_t)(len >> 8);
    wr->buf[start + 3] = (uint8_t)len;
    return POC_OK;
}

static poc_err header_decode(poc_rd *rd, uint32_t ids[2], uint8_t flags)
{
    uint32_t version_len, flags_command, app;
    size_t total = rd->left;
    POC_TRY(poc_rd_u32(rd, &version_len));
    if (version_len >> 24 != VERSION || (version_len & 0xFFFFFF) != total || total % 4 != 0)
        return poc_rd_fail(rd, "version or length of the message");
    POC_TRY(poc_rd_u32(rd, &flags_command));
    if ((flags_command & 0xFFFFFF) != COMMAND || (flags_command >> 24 & FLAG_REQUEST) != (flags & FLAG_REQUEST))
        return poc_rd_fail(rd, "another command");
    POC_TRY(poc_rd_u32(rd, &app));
    if (app != APPLICATION)
        return poc_rd_fail(rd, "another application");
    POC_TRY(poc_rd_u32(rd, &ids[0]));
    return poc_rd_u32(rd, &ids[1]);
}

static const avp_row *row_of(const avp_row *rows, size_t n, const avp *a)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].code == a->code && rows[i].vendor == a->vendor)
            return &rows[i];
    return NULL;
}

static poc_err avp_decode(avp *a, void *message, const avp_row *row, uint32_t bit, uint32_t *seen)
{
    if (row->kind == NULL)
        return POC_OK;
    if ((*seen & bit) != 0)
        return poc_rd_fail(&a->data, "repeated AVP");
    *seen |= bit;
    POC_TRY(row->kind->get(&a->data, (char *)message + row->at));
    return poc_rd_end(&a->data);
}

static poc_err message_decode(void *message, poc_rd *rd, const avp_row *rows, size_t n, uint8_t flags)
{
    uint32_t seen = 0;
    POC_TRY(header_decode(rd, message, flags));
    while (rd->left > 0) {
        avp a;
        POC_TRY(avp_next(rd, &a));
        const avp_row *row = row_of(rows, n, &a);
        if (row == NULL && a.mandatory)
            return poc_rd_fail(rd, "unknown mandatory AVP");
        if (row != NULL)
            POC_TRY(avp_decode(&a, message, row, UINT32_C(1) << (row - rows), &seen));
    }
    for (size_t i = 0; i < n; i++)
        if (rows[i].required && (seen >> i & 1) == 0)
            return poc_rd_fail(rd, "mandatory AVP missing");
    return POC_OK;
}

poc_err gba_zn_request_encode(poc_wr *out, const gba_zn_request *request)
{
    return message_encode(out, request, request_rows, POC_COUNT(request_rows), FLAG_REQUEST | FLAG_PROXIABLE);
}

poc_err gba_zn_request_decode(gba_zn_request *out, poc_span message, poc_fault *fault)
{
    poc_rd rd = poc_rd_over(message, fault);
    *out = (gba_zn_request){ 0 };
    return message_decode(out, &rd, request_rows, POC_COUNT(request_rows), FLAG_REQUEST);
}

poc_err gba_zn_reply_encode(poc_wr *out, const gba_zn_reply *reply)
{
    bool has_answer = reply->result == GBA_ZN_OK;
    if ((reply->result == 0) == (reply->experimental == 0))
        return POC_E_INPUT;
    if (has_answer && (reply->answer.me_key == NULL || reply->answer.expires_s == 0))
        return POC_E_INPUT;
    return message_encode(out, reply, reply_rows, has_answer ? POC_COUNT(reply_rows) : REPLY_ROWS_OF_FAILURE,
                          FLAG_PROXIABLE);
}

poc_err gba_zn_reply_decode(gba_zn_reply *out, poc_span message, poc_fault *fault)
{
    poc_rd rd = poc_rd_over(message, fault);
    *out = (gba_zn_reply){ 0 };
    poc_err err = message_decode(out, &rd, reply_rows, POC_COUNT(reply_rows), 0);
    if (err == POC_OK && (out->result == 0) == (out->experimental == 0))
        err = poc_rd_fail(&rd, "no result, or two of them");
    if (err == POC_OK && out->result == GBA_ZN_OK && (out->answer.me_key == NULL || out->answer.expires_s == 0))
        err = poc_rd_fail(&rd, "success without key and expiry");
    if (err != POC_OK)
        gba_zn_reply_done(out);
    return err;
}

poc_err gba_zn_reply_outcome(const gba_zn_reply *reply)
{
    if (reply->result == GBA_ZN_OK)
        return POC_OK;
    if (reply->experimental == GBA_ZN_BTID_INVALID)
        return POC_E_AUTH;
    if (reply->experimental == GBA_ZN_IDENTITY_UNKNOWN || reply->experimental == GBA_ZN_NOT_AUTHORISED)
        return POC_E_DENIED;
    return POC_E_IO;
}

void gba_zn_reply_done(gba_zn_reply *reply)
{
    gba_zn_answer_done(&reply->answer);
}
