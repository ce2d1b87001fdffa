#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const uint8_t test_k[16] = { 0x46, 0x5b, 0x5c, 0xe8, 0xb1, 0x99, 0xb4, 0x9f,
                                    0xaa, 0x5f, 0x0a, 0x2e, 0xe2, 0x38, 0xa6, 0xbc };
static const uint8_t test_opc[16] = { 0xcd, 0x63, 0xcb, 0x71, 0x95, 0x4a, 0x9f, 0x4e,
                                      0x48, 0xa5, 0x99, 0x4e, 0x37, 0xa0, 0x2b, 0xaf };
static const char impi[] = "alice@home1.example";
static const char impu[] = "sip:alice@home1.example";
static const char bsf_fqdn[] = "bsf.home1.example";
static const char naf_fqdn[] = "pf1.poc.example.org";

static void subscribe(pair *p)
{
    gba_subscriber s = { .impi = poc_span_str(impi), .sqn = 32, .impus = { poc_span_str(impu) }, .impu_count = 1 };
    memcpy(s.k, test_k, sizeof(s.k));
    memcpy(s.opc, test_opc, sizeof(s.opc));
    assert_int_equal(gba_bsf_new(&p->bsf, poc_span_str(bsf_fqdn), 86400, &p->rng), POC_OK);
    assert_int_equal(gba_bsf_add(p->bsf, &s), POC_OK);
    assert_int_equal(gba_naf_id_make(&p->naf_id, poc_span_str(naf_fqdn), gba_ua_id_mbms), POC_OK);
}

void pair_bootstrap(pair *p)
{
    bool again = true;
    for (int rounds = 0; again && rounds < 4; rounds++) {
        static gba_http_answer answer;
        char header[GBA_HEADER_MAX];
        poc_wr wr = poc_wr_into(header, sizeof(header));
        assert_int_equal(pocue_ub_request(p->ue, &wr), POC_OK);
        assert_int_equal(poc_wr_done(&wr), POC_OK);
        (void)gba_bsf_ub(p->bsf, p->now_ms / 1000, poc_span_str("GET"), poc_span_str("/"), poc_span_of(header, wr.len),
                         &answer);
        assert_int_equal(pocue_ub_answer(p->ue, p->now_ms, answer.status, poc_span_str(answer.www_authenticate),
                                         poc_span_str(answer.authentication_info),
                                         poc_span_of(answer.body, answer.body_len), &again),
                         POC_OK);
    }
    assert_false(again);
    const char *btid = pocue_btid(p->ue, p->now_ms);
    assert_non_null(btid);
    pair_learn(p, btid);
}

void pair_learn(pair *p, const char *btid)
{
    gba_zn_answer zn;
    snprintf(p->btid, sizeof(p->btid), "%s", btid);
    assert_int_equal(
        gba_bsf_zn(p->bsf, p->now_ms / 1000, poc_span_str(p->btid), poc_span_of(p->naf_id.b, p->naf_id.n), &zn),
        POC_OK);
    gba_mbms_keys_done(&p->pf);
    assert_int_equal(gba_mbms_keys_make(&p->pf, zn.me_key, NULL), POC_OK);
    gba_zn_answer_done(&zn);
    p->counter = 0;
}

void pair_settings(pocue_settings *s)
{
    *s = (pocue_settings){ .impu = impu,
                           .impi = impi,
                           .bsf_fqdn = bsf_fqdn,
                           .naf_fqdn = naf_fqdn,
                           .multicast_capable = true,
                           .msks_per_group = 2 };
    memcpy(s->k, test_k, sizeof(s->k));
    memcpy(s->opc, test_opc, sizeof(s->opc));
    memcpy(s->ua_id, gba_ua_id_mbms, sizeof(s->ua_id));
}

void pair_open(pair *p, void (*change)(pocue_settings *settings))
{
    memset(p, 0, sizeof(*p));
    p->rng = test_rng_of(&p->chance, 7);
    p->now_ms = PAIR_NOW_MS;
    pocue_settings s;
    pair_settings(&s);
    if (change != NULL)
        change(&s);
    subscribe(p);
    assert_int_equal(pocue_new(&p->ue, &s, &p->rng), POC_OK);
    assert_int_equal(poc_addr_parse(&p->local.audio, poc_span_str("198.51.100.21"), 45200), POC_OK);
    assert_int_equal(poc_addr_parse(&p->local.floor, poc_span_str("198.51.100.21"), 45300), POC_OK);
    pair_bootstrap(p);
    pair_new_msk(p, 1);
}

void pair_close(pair *p)
{
    bcast_protector_free(p->protector);
    poc_secret_free(p->msk);
    gba_mbms_keys_done(&p->pf);
    pocue_free(p->ue);
    gba_bsf_free(p->bsf);
}

void pair_new_msk(pair *p, uint16_t number)
{
    poc_secret_free(p->msk);
    assert_int_equal(poc_secret_random(&p->msk, POC_MSK_LEN, &p->rng), POC_OK);
    p->params = (mikey_msk_params){ .key_domain = { { 0x00, 0xf1, 0x10 } },
                                    .msk_id = poc_msk_id_of(PAIR_GROUP, number),
                                    .seq_high = 65535,
                                    .sdp_ids = true,
                                    .key_type = MIKEY_TGK,
                                    .idi_type = MIKEY_ID_URI,
                                    .idi = poc_span_of(p->naf_id.b, p->naf_id.n),
                                    .idr_type = MIKEY_ID_NAI };
    assert_int_equal(p->rng.fill(p->rng.ctx, p->params.rand, MIKEY_RAND_LEN), POC_OK);
}

size_t pair_seal(pair *p, uint8_t out[MIKEY_MESSAGE_MAX])
{
    mikey_msk_job job = {
        .muk = p->pf.muk, .idr = poc_span_str(p->btid), .counter = ++p->counter, .out = out, .cap = MIKEY_MESSAGE_MAX
    };
    assert_int_equal(mikey_msk_seal(&p->params, p->msk, &job, 1), POC_OK);
    return job.len;
}

static void multicast_lines(poc_wr *wr, bool ip6)
{
    const char *group = ip6 ? "c=IN IP6 ff3e::8000:7\r\na=source-filter: incl IN IP6 ff3e::8000:7 2001:db8::50\r\n"
                            : "c=IN IP4 232.10.0.7/16\r\na=source-filter: incl IN IP4 232.10.0.7 192.0.2.50\r\n";
    poc_wr_fmt(wr, "m=audio 5004 RTP/SAVP 97\r\n%sb=AS:16\r\nb=RR:0\r\na=rtpmap:97 AMR/8000\r\n", group);
    poc_wr_fmt(wr, "a=fmtp:97 octet-align=1;mode-set=0,1,2\r\na=ptime:160\r\na=recvonly\r\na=stkmstream:1\r\n");
    poc_wr_fmt(wr, "m=application 5006 udp TBCP\r\n%sa=recvonly\r\na=stkmstream:1\r\n", group);
    poc_wr_fmt(wr, "m=data 5008 UDP vnd.oma.bcast.stkm\r\n%s", group);
    poc_wr_fmt(wr, "a=fmtp:vnd.oma.bcast.stkm streamid=1;kmstype=oma-bcast-gba-mbms\r\na=recvonly\r\n");
}

void pair_offer(pair *p, char out[PAIR_OFFER_MAX], unsigned version, bool ip6)
{
    uint8_t message[MIKEY_MESSAGE_MAX];
    size_t n = pair_seal(p, message);
    poc_wr wr = poc_wr_into(out, PAIR_OFFER_MAX);
    poc_wr_fmt(&wr, "v=0\r\no=pf 5001 %u IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n", version);
    poc_wr_fmt(&wr, "a=bcastversion:1.0\r\nm=audio 30000 RTP/AVP 97\r\na=rtpmap:97 AMR/8000\r\n");
    poc_wr_fmt(&wr, "a=fmtp:97 octet-align=1;mode-set=0,1,2\r\na=ptime:160\r\na=sendrecv\r\n");
    poc_wr_fmt(&wr, "m=application 30002 udp TBCP\r\na=fmtp:TBCP queuing=1;tb_priority=2;timestamp=1\r\n");
    multicast_lines(&wr, ip6);
    poc_wr_fmt(&wr, "a=key-mgmt:mikey ");
    poc_base64_put(&wr, poc_span_of(message, n));
    poc_wr_fmt(&wr, "\r\n");
    assert_int_equal(poc_wr_text(&wr), POC_OK);
}

void pair_replace(char text[PAIR_OFFER_MAX], const char *from, const char *to, unsigned nth)
{
    static char copy[PAIR_OFFER_MAX];
    poc_wr wr = poc_wr_into(copy, sizeof(copy));
    unsigned found = 0;
    const char *at = text;
    for (const char *hit; (hit = strstr(at, from)) != NULL; at = hit + strlen(from)) {
        poc_wr_put(&wr, at, (size_t)(hit - at));
        poc_wr_fmt(&wr, "%s", ++found == nth || nth == 0 ? to : from);
    }
    poc_wr_fmt(&wr, "%s", at);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    assert_true(found >= nth && found > 0);
    memcpy(text, copy, wr.len + 1);
}

pocue_reply pair_give(pair *p, const char *offer, char answer[PAIR_OFFER_MAX])
{
    pocue_reply reply;
    poc_wr wr = poc_wr_into(answer, PAIR_OFFER_MAX);
    assert_int_equal(pocue_offer_read(p->ue, p->now_ms, &p->local, poc_span_str(offer), &wr, &reply), POC_OK);
    assert_int_equal(poc_wr_text(&wr), POC_OK);
    return reply;
}

bool pair_event(pair *p, pocue_event_type type, pocue_event *out)
{
    while (pocue_poll(p->ue, out))
        if (out->type == type)
            return true;
    return false;
}

void pair_events_clear(pair *p)
{
    pocue_event ignored;
    while (pocue_poll(p->ue, &ignored))
        ;
}

static void to_air(void *ctx, bcast_flow flow, const uint8_t *datagram, size_t n)
{
    pair *p = ctx;
    assert_true(p->air_count < PAIR_AIR_MAX && n <= BCAST_PACKET_MAX);
    pair_datagram *d = &p->air[p->air_count++];
    d->flow = flow;
    d->n = n;
    memcpy(d->b, datagram, n);
}

void pair_on_air(pair *p)
{
    if (p->protector == NULL) {
        bcast_protector_settings s = bcast_protector_defaults;
        s.key_domain = p->params.key_domain;
        assert_int_equal(bcast_protector_new(&p->protector, &s, (bcast_carrier){ to_air, p }, &p->rng), POC_OK);
    }
    bcast_msk msk = { .key_domain = p->params.key_domain,
                      .id = p->params.msk_id,
                      .seq_high = 65535,
                      .rand_len = MIKEY_RAND_LEN,
                      .key = p->msk };
    memcpy(msk.rand, p->params.rand, MIKEY_RAND_LEN);
    assert_int_equal(bcast_protector_set_msk(p->protector, p->now_ms, &msk), POC_OK);
}

void pair_talk(pair *p, uint16_t seq)
{
    uint8_t packet[64];
    uint8_t speech[20];
    memset(speech, seq & 0xff, sizeof(speech));
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    bcast_rtp_put(&wr, &(bcast_rtp){ .seq = seq,
                                     .timestamp = seq * 160u,
                                     .ssrc = 0x11223344,
                                     .payload = poc_span_of(speech, sizeof(speech)) });
    assert_int_equal(bcast_protector_send(p->protector, p->now_ms, BCAST_FLOW_RTP, poc_span_of(packet, wr.len)),
                     POC_OK);
}

void pair_deliver(pair *p)
{
    for (size_t i = 0; i < p->air_count; i++)
        pocue_multicast(p->ue, p->now_ms, p->air[i].flow, poc_span_of(p->air[i].b, p->air[i].n));
    p->air_count = 0;
}
