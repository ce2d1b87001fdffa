/* Floor control of users who have a CSK: what passes, what does not, and that no index comes twice. */
#include <stdlib.h>
#include <string.h>

#include "pf/wire/air.h"
#include "tests/unit/core/mcx_office.h"

#define ALICE_CSK  0x20000a11u
#define ALICE_NEXT 0x20000a12u
#define BOB_CSK    0x20000b0bu
#define CF_SSRC    0x0cf00001u
#define ALICE_SSRC 0xa11ce001u

typedef struct desk {
    office *office;
    wire_mcx_floor *floor;
    int64_t now_ms; /* of the packets; the engine's does not matter here */
} desk;

typedef struct packet {
    uint8_t b[MCX_SRTCP_MAX];
    size_t n;
} packet;

static poc_span span_of(const packet *p)
{
    return poc_span_of(p->b, p->n);
}

static packet request_from(uint32_t ssrc)
{
    static const uint8_t octets[] = { 0x80, 204, 0, 3, 0, 0, 0, 0, 'M', 'C', 'P', 'T', 0, 2, 5, 0 };
    packet p = { .n = sizeof(octets) };
    memcpy(p.b, octets, sizeof(octets));
    poc_wr wr = poc_wr_into(p.b + 4, 4);
    poc_wr_u32(&wr, ssrc);
    return p;
}

static void bring(desk *d, const mcx_person *person, const char *impu, uint32_t id)
{
    assert_int_equal(office_bring(d->office, person, impu, id), POCPF_OK);
    office_run(d->office);
}

static desk *desk_new(void **state)
{
    desk *d = calloc(1, sizeof(*d));
    assert_non_null(d);
    d->office = office_new(*state);
    office_boot(d->office);
    bring(d, &d->office->town->alice, ALICE_IMPU, ALICE_CSK);
    bring(d, &d->office->town->bob, BOB_IMPU, BOB_CSK);
    d->now_ms = d->office->now_ms;
    assert_int_equal(wire_mcx_floor_new(&d->floor, d->office->pf, 7), POC_OK);
    d->now_ms += 1000;
    return d;
}

static void desk_free(desk *d)
{
    wire_mcx_floor_free(d->floor);
    office_free(d->office);
    free(d);
}

/** The client's end of a key that the server has. */
static mcx_srtcp *client_of(const desk *d, const char *user, uint32_t id)
{
    pocpf_csk_status status = { .size = sizeof(status) };
    mcx_srtcp *s;
    assert_int_equal(pocpf_csk_look(d->office->pf, user, id, &status), POCPF_OK);
    const mcx_srtp_context context = { .csb_id = status.csk_id,
                                       .cs_id = status.cs_id,
                                       .rand = poc_span_of(status.rand, status.rand_len) };
    const mcx_algorithm a = { status.encr, status.key_len, status.salt_len, status.tag_len };
    assert_int_equal(mcx_srtcp_new(&s, (const poc_secret *)status.key, &context, &a), POC_OK);
    return s;
}

static packet protect(mcx_srtcp *s, uint32_t ssrc)
{
    const packet clear = request_from(ssrc);
    packet p;
    poc_wr wr = poc_wr_into(p.b, sizeof(p.b));
    assert_int_equal(mcx_srtcp_protect(s, &wr, span_of(&clear)), POC_OK);
    p.n = wr.len;
    return p;
}

static poc_err open_as(desk *d, const char *user, const packet *p, packet *clear)
{
    poc_wr wr = poc_wr_into(clear->b, sizeof(clear->b));
    const poc_err err = wire_mcx_floor_open(d->floor, d->now_ms, user, &wr, span_of(p));
    clear->n = wr.len;
    assert_true(err == POC_OK || wr.len == 0);
    return err;
}

static poc_err seal_for(desk *d, const char *user, uint32_t ssrc, packet *sealed)
{
    const packet clear = request_from(ssrc);
    poc_wr wr = poc_wr_into(sealed->b, sizeof(sealed->b));
    const poc_err err = wire_mcx_floor_seal(d->floor, d->now_ms, user, &wr, span_of(&clear));
    sealed->n = wr.len;
    assert_true(err == POC_OK || wr.len == 0);
    return err;
}

static mcx_srtcp_view view_of(const packet *p)
{
    mcx_srtcp_view view;
    assert_int_equal(mcx_srtcp_look(&view, span_of(p)), POC_OK);
    return view;
}

/* ---- from the client ---- */

/* MCX-6, MCX-12 */
static void what_the_client_protects_comes_out_in_clear(void **state)
{
    desk *d = desk_new(state);
    mcx_srtcp *alice = client_of(d, ALICE_IMPU, 0);
    const packet clear = request_from(ALICE_SSRC);
    packet p, out;
    for (int i = 0; i < 3; i++) {
        p = protect(alice, ALICE_SSRC);
        assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_OK);
        assert_int_equal(out.n, clear.n);
        assert_memory_equal(out.b, clear.b, clear.n);
    }
    mcx_srtcp_free(alice);
    desk_free(d);
}

/* MCX-6 */
static void floor_control_in_clear_is_refused(void **state)
{
    desk *d = desk_new(state);
    const packet clear = request_from(ALICE_SSRC);
    packet out;
    assert_int_equal(open_as(d, ALICE_IMPU, &clear, &out), POC_E_AUTH);
    desk_free(d);
}

/* MCX-6, MCX-21 */
static void the_key_of_another_user_does_not_pass(void **state)
{
    desk *d = desk_new(state);
    mcx_srtcp *bob = client_of(d, BOB_IMPU, 0);
    packet p = protect(bob, ALICE_SSRC), out;
    assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_E_STATE);
    poc_wr mki = poc_wr_into(p.b + p.n - 4, 4);
    poc_wr_u32(&mki, ALICE_CSK);
    assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_E_AUTH);
    mcx_srtcp_free(bob);
    desk_free(d);
}

static void a_packet_passes_once(void **state)
{
    desk *d = desk_new(state);
    mcx_srtcp *alice = client_of(d, ALICE_IMPU, 0);
    packet first = protect(alice, ALICE_SSRC), second = protect(alice, ALICE_SSRC), out;
    assert_int_equal(open_as(d, ALICE_IMPU, &second, &out), POC_OK);
    assert_int_equal(open_as(d, ALICE_IMPU, &first, &out), POC_OK); /* late is not repeated */
    assert_int_equal(open_as(d, ALICE_IMPU, &first, &out), POC_E_AUTH);
    assert_int_equal(open_as(d, ALICE_IMPU, &second, &out), POC_E_AUTH);
    mcx_srtcp_free(alice);
    desk_free(d);
}

static void a_bit_that_is_changed_anywhere_is_found(void **state)
{
    desk *d = desk_new(state);
    mcx_srtcp *alice = client_of(d, ALICE_IMPU, 0);
    const packet good = protect(alice, ALICE_SSRC);
    packet out;
    for (size_t i = 0; i < good.n; i++) {
        packet bad = good;
        bad.b[i] ^= 1;
        assert_int_not_equal(open_as(d, ALICE_IMPU, &bad, &out), POC_OK);
    }
    assert_int_equal(open_as(d, ALICE_IMPU, &good, &out), POC_OK);
    mcx_srtcp_free(alice);
    desk_free(d);
}

/* ---- to the client ---- */

/* MCX-6 */
static void what_goes_to_the_client_opens_with_his_csk_alone(void **state)
{
    desk *d = desk_new(state);
    mcx_srtcp *alice = client_of(d, ALICE_IMPU, 0), *bob = client_of(d, BOB_IMPU, 0);
    const packet clear = request_from(CF_SSRC);
    packet p, out;
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_OK);
    assert_int_equal(view_of(&p).key_id, ALICE_CSK);
    assert_int_equal(mcx_srtcp_unprotect(bob, out.b, &out.n, span_of(&p)), POC_E_INPUT);
    assert_int_equal(mcx_srtcp_unprotect(alice, out.b, &out.n, span_of(&p)), POC_OK);
    assert_memory_equal(out.b, clear.b, clear.n);
    assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_E_AUTH); /* sent back to where it came from */
    mcx_srtcp_free(alice);
    mcx_srtcp_free(bob);
    desk_free(d);
}

static void what_is_no_control_packet_is_not_protected(void **state)
{
    desk *d = desk_new(state);
    uint8_t octets[64];
    poc_wr wr = poc_wr_into(octets, sizeof(octets));
    assert_int_equal(wire_mcx_floor_seal(d->floor, d->now_ms, ALICE_IMPU, &wr, poc_span_str("")), POC_E_INPUT);
    assert_int_equal(wire_mcx_floor_seal(d->floor, d->now_ms, ALICE_IMPU, &wr, poc_span_str("twelve octet")),
                     POC_E_INPUT);
    desk_free(d);
}

/* Digest "MIKEY-SAKKE" 6.4: both sides have the same session keys. */
static void an_ssrc_that_both_sides_use_is_refused(void **state)
{
    desk *d = desk_new(state);
    mcx_srtcp *alice = client_of(d, ALICE_IMPU, 0);
    packet p = protect(alice, CF_SSRC), out;
    assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_OK);
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_E_STATE);
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC + 1, &p), POC_OK);
    p = protect(alice, CF_SSRC + 1);
    assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_E_AUTH);
    mcx_srtcp_free(alice);
    desk_free(d);
}

/* ---- other keys ---- */

static void the_previous_csk_still_opens_and_the_new_one_seals(void **state)
{
    desk *d = desk_new(state);
    mcx_srtcp *former = client_of(d, ALICE_IMPU, 0);
    packet p = protect(former, ALICE_SSRC), out;
    assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_OK);
    bring(d, &d->office->town->alice, ALICE_IMPU, ALICE_NEXT);
    assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_E_AUTH); /* what was heard is not forgotten */
    p = protect(former, ALICE_SSRC);
    assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_OK);
    d->now_ms += 1000;
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_OK);
    assert_int_equal(view_of(&p).key_id, ALICE_NEXT);
    mcx_srtcp_free(former);
    desk_free(d);
}

/* MCX-14 */
static void the_algorithm_is_that_of_the_csk(void **state)
{
    desk *d = desk_new(state);
    uint8_t octets[MIKEY_MESSAGE_MAX];
    d->office->now_ms += 1000;
    const size_t n = office_seal(d->office, &d->office->town->alice, ALICE_NEXT, &mcx_aes256_gcm, 1, octets);
    assert_int_equal(office_upload(d->office, ALICE_IMPU, ALICE_ID, octets, n, NULL), POCPF_OK);
    office_run(d->office);
    mcx_srtcp *alice = client_of(d, ALICE_IMPU, 0);
    packet p = protect(alice, ALICE_SSRC), out;
    assert_int_equal(view_of(&p).key_id, ALICE_NEXT);
    assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_OK);
    d->now_ms += 1000;
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_OK);
    assert_int_equal(mcx_srtcp_unprotect(alice, out.b, &out.n, span_of(&p)), POC_OK);
    mcx_srtcp_free(alice);
    desk_free(d);
}

/* MCX-6: who has logged off is not served in clear. */
static void without_a_csk_nothing_passes(void **state)
{
    desk *d = desk_new(state);
    mcx_srtcp *alice = client_of(d, ALICE_IMPU, 0);
    packet p = protect(alice, ALICE_SSRC), out;
    assert_true(wire_mcx_floor_has(d->floor, ALICE_IMPU));
    assert_false(wire_mcx_floor_has(d->floor, "sip:carol@ims.example"));
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &out), POC_OK);
    assert_int_equal(pocpf_mcx_logged_off(d->office->pf, d->office->now_ms, ALICE_IMPU), POCPF_OK);
    office_run(d->office);
    assert_false(wire_mcx_floor_has(d->floor, ALICE_IMPU));
    assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_E_STATE);
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &out), POC_E_STATE);
    wire_mcx_floor_forget(d->floor, ALICE_IMPU);
    wire_mcx_floor_forget(d->floor, ALICE_IMPU);
    assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_E_STATE);
    mcx_srtcp_free(alice);
    desk_free(d);
}

/* ---- indices ---- */

/** Sends as many packets as may be sent now; returns the index of the last. */
static uint32_t send_all(desk *d, uint32_t ssrc, unsigned *count)
{
    packet p, last = { .n = 0 };
    poc_err err;
    for (*count = 0; (err = seal_for(d, ALICE_IMPU, ssrc, &p)) == POC_OK; (*count)++)
        last = p;
    assert_int_equal(err, POC_E_LIMIT);
    return *count == 0 ? 0 : view_of(&last).index;
}

static void packets_may_come_in_bursts_but_not_for_ever(void **state)
{
    desk *d = desk_new(state);
    unsigned count;
    (void)send_all(d, CF_SSRC, &count);
    assert_int_equal(count, 16);
    d->now_ms += 100;
    (void)send_all(d, CF_SSRC, &count);
    assert_int_equal(count, 10);
    (void)send_all(d, CF_SSRC + 1, &count); /* a sender of his own */
    assert_int_equal(count, 26);
    desk_free(d);
}

/* Whatever was sent, and whenever the process died: nothing is left of it but the key, and yet no index comes twice. */
static void no_index_comes_twice_over_a_crash(void **state)
{
    desk *d = desk_new(state);
    unsigned count;
    uint32_t highest = 0;
    for (int life = 0; life < 50; life++) {
        const uint32_t last = send_all(d, CF_SSRC, &count);
        assert_true(count > 0);
        assert_true(last - (count - 1) > highest);
        highest = last;
        wire_mcx_floor_free(d->floor);
        office_crash(d->office);
        office_run(d->office);
        assert_int_equal(wire_mcx_floor_new(&d->floor, d->office->pf, 7), POC_OK);
        for (packet p; seal_for(d, ALICE_IMPU, CF_SSRC, &p) != POC_OK; d->now_ms++)
            ; /* it waits; no time is lost here */
        d->now_ms += life % 7;
    }
    desk_free(d);
}

/** Alice brings this very key, so much later, in a message with a RAND of these octets. */
static void bring_again(desk *d, const poc_secret *key, uint8_t rand, int64_t later_ms)
{
    office *o = d->office;
    uint8_t octets[MIKEY_MESSAGE_MAX];
    o->now_ms += later_ms;
    const uint64_t ntp_s = (uint64_t)o->now_ms / 1000 + MCX_NTP_MINUS_UNIX;
    const uint64_t fraction = (uint64_t)(o->now_ms % 1000) * UINT32_MAX / 1000;
    mcx_seal_params params = { .sender = &o->town->alice.identity,
                               .key_id = ALICE_NEXT,
                               .ntp = ntp_s << 32 | fraction,
                               .ntp_s = ntp_s,
                               .cs_id = 6 };
    mcx_seal_job job = {
        .uri = poc_span_str(MDSI), .kms = &o->town->certificate, .out = octets, .cap = sizeof(octets)
    };
    memset(params.rand, rand, sizeof(params.rand));
    assert_int_equal(mcx_i_message_seal(&params, key, &o->rng, &job, 1), POC_OK);
    assert_int_equal(office_upload(o, ALICE_IMPU, ALICE_ID, octets, job.len, NULL), POCPF_OK);
    office_run(o);
}

/* RFC 3830, 4.1.2: session keys are made with the RAND of the message, also when the key in it is the one of before. */
static void a_csk_that_comes_again_with_another_rand_makes_other_session_keys(void **state)
{
    desk *d = desk_new(state);
    packet p, out;
    poc_secret *key;
    uint32_t last = 0;
    assert_int_equal(poc_secret_random(&key, 16, &d->office->rng), POC_OK);
    for (uint8_t i = 0; i < 4; i++) {
        bring_again(d, key, i % 2, 1000); /* the RAND of before too: its indices go on */
        d->now_ms += 1000;
        mcx_srtcp *alice = client_of(d, ALICE_IMPU, ALICE_NEXT);
        p = protect(alice, ALICE_SSRC + i);
        assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_OK);
        assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_OK);
        assert_int_equal(mcx_srtcp_unprotect(alice, out.b, &out.n, span_of(&p)), POC_OK);
        assert_true(view_of(&p).index > last);
        last = view_of(&p).index;
        mcx_srtcp_free(alice);
    }
    poc_secret_free(key);
    desk_free(d);
}

/** The clock of the engine and of the packets. */
static void pass(desk *d, int64_t ms)
{
    d->now_ms += ms;
    d->office->now_ms = d->now_ms;
    pocpf_tick(d->office->pf, d->now_ms);
    office_run(d->office);
}

static void restart(desk *d, int64_t set_back_ms)
{
    wire_mcx_floor_free(d->floor);
    d->now_ms -= set_back_ms;
    d->office->now_ms = d->now_ms;
    office_crash(d->office);
    office_run(d->office);
    assert_int_equal(wire_mcx_floor_new(&d->floor, d->office->pf, 7), POC_OK);
}

/* 124 days at least, and twice as many at most: the period in which the key came counts as a whole. */
static void a_key_that_is_too_old_protects_nothing_more(void **state)
{
    desk *d = desk_new(state);
    packet p;
    const int64_t day_ms = INT64_C(86400) * 1000;
    pass(d, 124 * day_ms);
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_OK);
    pass(d, 124 * day_ms + day_ms / 2);
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_E_LIMIT);
    desk_free(d);
}

/* The same key, the same SSRC: an index that came twice would be a keystream that comes twice. */
static void no_index_comes_twice_when_the_wall_clock_was_set_back_while_nobody_looked(void **state)
{
    static const int64_t set_back_ms[] = { 0, 10, 1000, 3600 * 1000, INT64_C(30) * 86400 * 1000 };
    desk *d = desk_new(state);
    unsigned count;
    uint32_t highest = send_all(d, CF_SSRC, &count);
    for (size_t i = 0; i < POC_COUNT(set_back_ms); i++) {
        pass(d, 500);
        highest = send_all(d, CF_SSRC, &count);
        restart(d, set_back_ms[i]);
        const uint32_t last = send_all(d, CF_SSRC, &count);
        assert_int_equal(count, 16);
        assert_true(last - (count - 1) > highest);
        highest = last;
    }
    desk_free(d);
}

/* A clock that was years ahead for the life of one process costs nobody his floor control: what comes after is counted from
 * there. */
static void a_key_that_comes_after_a_clock_that_was_far_ahead_is_as_good_as_any(void **state)
{
    desk *d = desk_new(state);
    const int64_t far_ms = INT64_C(1000) * 86400 * 1000;
    unsigned count;
    packet p;
    pass(d, far_ms);
    restart(d, far_ms);
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_E_LIMIT); /* a thousand days, for all we know */
    bring(d, &d->office->town->alice, ALICE_IMPU, ALICE_NEXT);
    (void)send_all(d, CF_SSRC, &count);
    assert_int_equal(count, 16);
    restart(d, 0);
    assert_true(send_all(d, CF_SSRC, &count) > 0);
    desk_free(d);
}

/* Nothing is sent at a time that another process could begin with. */
static void nothing_is_sent_at_a_time_that_is_not_durable(void **state)
{
    desk *d = desk_new(state);
    packet p;
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_OK);
    d->now_ms += 20 * 60 * 1000; /* the engine was not asked meanwhile */
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_E_LIMIT);
    d->office->store_holds = true;
    pass(d, 0);
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_E_LIMIT);
    d->office->store_holds = false;
    assert_int_equal(pocpf_persisted(d->office->pf, d->now_ms, false), POCPF_OK);
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_E_LIMIT);
    pass(d, 60 * 1000); /* it is written again */
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_OK);
    desk_free(d);
}

/* It logs off in the middle of a burst and is back at once, with the key that it had. */
static void a_client_that_logs_off_and_brings_the_same_key_goes_on_where_it_was(void **state)
{
    desk *d = desk_new(state);
    poc_secret *key;
    uint32_t highest = 0;
    assert_int_equal(poc_secret_random(&key, 16, &d->office->rng), POC_OK);
    for (int i = 0; i < 5; i++) {
        unsigned count;
        bring_again(d, key, 1, 20);
        d->now_ms = d->office->now_ms;
        const uint32_t last = send_all(d, CF_SSRC, &count);
        assert_true(count < 16 || i == 0); /* it has used up some of what comes at once */
        assert_true(count > 0 && last - (count - 1) > highest);
        highest = last;
        assert_int_equal(pocpf_mcx_logged_off(d->office->pf, d->office->now_ms, ALICE_IMPU), POCPF_OK);
        office_run(d->office);
        wire_mcx_floor_forget(d->floor, ALICE_IMPU);
    }
    poc_secret_free(key);
    desk_free(d);
}

/* A store that an older version has left: a key, and no record of the clock. */
static void a_store_without_a_record_of_the_clock_counts_on_from_what_it_had(void **state)
{
    desk *d = desk_new(state);
    pocpf_csk_status s = { .size = sizeof(s) };
    packet p;
    assert_int_equal(pocpf_csk_look(d->office->pf, ALICE_IMPU, 0, &s), POCPF_OK);
    const uint32_t former = (uint32_t)((d->now_ms - s.sent_s * 1000 + 3600 * 1000) / 10) + 16;
    d->office->clock_len = 0;
    restart(d, 0);
    assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC, &p), POC_OK);
    assert_true(view_of(&p).index > former);
    desk_free(d);
}

static void hundreds_of_sessions_fit_under_one_csk(void **state)
{
    desk *d = desk_new(state);
    mcx_srtcp *alice = client_of(d, ALICE_IMPU, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        packet p = protect(alice, ALICE_SSRC + i), out;
        assert_int_equal(open_as(d, ALICE_IMPU, &p, &out), POC_OK);
        assert_int_equal(seal_for(d, ALICE_IMPU, CF_SSRC + i, &p), POC_OK);
    }
    mcx_srtcp_free(alice);
    desk_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_client_protects_comes_out_in_clear),
        cmocka_unit_test(floor_control_in_clear_is_refused),
        cmocka_unit_test(the_key_of_another_user_does_not_pass),
        cmocka_unit_test(a_packet_passes_once),
        cmocka_unit_test(a_bit_that_is_changed_anywhere_is_found),
        cmocka_unit_test(what_goes_to_the_client_opens_with_his_csk_alone),
        cmocka_unit_test(what_is_no_control_packet_is_not_protected),
        cmocka_unit_test(an_ssrc_that_both_sides_use_is_refused),
        cmocka_unit_test(the_previous_csk_still_opens_and_the_new_one_seals),
        cmocka_unit_test(the_algorithm_is_that_of_the_csk),
        cmocka_unit_test(without_a_csk_nothing_passes),
        cmocka_unit_test(packets_may_come_in_bursts_but_not_for_ever),
        cmocka_unit_test(no_index_comes_twice_over_a_crash),
        cmocka_unit_test(a_csk_that_comes_again_with_another_rand_makes_other_session_keys),
        cmocka_unit_test(a_key_that_is_too_old_protects_nothing_more),
        cmocka_unit_test(no_index_comes_twice_when_the_wall_clock_was_set_back_while_nobody_looked),
        cmocka_unit_test(a_key_that_comes_after_a_clock_that_was_far_ahead_is_as_good_as_any),
        cmocka_unit_test(nothing_is_sent_at_a_time_that_is_not_durable),
        cmocka_unit_test(a_client_that_logs_off_and_brings_the_same_key_goes_on_where_it_was),
        cmocka_unit_test(a_store_without_a_record_of_the_clock_counts_on_from_what_it_had),
        cmocka_unit_test(hundreds_of_sessions_fit_under_one_csk),
    };
    return cmocka_run_group_tests(tests, town_open, town_close);
}
