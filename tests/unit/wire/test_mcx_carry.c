/* Bodies between a client and the core: what is protected under the CSK ends at the server, and begins there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/wire/air.h"
#include "tests/unit/core/mcx_office.h"

#define ALICE_CSK   0x20000a11u
#define ALICE_NEXT  0x20000a12u
#define BOB_CSK     0x20000b0bu
#define CALLED      "sip:fire@mcptt.example.org"
#define INFO_TYPE   "application/vnd.3gpp.mcptt-info+xml"
#define SIGNED_TYPE "application/vnd.3gpp.mcptt-signed+xml"

static const char clear_info[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<mcpttinfo xmlns=\"urn:3gpp:ns:mcpttInfo:1.0\">\n  <mcptt-Params>\n"
    "    <session-type>prearranged</session-type>\n"
    "    <mcptt-calling-group-id type=\"Normal\"><mcpttURI>" CALLED "</mcpttURI></mcptt-calling-group-id>\n"
    "    <emergency-ind type='Normal'><mcpttBoolean>true</mcpttBoolean></emergency-ind>\n"
    "    <!-- type=\"Normal\" in a comment -->\n"
    "  </mcptt-Params>\n</mcpttinfo>\n";

typedef struct bench {
    office *office;
    wire_mcx_carried out;
} bench;

/** One user's keys for XML. */
typedef struct keyed {
    poc_secret *c, *i;
    wire_mcx_keys keys;
} keyed;

static bench *bench_new(void **state)
{
    bench *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    b->office = office_new(*state);
    office_boot(b->office);
    assert_int_equal(office_bring(b->office, &b->office->town->alice, ALICE_IMPU, ALICE_CSK), POCPF_OK);
    office_run(b->office);
    assert_int_equal(office_bring(b->office, &b->office->town->bob, BOB_IMPU, BOB_CSK), POCPF_OK);
    office_run(b->office);
    return b;
}

static void bench_free(bench *b)
{
    office_free(b->office);
    free(b);
}

static keyed keyed_of(const bench *b, const char *user, const char *mc_id, uint32_t id)
{
    pocpf_csk_status csk = { .size = sizeof(csk) };
    keyed k = { 0 };
    assert_int_equal(pocpf_csk_look(b->office->pf, user, id, &csk), POCPF_OK);
    assert_int_equal(mcx_xml_keys(&k.c, &k.i, (const poc_secret *)csk.key, csk.csk_id, poc_span_str(mc_id)), POC_OK);
    k.keys = (wire_mcx_keys){ csk.csk_id, k.c, k.i };
    return k;
}

static void keyed_done(keyed *k)
{
    poc_secret_free(k->c);
    poc_secret_free(k->i);
}

static poc_err up(bench *b, const char *user, const char *type, poc_span body)
{
    return wire_mcx_carry_up(&b->out, b->office->pf, user, poc_span_str(type), body, &b->office->rng);
}

static poc_err down(bench *b, const char *user, const char *type, poc_span body)
{
    return wire_mcx_carry_down(&b->out, b->office->pf, user, poc_span_str(type), body, &b->office->rng);
}

static poc_span carried(const bench *b)
{
    assert_true(b->out.has_changed);
    return poc_span_of(b->out.body, b->out.len);
}

/** What `down` makes of the document: as a client would protect it too. */
static poc_span protected_by(bench *b, const char *user, uint8_t room[WIRE_MCX_BODY_MAX])
{
    assert_int_equal(down(b, user, INFO_TYPE, poc_span_str(clear_info)), POC_OK);
    const poc_span body = carried(b);
    memcpy(room, body.p, body.n);
    return poc_span_of(room, body.n);
}

static bool has(poc_span where, const char *what)
{
    return memmem(where.p, where.n, what, strlen(what)) != NULL;
}

/* ---- there and back ---- */

/* MCX-6, MCX-12 */
static void what_goes_to_the_client_is_encrypted_and_comes_back_in_clear(void **state)
{
    bench *b = bench_new(state);
    uint8_t room[WIRE_MCX_BODY_MAX];
    const poc_span sealed = protected_by(b, ALICE_IMPU, room);
    assert_string_equal(b->out.content_type, INFO_TYPE);
    assert_false(has(sealed, CALLED));
    assert_false(has(sealed, "true"));
    assert_true(has(sealed, "<session-type>prearranged</session-type>")); /* of no type, so not protected */
    assert_true(has(sealed, "<!-- type=\"Normal\" in a comment -->"));
    assert_true(has(sealed, "<mcptt-calling-group-id type=\"Encrypted\"><EncryptedData"));
    assert_int_equal(up(b, ALICE_IMPU, INFO_TYPE, sealed), POC_OK);
    assert_true(poc_span_eq_str(carried(b), clear_info));
    bench_free(b);
}

/* MCX-12 */
static void what_a_client_writes_opens(void **state)
{
    bench *b = bench_new(state);
    keyed alice = keyed_of(b, ALICE_IMPU, ALICE_ID, 0);
    wire_mcx_info info = { .request_uri = CALLED };
    char body[WIRE_MCX_BODY_MAX];
    poc_wr wr = poc_wr_into(body, sizeof(body));
    const char *why;
    assert_int_equal(wire_mcx_info_write(&wr, &info, MCX_MCPTT, &alice.keys, &b->office->rng), POC_OK);
    assert_int_equal(up(b, ALICE_IMPU, INFO_TYPE, poc_span_of(body, wr.len)), POC_OK);
    assert_true(has(carried(b), "type=\"Normal\">"));
    assert_true(has(carried(b), CALLED));
    const wire_mcx_ring none = { NULL, 0 };
    assert_int_equal(wire_mcx_info_read(&info, MCX_MCPTT, carried(b), &none, &why), POC_OK);
    assert_string_equal(info.request_uri, CALLED);
    keyed_done(&alice);
    bench_free(b);
}

static void the_previous_csk_still_opens(void **state)
{
    bench *b = bench_new(state);
    uint8_t room[WIRE_MCX_BODY_MAX];
    const poc_span sealed = protected_by(b, ALICE_IMPU, room);
    assert_int_equal(office_bring(b->office, &b->office->town->alice, ALICE_IMPU, ALICE_NEXT), POCPF_OK);
    office_run(b->office);
    assert_int_equal(up(b, ALICE_IMPU, INFO_TYPE, sealed), POC_OK);
    assert_true(has(carried(b), CALLED));
    bench_free(b);
}

/* A namespace that is declared further up, and a prefix. */
static void foreign_prefixes_are_understood(void **state)
{
    bench *b = bench_new(state);
    uint8_t room[WIRE_MCX_BODY_MAX];
    char text[WIRE_MCX_BODY_MAX], body[WIRE_MCX_BODY_MAX];
    const poc_span sealed = protected_by(b, ALICE_IMPU, room);
    (void)snprintf(text, sizeof(text), "%.*s", (int)sealed.n, (const char *)sealed.p);
    char *key = strstr(text, "<KeyName>") + 9, *value = strstr(text, "<CipherValue>") + 13;
    key[strcspn(key, "<")] = value[strcspn(value, "<")] = '\0';
    (void)snprintf(body, sizeof(body),
                   "<i:mcpttinfo xmlns:i='urn:3gpp:ns:mcpttInfo:1.0' xmlns:x='urn:wrong' >"
                   "<i:mcptt-Params xmlns:x='http://www.w3.org/2001/04/xmlenc#'>"
                   "<i:mcptt-calling-group-id\n type = 'Encrypted'  >\n  <x:EncryptedData a='>'>"
                   "<x:EncryptionMethod Algorithm='http://www.w3.org/2009/xmlenc11#aes128-gcm'/>"
                   "<KeyInfo xmlns='http://www.w3.org/2000/09/xmldsig#'><KeyName> %s\n</KeyName></KeyInfo>"
                   "<x:CipherData><x:CipherValue>\n%s</x:CipherValue></x:CipherData></x:EncryptedData>\n"
                   "</i:mcptt-calling-group-id></i:mcptt-Params></i:mcpttinfo>",
                   key, value);
    assert_int_equal(up(b, ALICE_IMPU, INFO_TYPE, poc_span_str(body)), POC_OK);
    assert_true(has(carried(b), "<i:mcptt-calling-group-id\n type = 'Normal'  ><mcpttURI>" CALLED "</mcpttURI>\n"));
    bench_free(b);
}

/* ---- several parts ---- */

static size_t multipart(char out[WIRE_MCX_BODY_MAX], const poc_part *parts, size_t n)
{
    poc_wr wr = poc_wr_into(out, WIRE_MCX_BODY_MAX);
    assert_int_equal(poc_parts_write(&wr, "limit", parts, n), POC_OK);
    return wr.len;
}

/* MCX-12 */
static void signatures_are_checked_and_taken_off(void **state)
{
    bench *b = bench_new(state);
    keyed alice = keyed_of(b, ALICE_IMPU, ALICE_ID, 0);
    uint8_t room[WIRE_MCX_BODY_MAX];
    char body[WIRE_MCX_BODY_MAX], signatures[4096];
    poc_parts read;
    poc_part parts[4] = { { .type = poc_span_str("application/sdp"), .body = poc_span_str("v=0\r\n") },
                          { .type = poc_span_str(INFO_TYPE),
                            .id = poc_span_str("<info@client>"),
                            .body = protected_by(b, ALICE_IMPU, room) },
                          { .type = poc_span_str(SIGNED_TYPE) } };
    poc_wr wr = poc_wr_into(signatures, sizeof(signatures));
    assert_int_equal(wire_mcx_signed_write(&wr, &parts[1], 1, MCX_MCPTT, &alice.keys), POC_OK);
    parts[2].body = poc_span_of(signatures, wr.len);
    size_t n = multipart(body, parts, 3);
    assert_int_equal(up(b, ALICE_IMPU, "multipart/mixed; boundary=\"limit\"", poc_span_of(body, n)), POC_OK);
    assert_int_equal(poc_parts_read(&read, poc_span_str(b->out.content_type), carried(b), NULL), POC_OK);
    assert_int_equal(read.count, 2);
    assert_true(poc_span_eq_str(read.part[0].body, "v=0\r\n"));
    assert_true(poc_span_eq_str(read.part[1].id, "<info@client>"));
    assert_true(poc_span_eq_str(read.part[1].body, clear_info));
    /* A document that nobody signed, beside it. */
    parts[3] = (poc_part){ .type = poc_span_str("application/vnd.3gpp.mcptt-location-info+xml"),
                           .body = poc_span_str("<location-info/>") };
    n = multipart(body, parts, 4);
    assert_int_equal(up(b, ALICE_IMPU, "multipart/mixed;boundary=limit", poc_span_of(body, n)), POC_E_AUTH);
    parts[3].type = poc_span_str("application/vnd.3gpp.mcvideo-location-info+xml"); /* those are not his */
    n = multipart(body, parts, 4);
    assert_int_equal(up(b, ALICE_IMPU, "multipart/mixed;boundary=limit", poc_span_of(body, n)), POC_OK);
    /* A document that was signed, and then another. */
    parts[1].body = poc_span_str("<mcpttinfo/>");
    n = multipart(body, parts, 3);
    assert_int_equal(up(b, ALICE_IMPU, "multipart/mixed;boundary=limit", poc_span_of(body, n)), POC_E_AUTH);
    assert_true(strlen(b->out.why) > 0);
    keyed_done(&alice);
    bench_free(b);
}

static void every_document_of_a_body_is_encrypted(void **state)
{
    bench *b = bench_new(state);
    char body[WIRE_MCX_BODY_MAX];
    poc_parts read;
    const poc_part parts[] = { { .type = poc_span_str(INFO_TYPE), .body = poc_span_str(clear_info) },
                               { .type = poc_span_str("text/plain"), .body = poc_span_str("type=\"Normal\"") },
                               { .type = poc_span_str("application/vnd.3gpp.mcvideo-info+xml"),
                                 .body = poc_span_str(clear_info) } };
    const size_t n = multipart(body, parts, 3);
    assert_int_equal(down(b, ALICE_IMPU, "multipart/mixed;boundary=limit", poc_span_of(body, n)), POC_OK);
    assert_int_equal(poc_parts_read(&read, poc_span_str(b->out.content_type), carried(b), NULL), POC_OK);
    assert_int_equal(read.count, 3);
    assert_true(poc_span_eq_str(read.part[1].body, "type=\"Normal\""));
    assert_false(has(carried(b), CALLED));
    bench_free(b);
}

/* ---- what is none of our affair ---- */

static void what_is_not_protected_is_carried_as_it_is(void **state)
{
    bench *b = bench_new(state);
    static const char *const types[] = { INFO_TYPE, "text/plain", "application/sdp", "" };
    for (size_t i = 0; i < POC_COUNT(types); i++) {
        assert_int_equal(up(b, ALICE_IMPU, types[i], poc_span_str(clear_info)), POC_OK);
        assert_false(b->out.has_changed);
    }
    assert_int_equal(down(b, ALICE_IMPU, "text/plain", poc_span_str(clear_info)), POC_OK);
    assert_false(b->out.has_changed);
    assert_int_equal(down(b, ALICE_IMPU, INFO_TYPE, poc_span_str("<mcpttinfo><a>b</a></mcpttinfo>")), POC_OK);
    assert_false(b->out.has_changed);
    bench_free(b);
}

static void of_who_has_no_csk_nothing_is_changed(void **state)
{
    bench *b = bench_new(state);
    uint8_t room[WIRE_MCX_BODY_MAX];
    const poc_span sealed = protected_by(b, ALICE_IMPU, room);
    assert_int_equal(up(b, "sip:carol@ims.example", INFO_TYPE, sealed), POC_OK);
    assert_false(b->out.has_changed);
    assert_int_equal(down(b, "sip:carol@ims.example", INFO_TYPE, poc_span_str(clear_info)), POC_OK);
    assert_false(b->out.has_changed);
    bench_free(b);
}

/* ---- what is refused ---- */

/* MCX-21 */
static void what_somebody_else_encrypted_does_not_open(void **state)
{
    bench *b = bench_new(state);
    uint8_t room[WIRE_MCX_BODY_MAX];
    const poc_span sealed = protected_by(b, BOB_IMPU, room);
    assert_int_equal(up(b, ALICE_IMPU, INFO_TYPE, sealed), POC_E_AUTH);
    assert_false(b->out.has_changed);
    /* Also not when he says that it is her key. */
    char name[16];
    poc_wr wr = poc_wr_into(name, sizeof(name));
    poc_base64_put(&wr, poc_span_of(((uint8_t[]){ 0x20, 0, 0x0b, 0x0b }), 4));
    uint8_t *at = memmem(room, sealed.n, name, wr.len);
    for (; at != NULL; at = memmem(room, sealed.n, name, 8)) {
        poc_wr other = poc_wr_into(at, 8);
        poc_base64_put(&other, poc_span_of(((uint8_t[]){ 0x20, 0, 0x0a, 0x11 }), 4));
    }
    assert_int_equal(up(b, ALICE_IMPU, INFO_TYPE, sealed), POC_E_AUTH);
    bench_free(b);
}

static void what_is_cut_or_changed_is_refused_or_left_alone(void **state)
{
    bench *b = bench_new(state);
    uint8_t room[WIRE_MCX_BODY_MAX], bad[WIRE_MCX_BODY_MAX];
    const poc_span sealed = protected_by(b, ALICE_IMPU, room);
    for (size_t n = 0; n + 1 < sealed.n; n++) { /* the last octet is a line end */
        memcpy(bad, room, n);
        assert_int_equal(up(b, ALICE_IMPU, INFO_TYPE, poc_span_of(bad, n)), POC_E_INPUT);
    }
    for (size_t i = 0; i < sealed.n; i++) {
        memcpy(bad, room, sealed.n);
        bad[i] ^= 2;
        const poc_err err = up(b, ALICE_IMPU, INFO_TYPE, poc_span_of(bad, sealed.n));
        assert_true(err != POC_OK || !b->out.has_changed || has(carried(b), "sip:fire") || has(carried(b), "true"));
    }
    bench_free(b);
}

static poc_err open_shaped(bench *b, const char *shape)
{
    keyed alice = keyed_of(b, ALICE_IMPU, ALICE_ID, 0);
    uint8_t room[WIRE_MCX_BODY_MAX];
    char text[WIRE_MCX_BODY_MAX], body[2 * WIRE_MCX_BODY_MAX];
    const poc_span sealed = protected_by(b, ALICE_IMPU, room);
    (void)snprintf(text, sizeof(text), "%.*s", (int)sealed.n, (const char *)sealed.p);
    char *data = strstr(text, "<EncryptedData");
    strstr(data, "</EncryptedData>")[16] = '\0';
    poc_wr wr = poc_wr_into(body, sizeof(body));
    for (; *shape != '\0'; shape++)
        poc_wr_fmt(&wr, *shape == '$' ? "%s" : "%.1s", *shape == '$' ? data : shape);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    keyed_done(&alice);
    return up(b, ALICE_IMPU, INFO_TYPE, poc_span_of(body, wr.len));
}

static void encrypted_data_stands_alone_where_it_belongs(void **state)
{
    bench *b = bench_new(state);
    assert_int_equal(open_shaped(b, "<a><b type=\"Encrypted\">$</b></a>"), POC_OK);
    assert_true(poc_span_eq_str(carried(b), "<a><b type=\"Normal\"><mcpttURI>" CALLED "</mcpttURI></b></a>"));
    assert_int_equal(open_shaped(b, "<a><b type=\"Encrypted\">$</b><b type='Encrypted'> $ </b></a>"), POC_OK);
    static const char *const bad[] = { "$",
                                       "<a>$</a>",
                                       "<a type=\"Normal\">$</a>",
                                       "<a type=\"Encrypted\"><c/>$</a>",
                                       "<a type=\"Encrypted\">text$</a>",
                                       "<a type=\"Encrypted\"><!-- $ -->$$</a>",
                                       "<a type=\"Encrypted\">$$</a>",
                                       "<a type=\"Encrypted\">$</b>",
                                       "<!DOCTYPE a><a type=\"Encrypted\">$</a>" };
    for (size_t i = 0; i < POC_COUNT(bad); i++)
        if (open_shaped(b, bad[i]) != POC_E_INPUT)
            fail_msg("%s is taken", bad[i]);
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_to_the_client_is_encrypted_and_comes_back_in_clear),
        cmocka_unit_test(what_a_client_writes_opens),
        cmocka_unit_test(the_previous_csk_still_opens),
        cmocka_unit_test(foreign_prefixes_are_understood),
        cmocka_unit_test(signatures_are_checked_and_taken_off),
        cmocka_unit_test(every_document_of_a_body_is_encrypted),
        cmocka_unit_test(what_is_not_protected_is_carried_as_it_is),
        cmocka_unit_test(of_who_has_no_csk_nothing_is_changed),
        cmocka_unit_test(what_somebody_else_encrypted_does_not_open),
        cmocka_unit_test(what_is_cut_or_changed_is_refused_or_left_alone),
        cmocka_unit_test(encrypted_data_stands_alone_where_it_belongs),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
