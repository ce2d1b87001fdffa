/* What a client of the key management service writes and reads, against the vectors of digest "GBA, MBMS keys and MIKEY": the
 * bodies of HTTP, and MSK messages good and bad under a MUK of a vector. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "support/vectors.h"
#include "ue/core/core.h"

enum { NOW_MS = 1000 };

static json_t *vectors;
static ue_muks *muks;
static ue_ring *ring;

static int load(void **state)
{
    (void)state;
    vectors = vec_load(POC_VECTORS "/gba-mbms-mikey.json");
    return vectors == NULL ? -1 : 0;
}

static int unload(void **state)
{
    (void)state;
    json_decref(vectors);
    return 0;
}

static const json_t *row(const char *list, const char *id)
{
    return vec_by_id(json_object_get(vectors, list), id);
}

/* A client that holds the MUK of the vectors. */
static int begin(void **state)
{
    (void)state;
    const json_t *gba = row("gba", "gba-1");
    vec_bytes muk = vec_hex(row("gba", "mbms-keys-gba-me"), "MUK"), naf = vec_hex(gba, "naf_id");
    gba_naf_id id = { .n = naf.n };
    poc_secret *s;
    memcpy(id.b, naf.b, naf.n);
    assert_int_equal(poc_secret_from(&s, muk.b, muk.n), POC_OK);
    assert_int_equal(ue_muks_new(&muks), POC_OK);
    assert_int_equal(ue_muks_add(muks, s, &id, poc_span_str(vec_text(gba, "btid_text")), INT64_MAX), POC_OK);
    poc_secret_free(s);
    assert_int_equal(ue_ring_new(&ring, (poc_key_domain){ { 0x00, 0xf1, 0x10 } }, 2), POC_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    ue_ring_free(ring);
    ue_muks_free(muks);
    return poc_secret_live_count() == 0 ? 0 : -1;
}

static poc_err give(const char *list, const char *id)
{
    vec_bytes message = vec_hex(row(list, id), "message");
    ue_key_message m;
    poc_err err = ue_muks_open(muks, NOW_MS, vec_span(&message), &m, NULL);
    if (err != POC_OK)
        return err;
    if (poc_msk_number(m.msk.msk_id) != 0)
        err = ue_ring_add(ring, &m);
    ue_muks_accept(muks, &m, 1);
    ue_key_message_done(&m);
    return err;
}

/* ---- HTTP bodies ---- */

static const ue_keyman_item current = { .key_domain = { { 0x00, 0xf1, 0x10 } }, .msk_id = 0x10010000 };

/* MBMS-1: the request for the current MSK, octet by octet. */
static void test_the_msk_request_is_that_of_the_vector(void **state)
{
    (void)state;
    const json_t *v = row("http_digest", "ua-msk-request");
    char text[1024], target[128];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    ue_keyman_request_put(&wr, UE_KEYMAN_MSK, &current, 1);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_string_equal(text, vec_text(v, "entity_body_text"));
    wr = poc_wr_into(target, sizeof(target));
    ue_keyman_target_put(&wr, UE_KEYMAN_MSK, "/keymanagement");
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_string_equal(target, vec_text(v, "uri"));
}

/* MBMS-5: success or reject, with its cause. */
static void test_the_answer_of_the_vector_grants_the_msk(void **state)
{
    (void)state;
    const json_t *v = row("http_digest", "ua-msk-request");
    ue_keyman_item item = current;
    poc_span body = poc_span_str(vec_text(v, "response_entity_body_text"));
    assert_int_equal(
        ue_keyman_answer_read(&item, 1, UE_KEYMAN_MSK, poc_span_str("application/mbms-msk-response+xml"), body),
        POC_OK);
    assert_int_equal(item.status, 200);
    item.msk_id = 0x10010007;
    assert_int_equal(
        ue_keyman_answer_read(&item, 1, UE_KEYMAN_MSK, poc_span_str("application/mbms-msk-response+xml"), body),
        POC_E_INPUT);
}

static void test_several_items_have_a_status_each(void **state)
{
    (void)state;
    ue_keyman_item items[3] = { { .service_id = "urn:a" }, { .service_id = "urn:b" }, { .service_id = "urn:c" } };
    const char body[] =
        "<r:registerResponse xmlns:r='urn:x'>"
        "<r:Response><r:serviceID>urn:c</r:serviceID><r:ResponseCode>404 Not Found</r:ResponseCode>"
        "</r:Response><response><RESPONSECODE>403</RESPONSECODE><serviceid> urn:a </serviceid></response>"
        "<Response><other><serviceID>x</serviceID></other><serviceID>urn:b</serviceID>"
        "<ResponseCode>200 OK</ResponseCode></Response></r:registerResponse>";
    assert_int_equal(ue_keyman_answer_read(items, 3, UE_KEYMAN_REGISTER,
                                           poc_span_str("application/mbms-register-response+xml"), poc_span_str(body)),
                     POC_OK);
    assert_int_equal(items[0].status, 403);
    assert_int_equal(items[1].status, 200);
    assert_int_equal(items[2].status, 404);
}

static void test_what_means_something_in_xml_is_escaped_in_a_service_id(void **state)
{
    (void)state;
    char text[512];
    ue_keyman_item item = { .service_id = "urn:a&b<c>\"d" };
    poc_wr wr = poc_wr_into(text, sizeof(text));
    ue_keyman_request_put(&wr, UE_KEYMAN_DEREGISTER, &item, 1);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_non_null(strstr(text, "<serviceID>urn:a&amp;b&lt;c&gt;&quot;d</serviceID>"));
    assert_non_null(strstr(text, "</mbmsSecurityDeregister>"));
}

static void test_an_answer_beyond_the_limits_is_refused(void **state)
{
    (void)state;
    static char body[UE_KEYMAN_BODY_MAX + 2];
    ue_keyman_item item = { .service_id = "urn:a" };
    const poc_span type = poc_span_str("application/mbms-register-response+xml");
    memset(body, ' ', sizeof(body));
    assert_int_equal(ue_keyman_answer_read(&item, 1, UE_KEYMAN_REGISTER, type, poc_span_of(body, sizeof(body) - 1)),
                     POC_E_LIMIT);
    const char deep[] = "<aResponse><b><b><b><b><b><b><b><b/></b></b></b></b></b></b></b></aResponse>";
    assert_int_equal(ue_keyman_answer_read(&item, 1, UE_KEYMAN_REGISTER, type, poc_span_str(deep)), POC_E_LIMIT);
}

/* ---- MSK messages ---- */

/* MBMS-8 */
static void test_the_msk_messages_of_the_vectors_are_installed(void **state)
{
    (void)state;
    assert_int_equal(give("mikey_messages", "msk-empty-map"), POC_OK);
    assert_true(ue_ring_has_valid(ring, 0x1001));
    assert_int_equal(give("mikey_messages", "msk-rekey"), POC_OK);
    assert_int_equal(ue_ring_ids(ring, NULL, 0), 2);
    assert_int_equal(give("mikey_messages", "msk-invalidate"), POC_OK);
    assert_int_equal(ue_ring_ids(ring, NULL, 0), 1);
}

/* MBMS-10 */
static void test_the_solicited_pull_of_the_vectors_is_authentic_and_carries_no_key(void **state)
{
    (void)state;
    assert_int_equal(give("mikey_messages", "solicited-pull"), POC_OK);
    assert_int_equal(ue_ring_ids(ring, NULL, 0), 0);
    assert_int_equal(give("mikey_messages", "msk-empty-map"), POC_E_DENIED); /* its counter has moved */
}

static bool is_about_an_mtk(const json_t *v)
{
    return strncmp(json_string_value(json_object_get(v, "id")), "neg-mtk", 7) == 0;
}

/* Digest 9.9: each is dropped, and leaves the client able to take the good one. */
static void test_none_of_the_negative_vectors_is_installed(void **state)
{
    (void)state;
    const json_t *list = json_object_get(vectors, "negative"), *v;
    size_t at, tried = 0;
    json_array_foreach(list, at, v)
    {
        const char *id = json_string_value(json_object_get(v, "id"));
        if (is_about_an_mtk(v) || strcmp(id, "neg-replay") == 0)
            continue;
        assert_int_not_equal(give("negative", id), POC_OK);
        assert_int_equal(ue_ring_ids(ring, NULL, 0), 0);
        tried++;
    }
    assert_true(tried >= 8);
    assert_int_equal(give("mikey_messages", "msk-empty-map"), POC_OK);
}

static void test_a_counter_seen_before_is_a_replay(void **state)
{
    (void)state;
    assert_int_equal(give("mikey_messages", "msk-rekey"), POC_OK);
    assert_int_equal(give("negative", "neg-replay"), POC_E_DENIED);
    assert_int_equal(ue_ring_ids(ring, NULL, 0), 1);
}

#define PLAIN(name) cmocka_unit_test(name)
#define KEYED(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(test_the_msk_request_is_that_of_the_vector),
        PLAIN(test_the_answer_of_the_vector_grants_the_msk),
        PLAIN(test_several_items_have_a_status_each),
        PLAIN(test_what_means_something_in_xml_is_escaped_in_a_service_id),
        PLAIN(test_an_answer_beyond_the_limits_is_refused),
        KEYED(test_the_msk_messages_of_the_vectors_are_installed),
        KEYED(test_the_solicited_pull_of_the_vectors_is_authentic_and_carries_no_key),
        KEYED(test_none_of_the_negative_vectors_is_installed),
        KEYED(test_a_counter_seen_before_is_a_replay),
    };
    return cmocka_run_group_tests_name("ue key management", tests, load, unload);
}
