#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ue/core/core.h"
#include "ue/io/inside.h"

/* ---- the clock ---- */

static pthread_once_t clock_once = PTHREAD_ONCE_INIT;
static int64_t unix_minus_monotonic_ms;

static int64_t clock_ms(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void clock_start(void)
{
    unix_minus_monotonic_ms = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC);
}

int64_t radio_now_ms(void)
{
    pthread_once(&clock_once, clock_start);
    return clock_ms(CLOCK_MONOTONIC) + unix_minus_monotonic_ms;
}

/* ---- reports ---- */

void radio_tell(radio *r, radio_event what, int status, const char *text)
{
    r->report(r->user, r, &(radio_report){ .what = what, .at_ms = radio_now_ms(), .status = status, .text = text });
}

static bool events_hand_out(radio *r)
{
    pocue_event e;
    bool any = false;
    for (; pocue_poll(r->ue, &e); any = true) {
        if (e.type == POCUE_JOIN_GROUP)
            radio_group_open(r, &e.channel, e.is_mcx);
        if (e.type == POCUE_LEAVE_GROUP)
            radio_group_close(r, &e.channel, e.is_mcx);
        if (e.type == POCUE_MCX_KEY || e.type == POCUE_MCX_REVOKED)
            radio_mcx_hear(r, &e);
        if (e.type == POCUE_BOOTSTRAP_NEEDED)
            (void)radio_bootstrap(r); /* when it runs already, its end does as well */
        r->report(r->user, r, &(radio_report){ .what = RADIO_UE, .at_ms = e.at_ms, .event = &e });
        if (e.type == POCUE_SERVICE_LEFT && e.of_session)
            (void)radio_leave(r);
    }
    return any;
}

/* The owner may call the radio from inside a report; what that brings about is told by the loop already running. */
void radio_pump(radio *r)
{
    if (r->is_pumping)
        return;
    r->is_pumping = true;
    do {
        (void)events_hand_out(r);
        radio_keyman_run(r);
        radio_mcx_run(r);
    } while (events_hand_out(r));
    r->is_pumping = false;
    radio_keyman_wait(r);
    radio_mcx_wait(r);
}

/* ---- life ---- */

static poc_err text_copy(char *out, size_t cap, const char *text)
{
    if (text == NULL || strlen(text) >= cap)
        return POC_E_INPUT;
    memcpy(out, text, strlen(text) + 1);
    return POC_OK;
}

static poc_err settings_take(radio *r, const radio_settings *s)
{
    r->update_allowed = s->update_allowed;
    r->answer_offers = s->answer_offers;
    r->refuse_keys = s->refuse_keys;
    r->keep_keys = s->keep_keys;
    r->push_port = s->push_port;
    r->is_vouched_for = s->is_vouched_for;
    r->tamper = s->tamper;
    r->tamper_ctx = s->tamper_ctx;
    POC_TRY(text_copy(r->name, sizeof(r->name), s->name != NULL ? s->name : "radio"));
    POC_TRY(text_copy(r->impu, sizeof(r->impu), s->ue.impu));
    POC_TRY(text_copy(r->bsf_fqdn, sizeof(r->bsf_fqdn), s->ue.bsf_fqdn));
    POC_TRY(text_copy(r->pf_uri, sizeof(r->pf_uri), s->pf_uri));
    POC_TRY(poc_addr_parse(&r->address, poc_span_str(s->address), 0));
    return s->interface == NULL ? POC_OK : poc_addr_parse(&r->interface, poc_span_str(s->interface), 0);
}

static poc_err ue_make(radio *r, const radio_settings *s)
{
    pocue_settings settings = s->ue;
    settings.keep_keys = s->keep_keys;
    if (s->keep_keys && settings.msks_per_group < UE_RING_MAX)
        settings.msks_per_group = UE_RING_MAX;
    poc_err err = pocue_new(&r->ue, &settings, &poc_rng_system);
    poc_wipe(settings.k, sizeof(settings.k));
    poc_wipe(settings.opc, sizeof(settings.opc));
    return err;
}

static poc_err stream_make(radio *r)
{
    POC_TRY(poc_rng_system.fill(poc_rng_system.ctx, &r->ssrc, sizeof(r->ssrc)));
    POC_TRY(poc_rng_system.fill(poc_rng_system.ctx, &r->rtp_seq, sizeof(r->rtp_seq)));
    return poc_rng_system.fill(poc_rng_system.ctx, &r->rtp_timestamp, sizeof(r->rtp_timestamp));
}

poc_err radio_new(radio **out, su_root_t *root, const radio_settings *settings, radio_report_fn *report, void *user)
{
    POC_OWNED(radio, r, radio_free);
    *out = NULL;
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return POC_E_NOMEM;
    r->root = root;
    r->report = report;
    r->user = user;
    for (size_t i = 0; i < PORT_COUNT; i++)
        r->port[i] = (port){ .radio = r, .fd = -1 };
    POC_TRY(settings_take(r, settings));
    POC_TRY(ue_make(r, settings));
    POC_TRY(stream_make(r));
    POC_TRY(radio_ports_open(r));
    POC_TRY(radio_ub_open(r, settings->bsf_url));
    POC_TRY(radio_keyman_open(r, settings));
    POC_TRY(radio_sip_open(r));
    *out = POC_RELEASE(r);
    return POC_OK;
}

void radio_free(radio *r)
{
    if (r == NULL)
        return;
    radio_mcx_close(r);
    radio_sip_close(r);
    radio_keyman_close(r);
    radio_ub_close(r);
    radio_groups_close(r);
    radio_ports_close(r);
    pocue_free(r->ue);
    free(r);
}

/* ---- speech and floor ---- */

static poc_err send_to(const port *from, const struct sockaddr_storage *peer, const poc_wr *packet)
{
    const struct sockaddr *to = (const struct sockaddr *)peer;
    if (peer->ss_family == AF_UNSPEC)
        return POC_E_STATE;
    POC_TRY(poc_wr_done(packet));
    ssize_t sent = sendto(from->fd, packet->buf, packet->len, MSG_DONTWAIT | MSG_NOSIGNAL, to, poc_addr_len(to));
    return sent == (ssize_t)packet->len ? POC_OK : POC_E_IO;
}

poc_err radio_talk(radio *r, const uint8_t *pcmu, size_t n, bool first)
{
    uint8_t buf[BCAST_PACKET_MAX];
    poc_wr packet = poc_wr_into(buf, sizeof(buf));
    struct sockaddr_storage peer = pocue_peer_audio(r->ue);
    bcast_rtp_put(&packet, &(bcast_rtp){ .marker = first,
                                         .seq = r->rtp_seq++,
                                         .timestamp = r->rtp_timestamp,
                                         .ssrc = r->ssrc,
                                         .payload = poc_span_of(pcmu, n) });
    r->rtp_timestamp += (uint32_t)n;
    return send_to(&r->port[PORT_AUDIO], &peer, &packet);
}

poc_err radio_floor(radio *r, uint8_t mbcp_type)
{
    uint8_t clear[BCAST_PACKET_MAX], protected[BCAST_PACKET_MAX + MCX_SRTCP_OVERHEAD];
    poc_wr packet = poc_wr_into(clear, sizeof(clear)), out = poc_wr_into(protected, sizeof(protected));
    struct sockaddr_storage peer = pocue_peer_floor(r->ue);
    bcast_mbcp_put(&packet, &(bcast_mbcp){ .type = mbcp_type, .ssrc = r->ssrc });
    POC_TRY(poc_wr_done(&packet));
    if (r->mcx == NULL)
        return send_to(&r->port[PORT_FLOOR], &peer, &packet);
    POC_TRY(pocue_mcx_protect(r->ue, radio_now_ms(), &out, poc_span_of(clear, packet.len)));
    return send_to(&r->port[PORT_FLOOR], &peer, &out);
}

uint32_t radio_ssrc(const radio *r)
{
    return r->ssrc;
}

const char *radio_contact(const radio *r)
{
    return r->contact_uri;
}

const char *radio_name(const radio *r)
{
    return r->name;
}

pocue *radio_ue(radio *r)
{
    return r->ue;
}
