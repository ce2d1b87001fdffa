/* Answers of a KMS (TS 33.180 Annex D.3) as they are read: the elements may stand in any order. */
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "mcx/kms_xml.h"

bool kms_is_row(const poc_xml *x, const poc_xml_row *row, poc_span name, poc_span uri)
{
    (void)x;
    return poc_span_eq_str(uri, KMS_SPACE) && poc_span_eq_str(name, row->name);
}

/* ---- texts ---- */

bool kms_take_text(void *place, size_t size, poc_span text)
{
    char *out = place;
    if (text.n == 0 || text.n >= size || !poc_xml_is_text(text))
        return false;
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return true;
}

static poc_span behind(poc_span text, size_t n)
{
    return poc_span_of(text.p + n, text.n - n);
}

/* "", "Z" or "+01:00": seconds that the clock is ahead of UTC. */
static bool zone_read(int64_t *ahead_s, poc_span text)
{
    uint64_t hours, minutes;
    *ahead_s = 0;
    if (text.n == 0 || poc_span_eq_str(text, "Z"))
        return true;
    if (text.n != 6 || (text.p[0] != '+' && text.p[0] != '-') || text.p[3] != ':' ||
        poc_u64_get(&hours, 14, poc_span_of(text.p + 1, 2)) != POC_OK ||
        poc_u64_get(&minutes, 59, poc_span_of(text.p + 4, 2)) != POC_OK)
        return false;
    *ahead_s = (int64_t)(hours * 3600 + minutes * 60);
    if (text.p[0] == '-')
        *ahead_s = -*ahead_s;
    return true;
}

bool kms_take_time(void *place, size_t size, poc_span text)
{
    enum { CLOCK = 19 }; /* "2014-01-26T10:07:14" */
    char plain[CLOCK + 1];
    int64_t *out = place, ahead_s;
    (void)size;
    if (text.n < CLOCK)
        return false;
    memcpy(plain, text.p, CLOCK);
    plain[CLOCK] = 'Z';
    if (poc_time_get(out, poc_span_of(plain, sizeof(plain))) != POC_OK)
        return false;
    text = behind(text, CLOCK);
    if (text.n > 1 && text.p[0] == '.')
        do
            text = behind(text, 1);
        while (text.n > 0 && text.p[0] >= '0' && text.p[0] <= '9');
    if (!zone_read(&ahead_s, text))
        return false;
    *out -= ahead_s;
    return true;
}

static bool take_number(void *place, size_t size, poc_span text)
{
    (void)size;
    return poc_u64_get(place, UINT32_MAX, text) == POC_OK;
}

/* The only value that there is. */
static bool take_constant(void *place, size_t value, poc_span text)
{
    uint64_t number;
    (void)place;
    return poc_u64_get(&number, UINT32_MAX, text) == POC_OK && number == value;
}

static bool take_flag(void *place, size_t size, poc_span text)
{
    bool *out = place;
    (void)size;
    *out = poc_span_eq_str(text, "true") || poc_span_eq_str(text, "1");
    return *out || poc_span_eq_str(text, "false") || poc_span_eq_str(text, "0");
}

static bool take_octets(void *place, size_t size, poc_span text)
{
    return poc_hex_get_exact(place, size, text) == POC_OK;
}

/* F.2.1 says base64; one KMS in the field writes hex. */
static bool take_uid(void *place, size_t size, poc_span text)
{
    size_t n = 0;
    if (text.n == 2 * size)
        return take_octets(place, size, text);
    return poc_base64_get(place, size, &n, text) == POC_OK && n == size;
}

static bool take_secret(void *place, size_t size, poc_span text)
{
    poc_secret **made = place;
    return take_octets(poc_secret_edit(*made), size, text);
}

/* ---- the parts of a document ---- */

enum element {
    E_RESPONSE = 1,
    E_MESSAGE,
    E_INIT,
    E_KEY_PROV,
    E_CACHE,
    E_SIGNED,
    E_CERTIFICATE,
    E_KEY_SET,
    E_ERROR,
    /* with a text: */
    E_USER_URI,
    E_KMS_URI,
    E_TIME,
    E_URL,
    E_ERROR_CODE,
    E_ERROR_MESSAGE,
    E_CERTIFICATE_KMS,
    E_CERTIFICATE_FROM,
    E_CERTIFICATE_TO,
    E_CERTIFICATE_REVOKED,
    E_FORMAT,
    E_PERIOD,
    E_OFFSET,
    E_ENC_KEY,
    E_AUTH_KEY,
    E_PARAMETER_SET,
    E_SET_KMS,
    E_SET_USER,
    E_SET_ID,
    E_SET_FROM,
    E_SET_TO,
    E_NUMBER,
    E_SET_REVOKED,
    E_RSK,
    E_SSK,
    E_PVT,
    E_COUNT
};

#define BIT(e) (UINT64_C(1) << (e))
/* The parts of each kind of element: which there are, and without which it is none. */
#define CERTIFICATE_PARTS (BIT(E_PARAMETER_SET + 1) - BIT(E_CERTIFICATE_KMS))
#define CERTIFICATE_MUST \
    (BIT(E_CERTIFICATE_KMS) | BIT(E_FORMAT) | BIT(E_PERIOD) | BIT(E_OFFSET) | BIT(E_ENC_KEY) | BIT(E_AUTH_KEY))
#define SET_PARTS (BIT(E_PVT + 1) - BIT(E_SET_KMS))
#define SET_MUST \
    (BIT(E_SET_KMS) | BIT(E_SET_USER) | BIT(E_SET_ID) | BIT(E_NUMBER) | BIT(E_RSK) | BIT(E_SSK) | BIT(E_PVT))
#define RESPONSE_MUST (BIT(E_USER_URI) | BIT(E_KMS_URI) | BIT(E_TIME) | BIT(E_URL))

typedef struct reading {
    mcx_kms_response *out;
    uint64_t seen;
} reading;

enum owner { OF_RESPONSE, OF_CERTIFICATE, OF_SET };

#define RESPONSE(member) OF_RESPONSE, offsetof(mcx_kms_response, member), sizeof(((mcx_kms_response *)0)->member)
#define CERTIFICATE(member) \
    OF_CERTIFICATE, offsetof(mcx_kms_certificate, member), sizeof(((mcx_kms_certificate *)0)->member)
#define SET(member) OF_SET, offsetof(mcx_kms_key_set, member), sizeof(((mcx_kms_key_set *)0)->member)

/* Where a part goes, how many octets it has there, and how its text is read. */
static const struct part {
    enum owner owner;
    size_t at, size;
    bool (*take)(void *place, size_t size, poc_span text);
    const char *flaw;
} parts[E_COUNT] = {
    [E_USER_URI] = { RESPONSE(user_uri), kms_take_text, "UserUri is empty or too long" },
    [E_KMS_URI] = { RESPONSE(kms_uri), kms_take_text, "KmsUri is empty or too long" },
    [E_TIME] = { RESPONSE(time_s), kms_take_time, "Time is no date" },
    [E_URL] = { RESPONSE(request_url), kms_take_text, "ClientReqUrl is empty or too long" },
    [E_ERROR_CODE] = { RESPONSE(error_code), take_number, "ErrorCode is no number" },
    [E_ERROR_MESSAGE] = { RESPONSE(error_message), kms_take_text, "ErrorMsg is empty or too long" },
    [E_CERTIFICATE_KMS] = { CERTIFICATE(kms_uri), kms_take_text, "KmsUri is empty or too long" },
    [E_CERTIFICATE_FROM] = { CERTIFICATE(valid_from_s), kms_take_time, "ValidFrom is no date" },
    [E_CERTIFICATE_TO] = { CERTIFICATE(valid_to_s), kms_take_time, "ValidTo is no date" },
    [E_CERTIFICATE_REVOKED] = { CERTIFICATE(is_revoked), take_flag, "Revoked is neither true nor false" },
    [E_FORMAT] = { OF_CERTIFICATE, 0, KMS_USER_ID_UID, take_constant, "UserIdFormat is not 2" },
    [E_PERIOD] = { CERTIFICATE(period_s), take_number, "UserKeyPeriod is no number" },
    [E_OFFSET] = { CERTIFICATE(offset_s), take_number, "UserKeyOffset is no number" },
    [E_ENC_KEY] = { CERTIFICATE(z), take_octets, "PubEncKey is not hex of 257 octets" },
    [E_AUTH_KEY] = { CERTIFICATE(kpak), take_octets, "PubAuthKey is not hex of 65 octets" },
    [E_PARAMETER_SET] = { OF_CERTIFICATE, 0, KMS_PARAMETER_SET, take_constant, "ParameterSet is not 1" },
    [E_SET_KMS] = { SET(kms_uri), kms_take_text, "KmsUri is empty or too long" },
    [E_SET_USER] = { SET(user_uri), kms_take_text, "UserUri is empty or too long" },
    [E_SET_ID] = { SET(uid), take_uid, "UserID is neither hex nor base64 of 32 octets" },
    [E_SET_FROM] = { SET(valid_from_s), kms_take_time, "ValidFrom is no date" },
    [E_SET_TO] = { SET(valid_to_s), kms_take_time, "ValidTo is no date" },
    [E_NUMBER] = { SET(period_number), take_number, "KeyPeriodNo is no number" },
    [E_SET_REVOKED] = { SET(is_revoked), take_flag, "Revoked is neither true nor false" },
    [E_RSK] = { OF_SET, offsetof(mcx_kms_key_set, keys.rsk), MCX_SAKKE_POINT_LEN, take_secret,
                "UserDecryptKey is not hex of 257 octets in clear" },
    [E_SSK] = { OF_SET, offsetof(mcx_kms_key_set, keys.ssk), MCX_SCALAR_LEN, take_secret,
                "UserSigningKeySSK is not hex of 32 octets in clear" },
    [E_PVT] = { SET(keys.pvt), take_octets, "UserPubTokenPVT is not hex of 65 octets in clear" },
};

static void *owner_of(reading *r, enum owner owner)
{
    if (owner == OF_CERTIFICATE)
        return &r->out->certificates[r->out->certificate_count - 1];
    return owner == OF_SET ? (void *)&r->out->sets[r->out->set_count - 1] : r->out;
}

static void close_part(poc_xml *x, poc_span text)
{
    reading *r = poc_xml_user(x);
    const int e = poc_xml_element(x);
    const struct part *part = &parts[e];
    if ((r->seen & BIT(e)) != 0)
        poc_xml_stop(x, POC_E_INPUT, "an element twice");
    else if (!part->take((uint8_t *)owner_of(r, part->owner) + part->at, part->size, text))
        poc_xml_stop(x, POC_E_INPUT, part->flaw);
    r->seen |= BIT(e);
}

/* ---- the elements around them ---- */

static void kind_take(poc_xml *x, mcx_kms_kind kind)
{
    reading *r = poc_xml_user(x);
    if (r->out->kind != MCX_KMS_NOTHING)
        poc_xml_stop(x, POC_E_INPUT, "more than one message");
    r->out->kind = kind;
}

static void open_init(poc_xml *x)
{
    kind_take(x, MCX_KMS_INIT);
}

static void open_key_prov(poc_xml *x)
{
    kind_take(x, MCX_KMS_KEYS);
}

static void open_cache(poc_xml *x)
{
    reading *r = poc_xml_user(x);
    poc_span value;
    kind_take(x, MCX_KMS_CACHE);
    if (poc_xml_attribute(x, "CacheNum", &value) && !take_number(&r->out->cache_number, 0, value))
        poc_xml_stop(x, POC_E_INPUT, "CacheNum is no number");
}

static void open_error(poc_xml *x)
{
    kind_take(x, MCX_KMS_ERROR);
}

static void open_certificate(poc_xml *x)
{
    reading *r = poc_xml_user(x);
    poc_span value;
    if (r->out->certificate_count == MCX_KMS_CERTIFICATES_MAX) {
        poc_xml_stop(x, POC_E_LIMIT, "too many certificates");
        return;
    }
    mcx_kms_certificate *c = &r->out->certificates[r->out->certificate_count++];
    r->seen &= ~CERTIFICATE_PARTS;
    const bool has_role = poc_xml_attribute(x, "Role", &value);
    c->is_external = has_role && poc_span_eq_str(value, "External");
    if (!has_role || !(c->is_external || poc_span_eq_str(value, "Root")))
        poc_xml_stop(x, POC_E_INPUT, "Role is neither Root nor External");
    if (poc_xml_attribute(x, "IsSecurityGateway", &value) && !take_flag(&c->is_security_gateway, 0, value))
        poc_xml_stop(x, POC_E_INPUT, "IsSecurityGateway is neither true nor false");
}

static void close_certificate(poc_xml *x, poc_span text)
{
    reading *r = poc_xml_user(x);
    const mcx_kms_certificate *c = &r->out->certificates[r->out->certificate_count - 1];
    (void)text;
    if ((r->seen & CERTIFICATE_MUST) != CERTIFICATE_MUST)
        poc_xml_stop(x, POC_E_INPUT, "certificate without all its parts");
    if (c->offset_s >= c->period_s)
        poc_xml_stop(x, POC_E_INPUT, "UserKeyOffset is not less than UserKeyPeriod");
}

static void open_set(poc_xml *x)
{
    reading *r = poc_xml_user(x);
    if (r->out->set_count == MCX_KMS_SETS_MAX) {
        poc_xml_stop(x, POC_E_LIMIT, "too many key sets");
        return;
    }
    mcx_user_keys *keys = &r->out->sets[r->out->set_count++].keys;
    r->seen &= ~SET_PARTS;
    if (poc_secret_new(&keys->rsk, MCX_SAKKE_POINT_LEN) != POC_OK ||
        poc_secret_new(&keys->ssk, MCX_SCALAR_LEN) != POC_OK)
        poc_xml_stop(x, POC_E_NOMEM, "out of memory");
}

static void close_set(poc_xml *x, poc_span text)
{
    const reading *r = poc_xml_user(x);
    (void)text;
    if ((r->seen & SET_MUST) != SET_MUST)
        poc_xml_stop(x, POC_E_INPUT, "key set without all its parts");
}

#define PART(name, parent, is)             \
    {                                      \
        name, parent, is, NULL, close_part \
    }

static const poc_xml_row rows[] = {
    { "KmsResponse", POC_XML_TOP, E_RESPONSE, NULL, NULL },
    PART("UserUri", E_RESPONSE, E_USER_URI),
    PART("KmsUri", E_RESPONSE, E_KMS_URI),
    PART("Time", E_RESPONSE, E_TIME),
    PART("ClientReqUrl", E_RESPONSE, E_URL),
    { "KmsError", E_RESPONSE, E_ERROR, open_error, NULL },
    PART("ErrorCode", E_ERROR, E_ERROR_CODE),
    PART("ErrorMsg", E_ERROR, E_ERROR_MESSAGE),
    { "KmsMessage", E_RESPONSE, E_MESSAGE, NULL, NULL },
    { "KmsInit", E_MESSAGE, E_INIT, open_init, NULL },
    { "KmsCertCache", E_MESSAGE, E_CACHE, open_cache, NULL },
    { "SignedKmsCertificate", E_INIT, E_SIGNED, NULL, NULL },
    { "SignedKmsCertificate", E_CACHE, E_SIGNED, NULL, NULL },
    { "KmsCertificate", E_INIT, E_CERTIFICATE, open_certificate, close_certificate },
    { "KmsCertificate", E_CACHE, E_CERTIFICATE, open_certificate, close_certificate },
    { "KmsCertificate", E_SIGNED, E_CERTIFICATE, open_certificate, close_certificate },
    PART("KmsUri", E_CERTIFICATE, E_CERTIFICATE_KMS),
    PART("ValidFrom", E_CERTIFICATE, E_CERTIFICATE_FROM),
    PART("ValidTo", E_CERTIFICATE, E_CERTIFICATE_TO),
    PART("Revoked", E_CERTIFICATE, E_CERTIFICATE_REVOKED),
    PART("UserIdFormat", E_CERTIFICATE, E_FORMAT),
    PART("UserKeyPeriod", E_CERTIFICATE, E_PERIOD),
    PART("UserKeyOffset", E_CERTIFICATE, E_OFFSET),
    PART("PubEncKey", E_CERTIFICATE, E_ENC_KEY),
    PART("PubAuthKey", E_CERTIFICATE, E_AUTH_KEY),
    PART("ParameterSet", E_CERTIFICATE, E_PARAMETER_SET),
    { "KmsKeyProv", E_MESSAGE, E_KEY_PROV, open_key_prov, NULL },
    { "KmsKeySet", E_KEY_PROV, E_KEY_SET, open_set, close_set },
    PART("KmsUri", E_KEY_SET, E_SET_KMS),
    PART("UserUri", E_KEY_SET, E_SET_USER),
    PART("UserID", E_KEY_SET, E_SET_ID),
    PART("ValidFrom", E_KEY_SET, E_SET_FROM),
    PART("ValidTo", E_KEY_SET, E_SET_TO),
    PART("KeyPeriodNo", E_KEY_SET, E_NUMBER),
    PART("Revoked", E_KEY_SET, E_SET_REVOKED),
    PART("UserDecryptKey", E_KEY_SET, E_RSK),
    PART("UserSigningKeySSK", E_KEY_SET, E_SSK),
    PART("UserPubTokenPVT", E_KEY_SET, E_PVT),
};

static const poc_xml_reader reader = { .rows = rows,
                                       .row_count = POC_COUNT(rows),
                                       .is_row = kms_is_row,
                                       .foreign_root = "not a KmsResponse",
                                       .octets_max = MCX_KMS_DOCUMENT_MAX,
                                       .depth_max = KMS_DEPTH_MAX,
                                       .text_max = MCX_KMS_URL_MAX,
                                       .holds_keys = true };

/* ---- door ---- */

static poc_err whole(const reading *r, const char **why)
{
    *why = "response without all its parts";
    if ((r->seen & RESPONSE_MUST) != RESPONSE_MUST || r->out->kind == MCX_KMS_NOTHING)
        return POC_E_INPUT;
    *why = "error without a code";
    if (r->out->kind == MCX_KMS_ERROR && (r->seen & BIT(E_ERROR_CODE)) == 0)
        return POC_E_INPUT;
    *why = "KmsInit without exactly one root certificate";
    if (r->out->kind == MCX_KMS_INIT && (r->out->certificate_count != 1 || r->out->certificates[0].is_external))
        return POC_E_INPUT;
    *why = "";
    return POC_OK;
}

poc_err mcx_kms_response_read(mcx_kms_response *out, poc_span xml, const char **why)
{
    reading r = { .out = out };
    memset(out, 0, sizeof(*out));
    poc_err err = poc_xml_read(&reader, &r, xml, why);
    if (err == POC_OK)
        err = whole(&r, why);
    if (err != POC_OK)
        mcx_kms_response_done(out);
    return err;
}

void mcx_kms_response_done(mcx_kms_response *response)
{
    for (size_t i = 0; i < response->set_count; i++)
        mcx_user_keys_done(&response->sets[i].keys);
    memset(response, 0, sizeof(*response));
}

/* ---- is it what was asked for? ---- */

static bool ends_in(const char *text, poc_span end)
{
    const size_t n = strlen(text);
    return n >= end.n && poc_span_eq_str(end, text + n - end.n);
}

static poc_err refuse(poc_err err, const char **why, const char *reason)
{
    *why = reason;
    return err;
}

poc_err mcx_kms_response_check(const mcx_kms_response *response, const mcx_kms_asked *asked, const char **why)
{
    if (!poc_span_eq_str(asked->kms_uri, response->kms_uri))
        return refuse(POC_E_AUTH, why, "the answer of another KMS");
    if (!poc_span_eq_str(asked->user_uri, response->user_uri))
        return refuse(POC_E_AUTH, why, "the answer to another user");
    if (!ends_in(response->request_url, asked->path))
        return refuse(POC_E_AUTH, why, "the answer to another request");
    if (response->time_s - asked->now_s > (int64_t)asked->skew_s || asked->now_s - response->time_s > asked->skew_s)
        return refuse(POC_E_AUTH, why, "an answer of another time");
    if (response->kind == MCX_KMS_ERROR)
        return refuse(POC_E_DENIED, why, "the KMS refuses");
    return refuse(POC_OK, why, "");
}

poc_err mcx_kms_key_set_check(const mcx_kms_key_set *set, const mcx_kms_certificate *certificate, const char **why)
{
    uint8_t uid[MCX_UID_LEN];
    const mcx_period period = { certificate->period_s, certificate->offset_s, set->period_number };
    if (set->is_revoked || certificate->is_revoked)
        return refuse(POC_E_DENIED, why, "revoked");
    if (strcmp(set->kms_uri, certificate->kms_uri) != 0)
        return refuse(POC_E_AUTH, why, "keys of another KMS");
    POC_TRY(mcx_uid(uid, poc_span_str(set->user_uri), poc_span_str(set->kms_uri), &period));
    if (memcmp(uid, set->uid, sizeof(uid)) != 0)
        return refuse(POC_E_AUTH, why, "UserID is not the user's in this period");
    return refuse(POC_OK, why, "");
}
