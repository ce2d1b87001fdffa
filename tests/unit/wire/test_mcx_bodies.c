/* Bodies of MCX: what is read, what is written, what is encrypted and signed under the keys of a CSK, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <libxml/c14n.h>

#include "base/crypto.h"
#include "base/text.h"
#include "pf/wire/wire.h"
#include "tests/support/rng.h"

#define ALICE  "sip:alice@mcptt.example.org"
#define CSK_ID 0x2a0b0c0du

/* The keys of one CSK, and of the one before it. */
typedef struct bench {
    poc_secret *csk[2], *confidentiality[2], *integrity[2];
    wire_mcx_keys keys[2];
    wire_mcx_ring ring, empty;
    test_rng chance;
    poc_rng rng;
    char text[WIRE_MCX_BODY_MAX + 1];
    size_t len;
    wire_mcx_info info;
    const char *why;
} bench;

static int set_up(void **state)
{
    static bench b;
    memset(&b, 0, sizeof(b));
    b.rng = test_rng_of(&b.chance, 11);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(poc_secret_random(&b.csk[i], i == 0 ? 16 : 32, &b.rng), POC_OK);
        assert_int_equal(
            mcx_xml_keys(&b.confidentiality[i], &b.integrity[i], b.csk[i], CSK_ID + i, poc_span_str(ALICE)), POC_OK);
        b.keys[i] = (wire_mcx_keys){ CSK_ID + i, b.confidentiality[i], b.integrity[i] };
    }
    b.ring = (wire_mcx_ring){ b.keys, 2 };
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    bench *b = *state;
    for (size_t i = 0; i < 2; i++) {
        poc_secret_free(b->csk[i]);
        poc_secret_free(b->confidentiality[i]);
        poc_secret_free(b->integrity[i]);
    }
    assert_int_equal(poc_secret_live_count(), 0);
    return 0;
}

static void info_write(bench *b, const wire_mcx_info *info, mcx_service service, const wire_mcx_keys *keys)
{
    poc_wr wr = poc_wr_into(b->text, sizeof(b->text));
    assert_int_equal(wire_mcx_info_write(&wr, info, service, keys, &b->rng), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    b->len = wr.len;
}

static poc_err info_read(bench *b, mcx_service service, const wire_mcx_ring *ring)
{
    return wire_mcx_info_read(&b->info, service, poc_span_str(b->text), ring, &b->why);
}

static void text_replace(bench *b, const char *from, const char *to)
{
    char copy[sizeof(b->text)];
    char *at = strstr(b->text, from);
    assert_non_null(at);
    assert_true(strlen(b->text) - strlen(from) + strlen(to) < sizeof(b->text));
    strcpy(copy, at + strlen(from));
    strcpy(at, to);
    strcat(at, copy);
}

/* ---- mcptt-info ---- */

static const wire_mcx_info alice = { .access_token = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln",
                                     .client_id = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
                                     .request_uri = ALICE };

static void an_info_in_clear_is_written_in_the_order_of_the_schema(void **state)
{
    bench *b = *state;
    wire_mcx_info info = alice;
    strcpy(info.client_id, "c<1>");
    info_write(b, &info, MCX_MCPTT, NULL);
    assert_string_equal(
        b->text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                 "<mcpttinfo xmlns=\"urn:3gpp:ns:mcpttInfo:1.0\">\n"
                 "  <mcptt-Params>\n"
                 "    <mcptt-access-token type=\"Normal\"><mcpttString>eyJhbGciOiJSUzI1NiJ9.e30.c2ln</mcpttString>"
                 "</mcptt-access-token>\n"
                 "    <mcptt-request-uri type=\"Normal\"><mcpttURI>sip:alice@mcptt.example.org</mcpttURI>"
                 "</mcptt-request-uri>\n"
                 "    <mcptt-client-id type=\"Normal\"><mcpttString>c&lt;1&gt;</mcpttString></mcptt-client-id>\n"
                 "  </mcptt-Params>\n"
                 "</mcpttinfo>\n");
}

/* MCX-6, MCX-12 */
static void an_info_encrypted_under_the_csk_is_read_back_and_shows_nothing(void **state)
{
    bench *b = *state;
    for (size_t i = 0; i < 4; i++) {
        const mcx_service service = i / 2 == 0 ? MCX_MCPTT : MCX_MCVIDEO;
        info_write(b, &alice, service, &b->keys[i % 2]);
        assert_null(strstr(b->text, "eyJ"));
        assert_null(strstr(b->text, "alice"));
        assert_null(strstr(b->text, "uuid"));
        assert_non_null(strstr(b->text, i % 2 == 0 ? "aes128-gcm" : "aes256-gcm"));
        assert_int_equal(info_read(b, service, &b->ring), POC_OK);
        assert_string_equal(b->info.access_token, alice.access_token);
        assert_string_equal(b->info.client_id, alice.client_id);
        assert_string_equal(b->info.request_uri, alice.request_uri);
        assert_false(b->info.has_clear);
        wire_mcx_info_done(&b->info);
        assert_int_equal(info_read(b, service == MCX_MCPTT ? MCX_MCVIDEO : MCX_MCPTT, &b->ring), POC_E_INPUT);
    }
}

/* MCX-6 */
static void an_info_tells_when_a_part_of_it_was_in_clear(void **state)
{
    bench *b = *state;
    info_write(b, &alice, MCX_MCPTT, &b->keys[0]);
    text_replace(
        b, "</mcptt-Params>",
        "<mcptt-calling-user-id type=\"Normal\"><mcpttURI>sip:x</mcpttURI></mcptt-calling-user-id></mcptt-Params>");
    assert_int_equal(info_read(b, MCX_MCPTT, &b->ring), POC_OK);
    assert_false(b->info.has_clear);
    info_write(b, &alice, MCX_MCPTT, NULL);
    assert_int_equal(info_read(b, MCX_MCPTT, &b->empty), POC_OK);
    assert_true(b->info.has_clear);
    assert_string_equal(b->info.request_uri, ALICE);
}

static void what_is_encrypted_with_another_key_or_altered_is_refused_and_leaves_nothing(void **state)
{
    bench *b = *state;
    const wire_mcx_keys swapped = { CSK_ID, b->integrity[0], b->integrity[0] };
    const wire_mcx_ring wrong = { &swapped, 1 };
    info_write(b, &alice, MCX_MCPTT, &b->keys[0]);
    assert_int_equal(info_read(b, MCX_MCPTT, &b->empty), POC_E_AUTH);
    assert_string_equal(b->why, "encrypted with a key that is not known");
    assert_int_equal(info_read(b, MCX_MCPTT, &wrong), POC_E_AUTH);
    assert_string_equal(b->why, "not encrypted with the key it names");
    char *cipher = strstr(b->text, "<CipherValue>") + strlen("<CipherValue>") + 20;
    *cipher = *cipher == 'A' ? 'B' : 'A';
    assert_int_equal(info_read(b, MCX_MCPTT, &b->ring), POC_E_AUTH);
    assert_string_equal(b->info.access_token, "");
    assert_string_equal(b->info.client_id, "");
}

static void cipher_values_in_lines_and_bare_texts_are_taken(void **state)
{
    bench *b = *state;
    uint8_t sealed[12 + 5 + 16];
    char base64[64];
    poc_wr wr = poc_wr_into(base64, sizeof(base64));
    memset(sealed, 7, 12);
    assert_int_equal(poc_gcm_seal_iv(sealed + 12, poc_secret_span(b->confidentiality[0]), poc_span_of(sealed, 12),
                                     poc_span_str(""), poc_span_str("token")),
                     POC_OK);
    poc_base64_put(&wr, poc_span_of(sealed, sizeof(sealed)));
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    wr = poc_wr_into(b->text, sizeof(b->text));
    poc_wr_fmt(
        &wr,
        "<m:mcpttinfo xmlns:m=\"urn:3gpp:ns:mcpttInfo:1.0\" xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\" "
        "xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\"><m:mcptt-Params><m:mcptt-access-token type=\"Encrypted\">"
        "<e:EncryptedData><e:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes128-gcm\"/>"
        "<d:KeyInfo><d:KeyName>KgsMDQ==</d:KeyName></d:KeyInfo><e:CipherData><e:CipherValue>\n%.20s\n  %s\n"
        "</e:CipherValue></e:CipherData></e:EncryptedData></m:mcptt-access-token></m:mcptt-Params></m:mcpttinfo>",
        base64, base64 + 20);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_int_equal(info_read(b, MCX_MCPTT, &b->ring), POC_OK);
    assert_string_equal(b->info.access_token, "token");
}

static void an_info_that_contradicts_itself_is_refused(void **state)
{
    static const struct {
        const char *from, *to;
        poc_err err;
    } rows[] = {
        { "type=\"Normal\"", "type=\"Encrypted\"", POC_E_INPUT },
        { "type=\"Normal\"", "type=\"Other\"", POC_E_INPUT },
        { "type=\"Normal\"", "", POC_OK },
        { "<mcpttString>", "<mcpttString>a</mcpttString><mcpttString>", POC_E_INPUT },
        { "<mcpttString>eyJhbGciOiJSUzI1NiJ9.e30.c2ln</mcpttString>", "<mcpttString/>", POC_E_INPUT },
        { "<mcpttString>eyJhbGciOiJSUzI1NiJ9.e30.c2ln</mcpttString>", "", POC_E_INPUT },
        { "</mcptt-access-token>", "<EncryptedData xmlns=\"http://www.w3.org/2001/04/xmlenc#\"/></mcptt-access-token>",
          POC_E_INPUT },
        { "<mcptt-request-uri",
          "<mcptt-access-token><mcpttString>b</mcpttString></mcptt-access-token><mcptt-request-uri", POC_E_INPUT },
        { "urn:3gpp:ns:mcpttInfo:1.0", "urn:other", POC_E_INPUT },
        { "<mcpttinfo", "<!DOCTYPE mcpttinfo><mcpttinfo", POC_E_INPUT },
    };
    bench *b = *state;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        info_write(b, &alice, MCX_MCPTT, NULL);
        text_replace(b, rows[i].from, rows[i].to);
        assert_int_equal(info_read(b, MCX_MCPTT, &b->ring), rows[i].err);
        assert_int_equal(b->why[0] == '\0', rows[i].err == POC_OK);
    }
}

static void the_longest_token_goes_through_encrypted_and_one_more_octet_is_refused(void **state)
{
    bench *b = *state;
    static wire_mcx_info info;
    memset(info.access_token, 't', WIRE_MCX_TOKEN_MAX);
    info_write(b, &info, MCX_MCPTT, &b->keys[1]);
    assert_int_equal(info_read(b, MCX_MCPTT, &b->ring), POC_OK);
    assert_string_equal(b->info.access_token, info.access_token);
    info_write(b, &info, MCX_MCPTT, NULL);
    text_replace(b, "tttt", "ttttt");
    assert_int_equal(info_read(b, MCX_MCPTT, &b->ring), POC_E_INPUT);
}

/* ---- signatures ---- */

static const poc_part bodies[] = {
    { .id = { (const uint8_t *)"<info@client>", 13 }, .body = { (const uint8_t *)"<mcpttinfo/>", 12 } },
    { .id = { (const uint8_t *)"<list@client>", 13 }, .body = { (const uint8_t *)"<list>\r\n</list>", 15 } },
    { .id = { (const uint8_t *)"<more@client>", 13 }, .body = { (const uint8_t *)"<more/>", 7 } },
};

static poc_parts parts_of(size_t count)
{
    poc_parts parts = { .count = count };
    memcpy(parts.part, bodies, count * sizeof(bodies[0]));
    return parts;
}

static void sign(bench *b, size_t count, const wire_mcx_keys *keys)
{
    poc_wr wr = poc_wr_into(b->text, sizeof(b->text));
    assert_int_equal(wire_mcx_signed_write(&wr, bodies, count, MCX_MCPTT, keys), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

static poc_err signed_check(bench *b, const poc_parts *parts, const wire_mcx_ring *ring, uint32_t *covered)
{
    return wire_mcx_signed_check(covered, MCX_MCPTT, poc_span_str(b->text), parts, ring, &b->why);
}

/* MCX-6, MCX-12 */
static void signatures_cover_the_parts_that_they_name_and_no_others(void **state)
{
    bench *b = *state;
    const poc_parts parts = parts_of(3);
    uint32_t covered;
    for (size_t i = 0; i < 2; i++) {
        sign(b, 2, &b->keys[i]);
        assert_int_equal(signed_check(b, &parts, &b->ring, &covered), POC_OK);
        assert_int_equal(covered, 3);
    }
    assert_int_equal(signed_check(b, &parts, &b->empty, &covered), POC_E_AUTH);
    assert_int_equal(covered, 0);
}

static void a_part_or_a_signature_that_was_altered_is_refused(void **state)
{
    bench *b = *state;
    poc_parts parts = parts_of(2);
    uint32_t covered;
    sign(b, 2, &b->keys[0]);
    parts.part[1].body = poc_span_str("<list>\n</list>");
    assert_int_equal(signed_check(b, &parts, &b->ring, &covered), POC_E_AUTH);
    assert_string_equal(b->why, "a part is not what was signed");
    assert_int_equal(covered, 0);
    parts = parts_of(2);
    text_replace(b, "cid:info@client", "cid:list@client");
    assert_int_equal(signed_check(b, &parts, &b->ring, &covered), POC_E_AUTH);
    assert_string_equal(b->why, "the signature does not hold");
    sign(b, 2, &b->keys[0]);
    parts.count = 1;
    assert_int_equal(signed_check(b, &parts, &b->ring, &covered), POC_E_INPUT);
    assert_string_equal(b->why, "a signature of a part that is not there");
}

static void a_genuine_signed_info_in_another_place_proves_nothing(void **state)
{
    bench *b = *state;
    const poc_parts parts = parts_of(3);
    uint32_t covered;
    char genuine[2048];
    sign(b, 1, &b->keys[0]);
    char *from = strstr(b->text, "<SignedInfo"), *to = strstr(b->text, "</SignedInfo>") + strlen("</SignedInfo>");
    const size_t n = (size_t)(to - from);
    memcpy(genuine, "<!--", 4);
    memcpy(genuine + 4, from, n);
    strcpy(genuine + 4 + n, "--><SignedInfo");
    text_replace(b, "<SignedInfo", genuine);
    char *real = strstr(strstr(b->text, "-->"), "cid:info@client");
    memcpy(real, "cid:more@client", strlen("cid:more@client"));
    assert_int_equal(signed_check(b, &parts, &b->ring, &covered), POC_E_INPUT);
    assert_int_equal(covered, 0);
}

static void a_body_of_signatures_that_is_not_whole_is_refused(void **state)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        { "<SignatureValue>", "<SignatureValue>A" },
        { "<KeyName>KgsMDQ==</KeyName>", "" },
        { "</SignedInfo>", "</SignedInfo><SignedInfo></SignedInfo>" },
        { "<DigestMethod", "<Transforms/><DigestMethod" },
        { "#hmac-sha256", "#hmac-sha1" },
        { "<mcptt-signed", "<mcptt-other" },
        { "<Reference", "<!-- --><Reference" },
    };
    bench *b = *state;
    const poc_parts parts = parts_of(1);
    uint32_t covered;
    for (size_t i = 0; i < POC_COUNT(rows); i++) {
        sign(b, 1, &b->keys[0]);
        text_replace(b, rows[i].from, rows[i].to);
        const poc_err err = signed_check(b, &parts, &b->ring, &covered);
        assert_true(err == POC_E_INPUT || err == POC_E_AUTH);
        assert_int_equal(covered, 0);
    }
    strcpy(b->text, "<mcptt-signed xmlns=\"urn:3gpp:ns:mcpttSigned:1.0\"/>");
    assert_int_equal(signed_check(b, &parts, &b->ring, &covered), POC_E_INPUT);
}

static int is_in_signed_info(void *user, xmlNodePtr node, xmlNodePtr parent)
{
    (void)user;
    for (xmlNodePtr at = node->type == XML_NAMESPACE_DECL ? parent : node; at != NULL; at = at->parent)
        if (at->type == XML_ELEMENT_NODE && strcmp((const char *)at->name, "SignedInfo") == 0)
            return 1;
    return 0;
}

/* What libxml2 makes of the first SignedInfo of `text` by C14N. */
static poc_span canonical_by_libxml2(const char *text, xmlChar **out)
{
    xmlDocPtr doc = xmlReadMemory(text, (int)strlen(text), NULL, NULL, XML_PARSE_NONET);
    assert_non_null(doc);
    xmlOutputBufferPtr buffer = xmlAllocOutputBuffer(NULL);
    assert_true(xmlC14NExecute(doc, is_in_signed_info, NULL, XML_C14N_1_0, NULL, 0, buffer) >= 0);
    const size_t n = xmlOutputBufferGetSize(buffer);
    *out = xmlStrndup(xmlOutputBufferGetContent(buffer), (int)n);
    (void)xmlOutputBufferClose(buffer);
    xmlFreeDoc(doc);
    return poc_span_of(*out, n);
}

static void mac_put(char out[64], const bench *b, const char *text)
{
    uint8_t mac[POC_SHA256_LEN];
    xmlChar *octets;
    poc_wr wr = poc_wr_into(out, 64);
    const poc_span canonical = canonical_by_libxml2(text, &octets);
    assert_int_equal(poc_hmac_sha256(mac, poc_secret_span(b->integrity[0]), canonical), POC_OK);
    xmlFree(octets);
    poc_base64_put(&wr, poc_span_of(mac, sizeof(mac)));
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

static void a_signature_is_over_what_libxml2_calls_canonical(void **state)
{
    bench *b = *state;
    char mac[64];
    sign(b, 1, &b->keys[0]);
    mac_put(mac, b, b->text);
    assert_non_null(strstr(b->text, mac));
}

static void a_foreign_signer_may_use_white_space_and_empty_elements(void **state)
{
    bench *b = *state;
    const poc_parts parts = parts_of(1);
    uint32_t covered;
    char digest[64], mac[64];
    uint8_t octets[POC_SHA256_LEN];
    poc_wr wr = poc_wr_into(digest, sizeof(digest));
    assert_int_equal(poc_sha256(octets, bodies[0].body), POC_OK);
    poc_base64_put(&wr, poc_span_of(octets, sizeof(octets)));
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    wr = poc_wr_into(b->text, sizeof(b->text));
    poc_wr_fmt(&wr,
               "<mcptt-signed xmlns=\"urn:3gpp:ns:mcpttSigned:1.0\">\r\n"
               "<Signature  xmlns=\"http://www.w3.org/2000/09/xmldsig#\">\r\n  <SignedInfo>\r\n"
               "    <CanonicalizationMethod  Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\" />\r\n"
               "\t<SignatureMethod\r\n Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#hmac-sha256\"/>\n"
               "    <Reference URI=\"cid:info@client\" >\n"
               "      <DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>\n"
               "      <DigestValue>%s</DigestValue>\n    </Reference >\n  </SignedInfo>\n"
               "  <SignatureValue>%%</SignatureValue>\n  <KeyInfo><KeyName>KgsMDQ==</KeyName></KeyInfo>\n"
               "</Signature></mcptt-signed>",
               digest);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    mac_put(mac, b, b->text);
    text_replace(b, "%", mac);
    assert_int_equal(signed_check(b, &parts, &b->ring, &covered), POC_OK);
    assert_int_equal(covered, 1);
}

/* ---- message/sip ---- */

#define REGISTER                                                                              \
    "REGISTER sip:home.example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n" \
    "To: \"Alice\" <sip:alice@home.example.org>\r\nf: <sip:alice@home.example.org>;tag=1\r\n" \
    "Contact: <sip:alice@192.0.2.7>;+g.3gpp.mcptt\r\nContact: <sip:alice@192.0.2.8>\r\n"      \
    "content-type: multipart/mixed;\r\n boundary=b\r\nExpires: 600\r\nContent-Length: 5\r\n\r\n"

/* MCX-5, MCX-11 */
static void the_register_inside_a_third_party_register_is_read_with_its_body_octet_by_octet(void **state)
{
    static const char text[] = REGISTER "ab\0\r\n";
    wire_register r;
    poc_fault fault;
    (void)state;
    assert_int_equal(wire_register_read(&r, poc_span_of(text, sizeof(text) - 1), &fault), POC_OK);
    assert_true(poc_span_eq_str(r.request_uri, "sip:home.example.org"));
    assert_true(poc_span_eq_str(r.to, "\"Alice\" <sip:alice@home.example.org>"));
    assert_true(poc_span_eq_str(r.from, "<sip:alice@home.example.org>;tag=1"));
    assert_true(poc_span_eq_str(r.contact, "<sip:alice@192.0.2.7>;+g.3gpp.mcptt"));
    assert_true(poc_span_eq_str(r.content_type, "multipart/mixed;\r\n boundary=b"));
    assert_true(r.has_expires);
    assert_int_equal(r.expires_s, 600);
    assert_true(poc_span_eq(r.body, poc_span_of("ab\0\r\n", 5)));
}

static void a_register_cut_anywhere_before_its_body_ends_is_refused(void **state)
{
    static const char text[] = REGISTER "ab\0\r\n";
    wire_register r;
    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++)
        assert_int_equal(wire_register_read(&r, poc_span_of(text, n), NULL), POC_E_INPUT);
    assert_int_equal(wire_register_read(&r, poc_span_str(REGISTER "abcde\r\n"), NULL), POC_OK);
    assert_int_equal(r.body.n, 5);
    assert_int_equal(wire_register_read(&r, poc_span_str(REGISTER "abcdef"), NULL), POC_E_INPUT);
}

static void what_is_no_single_register_is_refused(void **state)
{
    static const char *const bad[] = {
        "INVITE sip:a SIP/2.0\r\nTo: <sip:a>\r\nFrom: <sip:a>\r\n\r\n",
        "REGISTER  SIP/2.0\r\nTo: <sip:a>\r\nFrom: <sip:a>\r\n\r\n",
        "REGISTER sip:a SIP/3.0\r\nTo: <sip:a>\r\nFrom: <sip:a>\r\n\r\n",
        "REGISTER sip:a SIP/2.0\r\nTo: <sip:a>\r\n\r\n",
        "REGISTER sip:a SIP/2.0\r\nFrom: <sip:a>\r\n\r\n",
        "REGISTER sip:a SIP/2.0\r\nTo: <sip:a>\r\nt: <sip:b>\r\nFrom: <sip:a>\r\n\r\n",
        "REGISTER sip:a SIP/2.0\r\nTo: <sip:a>\r\nFrom: <sip:a>\r\nc: a/b\r\nContent-Type: c/d\r\n\r\n",
        "REGISTER sip:a SIP/2.0\r\nTo: <sip:a>\r\nFrom: <sip:a>\r\nl: 0\r\nl: 0\r\n\r\n",
        "REGISTER sip:a SIP/2.0\r\nTo: <sip:a>\r\nFrom: <sip:a>\r\nExpires: soon\r\n\r\n",
        "REGISTER sip:a SIP/2.0\r\nTo: <sip:a>\r\nFrom: <sip:a>\r\nno colon\r\n\r\n",
        "REGISTER sip:a SIP/2.0\r\nTo:\r\nFrom: <sip:a>\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < POC_COUNT(bad); i++) {
        wire_register r;
        poc_fault fault;
        assert_int_equal(wire_register_read(&r, poc_span_str(bad[i]), &fault), POC_E_INPUT);
        assert_non_null(fault.reason);
    }
}

/* ---- mbms-usage-info ---- */

/* MCX-4 */
static void an_announcement_names_the_bearer_and_holds_no_key(void **state)
{
    bench *b = *state;
    const wire_mbms_announcement a = { .tmgi = { 0, 0, 1, 0x62, 0xf2, 0x10 },
                                       .qci = 65,
                                       .areas = { 0x0001, 0xbeef },
                                       .area_count = 2,
                                       .general_purpose_line = 1 };
    poc_wr wr = poc_wr_into(b->text, sizeof(b->text));
    assert_int_equal(wire_mbms_announcement_write(&wr, &a, MCX_MCPTT), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_string_equal(b->text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                                 "<mcptt-mbms-usage-info xmlns=\"urn:3gpp:ns:mcpttMbmsUsage:1.0\">\n"
                                 "  <announcement>\n"
                                 "    <TMGI>00000162f210</TMGI>\n"
                                 "    <QCI>65</QCI>\n"
                                 "    <mbms-service-areas>\n"
                                 "      <mbms-service-area-id>0001</mbms-service-area-id>\n"
                                 "      <mbms-service-area-id>beef</mbms-service-area-id>\n"
                                 "    </mbms-service-areas>\n"
                                 "    <GPMS>1</GPMS>\n"
                                 "  </announcement>\n"
                                 "  <version>1</version>\n"
                                 "</mcptt-mbms-usage-info>\n");
}

static void a_bearer_without_areas_is_announced_as_gone(void **state)
{
    bench *b = *state;
    wire_mbms_announcement a = { .tmgi = { 0, 0, 1, 0x62, 0xf2, 0x10 } };
    poc_wr wr = poc_wr_into(b->text, sizeof(b->text));
    assert_int_equal(wire_mbms_announcement_write(&wr, &a, MCX_MCVIDEO), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_non_null(strstr(b->text, "<TMGI>00000162f210</TMGI>"));
    assert_null(strstr(b->text, "mbms-service-areas"));
    assert_non_null(strstr(b->text, "urn:3gpp:ns:mcvideoMbmsUsage:1.0"));
    a.area_count = WIRE_MCX_AREAS_MAX + 1;
    assert_int_equal(wire_mbms_announcement_write(&wr, &a, MCX_MCPTT), POC_E_INPUT);
}

#define USAGE(inside)                                                         \
    "<mcptt-mbms-usage-info xmlns=\"urn:3gpp:ns:mcpttMbmsUsage:1.0\">" inside \
    "<version>1</version></mcptt-mbms-usage-info>"
#define STATUS(inside) USAGE("<mbms-listening-status>" inside "</mbms-listening-status>")
#define WORD           "<mbms-listening-status>listening</mbms-listening-status>"

static void a_listening_status_tells_which_bearers_are_heard(void **state)
{
    static wire_mbms_listening l;
    const char *why;
    (void)state;
    assert_int_equal(
        wire_mbms_listening_read(&l, MCX_MCPTT,
                                 poc_span_str(STATUS(WORD "<session-id>sip:s@x</session-id><general-purpose>true"
                                                          "</general-purpose><TMGI>00000162F210</TMGI>"
                                                          "<TMGI>00000262f210</TMGI><anyExt><TMGI/></anyExt>")),
                                 &why),
        POC_OK);
    assert_true(l.is_listening && l.is_general_purpose);
    assert_string_equal(l.session_id, "sip:s@x");
    assert_int_equal(l.tmgi_count, 2);
    assert_memory_equal(l.tmgi[1], "\x00\x00\x02\x62\xf2\x10", WIRE_MCX_TMGI_LEN);
    assert_int_equal(
        wire_mbms_listening_read(&l, MCX_MCPTT,
                                 poc_span_str(STATUS("<mbms-listening-status>not-listening</mbms-listening-status>"
                                                     "<TMGI>00000162f210</TMGI>")),
                                 &why),
        POC_OK);
    assert_false(l.is_listening || l.is_general_purpose);
}

static void a_listening_status_that_makes_no_sense_is_refused(void **state)
{
    static const char *const bad[] = {
        USAGE(""),
        STATUS(WORD),
        STATUS("<TMGI>00000162f210</TMGI>"),
        STATUS("<mbms-listening-status>perhaps</mbms-listening-status><TMGI>00000162f210</TMGI>"),
        STATUS(WORD WORD "<TMGI>00000162f210</TMGI>"),
        STATUS(WORD "<TMGI>00000162f2</TMGI>"),
        STATUS(WORD "<session-id/><TMGI>00000162f210</TMGI>"),
        STATUS(WORD "<general-purpose>yes</general-purpose><TMGI>00000162f210</TMGI>"),
        USAGE("<mbms-listening-status/><mbms-listening-status/>"),
        "<mcptt-mbms-usage-info/>",
    };
    static wire_mbms_listening l;
    (void)state;
    for (size_t i = 0; i < POC_COUNT(bad); i++) {
        const char *why = "";
        assert_int_equal(wire_mbms_listening_read(&l, MCX_MCPTT, poc_span_str(bad[i]), &why), POC_E_INPUT);
        assert_true(why[0] != '\0');
    }
}

static void media_types_tell_body_and_service(void **state)
{
    (void)state;
    assert_string_equal(wire_mcx_media_type(WIRE_MCX_INFO, MCX_MCPTT), "application/vnd.3gpp.mcptt-info+xml");
    assert_string_equal(wire_mcx_media_type(WIRE_MCX_SIGNED, MCX_MCVIDEO), "application/vnd.3gpp.mcvideo-signed+xml");
    assert_string_equal(wire_mcx_media_type(WIRE_MCX_MBMS_USAGE, MCX_MCPTT),
                        "application/vnd.3gpp.mcptt-mbms-usage-info+xml");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_info_in_clear_is_written_in_the_order_of_the_schema),
        cmocka_unit_test(an_info_encrypted_under_the_csk_is_read_back_and_shows_nothing),
        cmocka_unit_test(an_info_tells_when_a_part_of_it_was_in_clear),
        cmocka_unit_test(what_is_encrypted_with_another_key_or_altered_is_refused_and_leaves_nothing),
        cmocka_unit_test(cipher_values_in_lines_and_bare_texts_are_taken),
        cmocka_unit_test(an_info_that_contradicts_itself_is_refused),
        cmocka_unit_test(the_longest_token_goes_through_encrypted_and_one_more_octet_is_refused),
        cmocka_unit_test(signatures_cover_the_parts_that_they_name_and_no_others),
        cmocka_unit_test(a_part_or_a_signature_that_was_altered_is_refused),
        cmocka_unit_test(a_genuine_signed_info_in_another_place_proves_nothing),
        cmocka_unit_test(a_body_of_signatures_that_is_not_whole_is_refused),
        cmocka_unit_test(a_signature_is_over_what_libxml2_calls_canonical),
        cmocka_unit_test(a_foreign_signer_may_use_white_space_and_empty_elements),
        cmocka_unit_test(the_register_inside_a_third_party_register_is_read_with_its_body_octet_by_octet),
        cmocka_unit_test(a_register_cut_anywhere_before_its_body_ends_is_refused),
        cmocka_unit_test(what_is_no_single_register_is_refused),
        cmocka_unit_test(an_announcement_names_the_bearer_and_holds_no_key),
        cmocka_unit_test(a_bearer_without_areas_is_announced_as_gone),
        cmocka_unit_test(a_listening_status_tells_which_bearers_are_heard),
        cmocka_unit_test(a_listening_status_that_makes_no_sense_is_refused),
        cmocka_unit_test(media_types_tell_body_and_service),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
