#include "user.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/text.h"

const char fire[] = "sip:fire@home1.example", medics[] = "urn:service:medics";
pair w;
clerk c;
bcast_channel fire_channel, medics_channel;
static size_t secrets_before;

static bcast_channel channel_at(const char *group)
{
    bcast_channel at = { .ttl = 16, .port = { 5004, 5006, 5008 } };
    assert_int_equal(poc_addr_parse(&at.group, poc_span_str(group), 0), POC_OK);
    assert_int_equal(poc_addr_parse(&at.source, poc_span_str("192.0.2.50"), 0), POC_OK);
    return at;
}

pocue_service user_announced(const char *id, uint16_t key_group, const bcast_channel *channel)
{
    return (pocue_service){ .service_id = id,
                            .key_domain = { { 0x00, 0xf1, 0x10 } },
                            .key_group = key_group,
                            .wait_time_s = WAIT_S,
                            .max_back_off_s = BACK_OFF_S,
                            .channel = channel };
}

void user_open(void (*change)(pocue_settings *settings))
{
    secrets_before = poc_secret_live_count();
    pair_open(&w, change);
    clerk_open(&c, &w);
}

int user_begin(void **state)
{
    (void)state;
    user_open(NULL);
    fire_channel = channel_at("232.10.0.7");
    medics_channel = channel_at("232.10.0.8");
    const pocue_service one = user_announced(fire, PAIR_GROUP, &fire_channel);
    const pocue_service two = user_announced(medics, MEDICS_GROUP, &medics_channel);
    assert_int_equal(pocue_service_add(w.ue, &one), POC_OK);
    assert_int_equal(pocue_service_add(w.ue, &two), POC_OK);
    return 0;
}

int user_end(void **state)
{
    (void)state;
    clerk_close(&c);
    pair_close(&w);
    return poc_secret_live_count() == secrets_before ? 0 : -1;
}

/* ---- steps ---- */

unsigned user_carry(void)
{
    static pocue_http q;
    static clerk_answer a;
    unsigned n = 0;
    for (pocue_tick(w.ue, w.now_ms); n < 20 && pocue_http_next(w.ue, w.now_ms, &q); n++) {
        clerk_serve(&c, q.target, q.authorization, poc_span_of(q.body, q.body_len), &a);
        (void)pocue_http_answer(w.ue, w.now_ms, a.status, poc_span_str(a.www_authenticate),
                                poc_span_str(a.authentication_info), poc_span_str(a.content_type),
                                poc_span_str(a.body));
    }
    assert_true(n < 20);
    return n;
}

void user_pass_s(int64_t seconds)
{
    w.now_ms += seconds * 1000;
}

int64_t user_pass_to_deadline(void)
{
    int64_t before_ms = w.now_ms, at_ms = pocue_deadline_ms(w.ue);
    assert_true(at_ms != INT64_MAX);
    if (at_ms > w.now_ms)
        w.now_ms = at_ms;
    return w.now_ms - before_ms;
}

void user_live_s(int64_t seconds)
{
    const int64_t until_ms = w.now_ms + seconds * 1000;
    for (int calls = 0; pocue_deadline_ms(w.ue) <= until_ms; calls++) {
        assert_true(calls < 10000); /* a deadline that never passes */
        user_pass_to_deadline();
        user_carry();
    }
    w.now_ms = until_ms;
}

void user_register_with(const char *id)
{
    pocue_event e;
    assert_int_equal(pocue_register(w.ue, w.now_ms, id, true), POC_OK);
    user_carry();
    assert_true(pair_event(&w, POCUE_REGISTERED, &e));
    assert_string_equal(e.service_id, id);
}

poc_err user_give_push(const uint8_t *message, size_t n, size_t *reply_len)
{
    uint8_t reply[MIKEY_MESSAGE_MAX];
    return pocue_push(w.ue, w.now_ms, poc_span_of(message, n), reply, reply_len);
}

void user_push_msk(void)
{
    uint8_t message[MIKEY_MESSAGE_MAX];
    size_t reply_len, n = pair_seal(&w, message);
    assert_int_equal(user_give_push(message, n, &reply_len), POC_OK);
}

void user_miss_update(uint16_t number)
{
    pair_new_msk(&w, number);
    pair_on_air(&w);
    pair_deliver(&w);
}

void user_assert_next(pocue_event_type type, pocue_event *e)
{
    assert_true(pocue_poll(w.ue, e));
    assert_int_equal(e->type, type);
}
