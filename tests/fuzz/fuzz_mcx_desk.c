/* Whole requests of mission critical clients against the desk with an engine behind it. The input is a request: method (R, P, M, or
 * T for a third-party REGISTER) with its Expires behind it, IMPU, content type, each on a line, then the body. In the body 01h
 * and a letter stand for what only a client can make, octet by octet:
 *   k, K  alice's upload of a key that is new, as octets and as base64;   v  the same of bob, for MCVideo
 *   i, j  her information document under that key, and his under his;     c  hers in clear
 *   s     signatures of i as <i@x> under the new key                      n  her document under the key she has registered with
 *   r, q  a report of a bearer, and signatures of it as <r@x> under the key she has registered with
 * so that seeds stay good whatever becomes of the code: only with these may anything be granted. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/wire/bureau.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

enum { WORDS_MAX = 128, BODY_MAX = 65536 };

static bureau b;
static mcx_town *town;
static bureau_key *registered, *fresh, *video;
static uint8_t room[BODY_MAX], text[POC_BASE64_LEN(MIKEY_MESSAGE_MAX)];
static size_t used;
static poc_span words[WORDS_MAX];

static void word(char letter, poc_span octets)
{
    must(used + octets.n <= sizeof(room));
    memcpy(room + used, octets.p, octets.n);
    words[(size_t)letter] = poc_span_of(room + used, octets.n);
    used += octets.n;
}

static void word_of_part(char letter)
{
    word(letter, b.parts[b.part_count - 1].body);
}

static void part_name(const char *id)
{
    b.parts[b.part_count - 1].id = poc_span_str(id);
}

static void words_make(void)
{
    poc_wr wr = poc_wr_into(text, sizeof(text));
    poc_base64_put(&wr, poc_span_of(fresh->octets, fresh->len));
    word('k', poc_span_of(fresh->octets, fresh->len));
    word('K', poc_span_of(text, wr.len));
    word('v', poc_span_of(video->octets, video->len));
    bureau_begin(&b);
    bureau_put_info(&b, MCX_MCPTT, ALICE_TOKEN, fresh);
    word_of_part('i');
    part_name("<i@x>");
    bureau_put_signatures(&b, MCX_MCPTT, fresh);
    word_of_part('s');
    bureau_put_info(&b, MCX_MCVIDEO, BOB_TOKEN, video);
    word_of_part('j');
    bureau_put_info(&b, MCX_MCPTT, ALICE_TOKEN, NULL);
    word_of_part('c');
    bureau_put_info(&b, MCX_MCPTT, ALICE_TOKEN, registered);
    word_of_part('n');
    bureau_begin(&b);
    bureau_put_report(&b, MCX_MCPTT, true, NORTH_TMGI);
    word_of_part('r');
    part_name("<r@x>");
    bureau_put_signatures(&b, MCX_MCPTT, registered);
    word_of_part('q');
}

static void person_register(void)
{
    bureau_begin(&b);
    bureau_put_key(&b, registered);
    bureau_put_info(&b, MCX_MCPTT, ALICE_TOKEN, registered);
    bureau_send(&b, WIRE_MCX_REGISTER, ALICE_IMPU, -1);
    must(b.answer.is_authorised);
    b.did[0] = '\0';
}

static void start(void)
{
    must(bureau_new(&b, town) == POC_OK);
    if (registered == NULL) {
        registered = bureau_seal(&b, &town->alice, CSK(1), NULL);
        fresh = bureau_seal(&b, &town->alice, CSK(2), &(bureau_oddity){ .cs_id = 6 });
        video = bureau_seal(&b, &town->bob, CSK(3), &(bureau_oddity){ .cs_id = 8 });
        words_make();
    }
    person_register();
}

/* ---- one request ---- */

static uint8_t body[BODY_MAX];

static poc_span expand(poc_span in)
{
    poc_wr wr = poc_wr_into(body, sizeof(body));
    for (size_t i = 0; i < in.n; i++) {
        const bool is_word = in.p[i] == 1 && i + 1 < in.n && in.p[i + 1] < WORDS_MAX && words[in.p[i + 1]].n > 0;
        if (is_word)
            poc_wr_span(&wr, words[in.p[++i]]);
        else
            poc_wr_u8(&wr, in.p[i]);
    }
    return poc_span_of(body, wr.len);
}

static void read_request(wire_mcx_request *r, char impu[POC_URI_MAX], poc_span rest)
{
    poc_span line = poc_split(&rest, '\n'), who = poc_split(&rest, '\n');
    const uint8_t method = line.n > 0 ? line.p[0] : 'R';
    uint64_t expires_s = 0;
    *r = (wire_mcx_request){ .impu = impu, .where = method == 'T' ? "" : BUREAU_WHERE, .by_core = method == 'T' };
    r->method = method == 'P' ? WIRE_MCX_PUBLISH : method == 'M' ? WIRE_MCX_MESSAGE : WIRE_MCX_REGISTER;
    r->has_expires = line.n > 1 && poc_u64_get(&expires_s, UINT32_MAX, poc_span_of(line.p + 1, line.n - 1)) == POC_OK;
    r->expires_s = (uint32_t)expires_s;
    if (poc_uri_canonical(impu, who) != POC_OK)
        strcpy(impu, ALICE_IMPU);
    r->content_type = poc_split(&rest, '\n');
    r->body = expand(rest);
}

/* Whoever is registered has a key and an id of ours, and the engine knows nobody else. */
static void the_desk_holds_together(void)
{
    pocpf_csk_status csk = { .size = sizeof(csk) };
    wire_mcx_user u;
    size_t at = 0;
    for (; wire_mcx_desk_next(b.d, &at, &u);) {
        must(u.services != 0 && u.services < 4 && u.expires_ms > b.o->now_ms);
        must(strcmp(u.mc_id, ALICE_ID) == 0 || strcmp(u.mc_id, BOB_ID) == 0);
        must(pocpf_csk_of(b.pf, u.impu, (uint8_t)u.service, &csk) == POCPF_OK && strcmp(csk.mc_id, u.mc_id) == 0);
    }
    for (at = 0; pocpf_csk_next(b.pf, &at, &csk);)
        must(wire_mcx_desk_look_for(b.d, csk.impu, (mcx_service)csk.service, &u) && u.services != 0);
    must(strstr(b.did, "WRONG") == NULL);
}

/* Making the tables of a KMS takes longer than any input may. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    void *made;
    (void)argc, (void)argv;
    must(town_open(&made) == 0);
    town = made;
    start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_mcx_request r;
    char impu[POC_URI_MAX];
    const uint64_t before = pocpf_changes(b.pf);
    read_request(&r, impu, poc_span_of(data, size));
    const wire_mcx_outcome outcome = wire_mcx_desk_serve(b.d, b.o->now_ms, &r, &b.answer);
    must(b.answer.why != NULL && b.answer.phrase != NULL && b.answer.status >= 200 && b.answer.status < 600);
    must((outcome == WIRE_MCX_WAITS) == (b.answer.number > 0));
    must((b.answer.retry_after_s > 0) == (b.answer.status == 503));
    const bool may_change = b.answer.is_authorised || (b.answer.status == 200 && r.method != WIRE_MCX_MESSAGE);
    must(may_change || pocpf_changes(b.pf) == before);
    bureau_run(&b);
    the_desk_holds_together();
    if (pocpf_changes(b.pf) != before) {
        bureau_done(&b);
        start();
    }
    return 0;
}
