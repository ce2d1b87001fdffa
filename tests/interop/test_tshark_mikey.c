/* Wireshark's MIKEY dissector as a witness: it finds in our sealed messages the fields that we put there, on UDP port 2269
 * and in an SDP attribute, and nothing that it would call malformed. (It looks into key-mgmt on session level only, so the
 * description here has it there.) It knows I_MESSAGEs as well, but not their GENERIC-ID map: those here have an empty one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/mikey/fixture.h"

#define MESSAGES_MAX  16
#define SIP_PORT      5060
#define LINK_RAW_IP   101
#define SAKKE_CAPTURE POC_CAPTURE ".sakke"

typedef struct sealed {
    uint8_t octets[MIKEY_MESSAGE_MAX];
    size_t n;
    bool id_is_text; /* no ID payload with octets that are no text */
} sealed;

typedef struct capture {
    sealed messages[MESSAGES_MAX];
    size_t count; /* on UDP; after them comes one in SDP, the message of msk-sdp */
    size_t in_sdp;
} capture;

/* ---- what we send ---- */

static void seal_msk_messages(capture *c, const json_t *vectors)
{
    for (size_t i = 0; i < MSK_VECTORS; i++) {
        msk_vector v;
        sealed *s = &c->messages[c->count];
        msk_vector_init(&v, vectors, msk_vector_ids[i]);
        s->n = seal_one(&v, s->octets);
        s->id_is_text = v.params.idi_type == MIKEY_ID_NAI;
        if (v.params.sdp_ids)
            c->in_sdp = c->count;
        c->count++;
        msk_vector_done(&v);
    }
}

static void seal_answers(capture *c, const json_t *vectors)
{
    const sealed *asked = &c->messages[0];
    poc_secret *muk = secret_member(json_object_get(message_entry(vectors, msk_vector_ids[0]), "inputs"), "MUK");
    mikey_msg msg;
    assert_int_equal(mikey_decode(&msg, poc_span_of(asked->octets, asked->n), NULL), POC_OK);
    for (size_t i = 0; i < 2; i++) {
        sealed *s = &c->messages[c->count++];
        poc_wr wr = poc_wr_into(s->octets, sizeof(s->octets));
        assert_int_equal(i == 0 ? mikey_verification_seal(&wr, &msg, muk) : mikey_error_seal(&wr, &msg, 9, muk),
                         POC_OK);
        s->n = wr.len;
        s->id_is_text = true;
    }
    poc_secret_free(muk);
}

static void seal_mtk_messages(capture *c, const json_t *vectors)
{
    const json_t *entry = message_entry(vectors, "mtk-stream");
    const vec_bytes rand = vec_hex(entry, "mikey_rand");
    const uint8_t key[POC_MTK_LEN + POC_MTK_SALT_LEN] = { 1, 2, 3 };
    poc_secret *msk = secret_member(json_object_get(entry, "inputs"), "MSK");
    for (uint16_t i = 0; i < 2; i++) {
        const mikey_mtk_params params = { .key_domain = { { 0x00, 0xf1, 0x10 } },
                                          .mki = { 0x10010001, (uint16_t)(i + 1) },
                                          .counter = i + 1u,
                                          .context = { 0, vec_span(&rand) } };
        sealed *s = &c->messages[c->count++];
        poc_wr wr = poc_wr_into(s->octets, sizeof(s->octets));
        poc_secret *mtk;
        assert_int_equal(poc_secret_from(&mtk, key, i == 0 ? sizeof(key) : POC_MTK_LEN), POC_OK);
        assert_int_equal(mikey_mtk_seal(&wr, &params, msk, mtk), POC_OK);
        s->n = wr.len;
        s->id_is_text = true;
        poc_secret_free(mtk);
    }
    poc_secret_free(msk);
}

/* ---- how it travels ---- */

static void put_le32(FILE *f, uint32_t v)
{
    const uint8_t octets[] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
    assert_int_equal(fwrite(octets, 1, sizeof(octets), f), sizeof(octets));
}

static void put_packet(FILE *f, poc_span payload, uint16_t port)
{
    uint8_t packet[4096];
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    poc_wr_u16(&wr, 0x4500);
    poc_wr_u16(&wr, (uint16_t)(28 + payload.n));
    poc_wr_u32(&wr, 0);
    poc_wr_u16(&wr, 64 << 8 | 17);
    poc_wr_u16(&wr, 0);
    poc_wr_u32(&wr, 0x7f000001);
    poc_wr_u32(&wr, 0x7f000002);
    poc_wr_u16(&wr, 40000);
    poc_wr_u16(&wr, port);
    poc_wr_u16(&wr, (uint16_t)(8 + payload.n));
    poc_wr_u16(&wr, 0);
    poc_wr_span(&wr, payload);
    assert_int_equal(poc_wr_done(&wr), POC_OK);
    put_le32(f, 0);
    put_le32(f, 0);
    put_le32(f, (uint32_t)wr.len);
    put_le32(f, (uint32_t)wr.len);
    assert_int_equal(fwrite(packet, 1, wr.len, f), wr.len);
}

static void put_offer(FILE *f, const sealed *s)
{
    char sdp[1500], sip[3000];
    poc_wr body = poc_wr_into(sdp, sizeof(sdp)), all = poc_wr_into(sip, sizeof(sip));
    poc_wr_fmt(&body, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\na=key-mgmt:mikey ");
    poc_base64_put(&body, poc_span_of(s->octets, s->n));
    poc_wr_fmt(&body, "\r\nm=data 5008 UDP vnd.oma.bcast.stkm\r\n");
    assert_int_equal(poc_wr_text(&body), POC_OK);
    poc_wr_fmt(&all,
               "UPDATE sip:alice@127.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\nFrom: "
               "<sip:dispatch@example.org>;tag=1\r\nTo: <sip:alice@example.org>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 "
               "UPDATE\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s",
               body.len, sdp);
    assert_int_equal(poc_wr_done(&all), POC_OK);
    put_packet(f, poc_span_of(sip, all.len), SIP_PORT);
}

static FILE *capture_open(const char *path)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    put_le32(f, 0xa1b2c3d4);
    put_le32(f, 4u << 16 | 2u);
    put_le32(f, 0);
    put_le32(f, 0);
    put_le32(f, 65535);
    put_le32(f, LINK_RAW_IP);
    return f;
}

static void capture_write(const capture *c)
{
    FILE *f = capture_open(POC_CAPTURE);
    for (size_t i = 0; i < c->count; i++)
        put_packet(f, poc_span_of(c->messages[i].octets, c->messages[i].n), MIKEY_UDP_PORT);
    put_offer(f, &c->messages[c->in_sdp]);
    assert_int_equal(fclose(f), 0);
}

/* ---- what the witness says ---- */

static const char command[] =
    "tshark -n -r '" POC_CAPTURE "' -T fields -E separator='|' -E aggregator=, -E occurrence=a -e mikey.version "
    "-e mikey.type -e mikey.v.set -e mikey.prf_func -e mikey.csb_id -e mikey.cs_count -e mikey.cs_id_map_type "
    "-e mikey.srtp_id.ssrc -e mikey.ext.type -e mikey.ext.data -e mikey.t.ts_type -e mikey.rand.data -e mikey.id.type "
    "-e mikey.kemac.encr_alg -e mikey.kemac.key_data -e mikey.kemac.mac_alg -e mikey.kemac.mac -e mikey.v.ver_data "
    "-e mikey.err.no -e mikey.id.data -e _ws.malformed -e _ws.expert.message -e sdp.key_mgmt.kmpid 2>/dev/null";

/* Appends a value of the row; several of one field are joined by commas. */
static void join(poc_wr *wr, size_t *times, const char *text)
{
    poc_wr_fmt(wr, "%s%s", (*times)++ == 0 ? "" : ",", text);
}

static void hex_put(poc_wr *wr, poc_span octets)
{
    poc_hex_put(wr, octets);
    poc_wr_u8(wr, '|');
}

static void extensions_put(poc_wr *wr, const mikey_msg *m)
{
    char data_text[512];
    poc_wr data = poc_wr_into(data_text, sizeof(data_text));
    size_t types = 0, datas = 0;
    for (size_t i = 0; i < m->payload_count; i++) {
        poc_rd rd = poc_rd_over(m->payloads[i].body, NULL);
        mikey_ext ext;
        char number[4];
        if (m->payloads[i].type != MIKEY_EXT)
            continue;
        assert_int_equal(mikey_ext_read(&ext, &rd), POC_OK);
        snprintf(number, sizeof(number), "%u", ext.type);
        join(wr, &types, number);
        if (ext.type == MIKEY_EXT_SDP_IDS)
            continue; /* Wireshark has that one as text */
        join(&data, &datas, "");
        poc_hex_put(&data, ext.data);
    }
    assert_int_equal(poc_wr_text(&data), POC_OK);
    poc_wr_fmt(wr, "|%s|", data_text);
}

static void ids_put(poc_wr *wr, const mikey_msg *m)
{
    if (m->idi.present)
        poc_wr_fmt(wr, "%u,", m->idi.type);
    if (m->idr.present)
        poc_wr_fmt(wr, "%u", m->idr.type);
    poc_wr_u8(wr, '|');
}

/* The row up to mikey.err.no, as our own decoder would say it. */
static void expected_row(char *out, size_t cap, const sealed *s)
{
    const poc_span none = { NULL, 0 };
    mikey_msg m;
    poc_wr wr = poc_wr_into(out, cap);
    assert_int_equal(mikey_decode(&m, poc_span_of(s->octets, s->n), NULL), POC_OK);
    poc_wr_fmt(&wr, "1|%u|%u|%u|0x%08x|%u|%u|", m.data_type, m.wants_verification, m.prf, m.csb_id, m.cs_count,
               m.map_type);
    if (m.cs_count > 0)
        poc_wr_fmt(&wr, "0x%08x", m.cs[0].ssrc);
    poc_wr_u8(&wr, '|');
    extensions_put(&wr, &m);
    poc_wr_fmt(&wr, "%u|", m.ts_type);
    hex_put(&wr, m.rand);
    ids_put(&wr, &m);
    poc_wr_fmt(&wr, m.has_kemac ? "1|" : "|");
    if (m.has_kemac && m.encr_data.n == 0)
        poc_wr_fmt(&wr, "<MISSING>|"); /* a field of no octets, as Wireshark writes it */
    else
        hex_put(&wr, m.encr_data);
    poc_wr_fmt(&wr, m.has_kemac ? "1|" : "|");
    hex_put(&wr, m.has_kemac ? m.mac : none);
    hex_put(&wr, m.has_v ? m.mac : none);
    poc_wr_fmt(&wr, m.has_error ? "%u|" : "|", m.error_no);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

static void assert_row(const char *row, const sealed *s, const char *in_sdp)
{
    char want[2048], rest[2048];
    expected_row(want, sizeof(want), s);
    const size_t n = strlen(want);
    if (strncmp(row, want, n) != 0)
        print_error("tshark says %s", row);
    assert_memory_equal(row, want, n);
    /* Behind the identities: malformed, expert info, SDP protocol. NAF_Id is a host name with five octets behind it that are
     * no text, and Wireshark remarks on these; on nothing else. */
    const char *tail = strchr(row + n, '|');
    assert_non_null(tail);
    snprintf(rest, sizeof(rest), "||%s|%s\n", s->id_is_text ? "" : "Trailing stray characters", in_sdp);
    assert_string_equal(tail, rest);
}

static FILE *witness(const char *words)
{
    if (system("command -v tshark >/dev/null 2>&1") != 0)
        fail_msg("%s", "tshark is not here: install the Debian package 'tshark'");
    FILE *f = popen(words, "r");
    assert_non_null(f);
    return f;
}

static void tshark_sees_the_fields_that_were_sealed(void **state)
{
    static capture c;
    char row[4096];
    seal_msk_messages(&c, *state);
    seal_answers(&c, *state);
    seal_mtk_messages(&c, *state);
    capture_write(&c);
    FILE *f = witness(command);
    for (size_t i = 0; i < c.count; i++) {
        assert_non_null(fgets(row, sizeof(row), f));
        assert_row(row, &c.messages[i], "");
    }
    assert_non_null(fgets(row, sizeof(row), f));
    assert_row(row, &c.messages[c.in_sdp], "mikey");
    assert_null(fgets(row, sizeof(row), f));
    assert_int_equal(pclose(f), 0);
}

/* ---- I_MESSAGEs ---- */

static const char sakke_command[] =
    "tshark -n -r '" SAKKE_CAPTURE "' -T fields -E separator='|' -E aggregator=, -E occurrence=a -e mikey.type "
    "-e mikey.v.set -e mikey.prf_func -e mikey.csb_id -e mikey.cs_count -e mikey.cs_id_map_type -e mikey.t.ts_type "
    "-e mikey.rand.data -e mikey.id.role -e mikey.id.type -e mikey.sp.no -e mikey.sakke.params -e mikey.sakke.idscheme "
    "-e mikey.sakke.data -e mikey.ext.type -e mikey.ext.data -e mikey.sign.type -e mikey.sign.len -e mikey.sign.data "
    "-e _ws.malformed -e _ws.expert.message 2>/dev/null";

/* Everything an I_MESSAGE may have, with octets for what would take keys. */
static void write_i_message(sealed *s, bool hides, size_t sed_len)
{
    static const uint8_t uid[32] = { 1, 2, 3 }, octets[MIKEY_SED_LEN_256] = { 4, 5, 6 }, sp[] = { 0, 1, 6, 20, 1, 16 };
    const uint8_t type = MIKEY_ID_URI;
    const poc_span uri = poc_span_str("sip:alice@example.org"), hidden = poc_span_of(uid, sizeof(uid));
    const mikey_policy policy = { 3, poc_span_of(sp, sizeof(sp)) };
    const mikey_i_message m = {
        .csb_id = 0x6789abcd,
        .ntp = UINT64_C(0xed4e000080000000),
        .rand = poc_span_of(octets, MIKEY_RAND_LEN),
        .idi = { true, hides ? MIKEY_ROLE_UID_INITIATOR : MIKEY_ROLE_INITIATOR, type, hides ? hidden : uri },
        .idr = { true, hides ? MIKEY_ROLE_UID_RESPONDER : MIKEY_ROLE_RESPONDER, type, hides ? hidden : uri },
        .idkmsi = { true, MIKEY_ROLE_KMS_INITIATOR, type, uri },
        .idkmsr = { true, MIKEY_ROLE_KMS_RESPONDER, type, uri },
        .policies = &policy,
        .policy_count = 1,
        .sed_len = sed_len,
        .sakke_to_self = hides ? poc_span_of(octets, 20) : (poc_span){ NULL, 0 },
        .key_parameters = poc_span_of(octets, 17),
    };
    poc_wr wr = poc_wr_into(s->octets, sizeof(s->octets));
    uint8_t *sed, *signature;
    assert_int_equal(mikey_i_message_write(&wr, &m, &sed, &signature), POC_OK);
    memcpy(sed, octets, sed_len);
    memcpy(signature, octets, MIKEY_SIGNATURE_LEN);
    s->n = wr.len;
}

static void sakke_row(char *out, size_t cap, const sealed *s)
{
    mikey_msg m;
    poc_wr wr = poc_wr_into(out, cap);
    assert_int_equal(mikey_decode(&m, poc_span_of(s->octets, s->n), NULL), POC_OK);
    poc_wr_fmt(&wr, "26|0|1|0x%08x|%u|%u|0|", m.csb_id, m.cs_count, m.map_type);
    hex_put(&wr, m.rand);
    poc_wr_fmt(&wr, "%u,%u,%u,%u|", m.idi.role, m.idr.role, m.idkmsi.role, m.idkmsr.role);
    poc_wr_fmt(&wr, "%u,%u,%u,%u|", m.idi.type, m.idr.type, m.idkmsi.type, m.idkmsr.type);
    for (size_t i = 0; i < m.payload_count; i++) {
        if (m.payloads[i].type == MIKEY_SP)
            poc_wr_fmt(&wr, "%u", m.payloads[i].body.p[0]);
    }
    poc_wr_fmt(&wr, "|1|2|");
    hex_put(&wr, m.sed);
    extensions_put(&wr, &m);
    poc_wr_fmt(&wr, "2|%u|", MIKEY_SIGNATURE_LEN);
    hex_put(&wr, m.signature);
    poc_wr_fmt(&wr, "|\n"); /* neither malformed nor remarked upon */
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

static void take_field_message(sealed *s, const json_t *list, const char *name)
{
    size_t i;
    json_t *m;
    s->n = 0;
    json_array_foreach(list, i, m)
    {
        if (strcmp(vec_text(m, "name"), name) == 0)
            assert_int_equal(
                poc_base64_get(s->octets, sizeof(s->octets), &s->n, poc_span_str(vec_text(m, "message_base64"))),
                POC_OK);
    }
    assert_true(s->n > 0);
}

static void tshark_sees_the_fields_of_i_messages(void **state)
{
    static sealed messages[5];
    static char row[8192], want[8192];
    json_t *vectors = vec_load(POC_VECTORS "/mikey-sakke.json");
    const json_t *list = json_object_get(json_object_get(vectors, "field_messages"), "messages");
    (void)state;
    write_i_message(&messages[0], false, MIKEY_SED_LEN);
    write_i_message(&messages[1], true, MIKEY_SED_LEN);
    write_i_message(&messages[2], true, MIKEY_SED_LEN_256);
    take_field_message(&messages[3], list, "pck");
    take_field_message(&messages[4], list, "gmk_legacy_map");
    FILE *f = capture_open(SAKKE_CAPTURE);
    for (size_t i = 0; i < POC_COUNT(messages); i++)
        put_packet(f, poc_span_of(messages[i].octets, messages[i].n), MIKEY_UDP_PORT);
    assert_int_equal(fclose(f), 0);
    f = witness(sakke_command);
    for (size_t i = 0; i < POC_COUNT(messages); i++) {
        assert_non_null(fgets(row, sizeof(row), f));
        sakke_row(want, sizeof(want), &messages[i]);
        assert_string_equal(row, want);
    }
    assert_null(fgets(row, sizeof(row), f));
    assert_int_equal(pclose(f), 0);
    json_decref(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tshark_sees_the_fields_that_were_sealed),
        cmocka_unit_test(tshark_sees_the_fields_of_i_messages),
    };
    return cmocka_run_group_tests(tests, vectors_open, vectors_close);
}
