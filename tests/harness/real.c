/* The real world: radios, a stand-in CF and a listener on the group, all on sockets of this machine, around a PF that is
 * our daemon or anybody's. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sofia-sip/su.h>

#include "base/text.h"
#include "bcast/bcast.h"
#include "mikey/mikey.h"
#include "tests/harness/cf.h"
#include "tests/harness/child.h"
#include "tests/harness/deployment.h"
#include "tests/harness/forge.h"
#include "tests/harness/operator.h"
#include "tests/harness/spoil.h"
#include "tests/harness/udp.h"
#include "tests/harness/world.h"
#include "ue/io/radio.h"

enum {
    READY_LIMIT_MS = 10000,
    STOP_LIMIT_MS = 5000,
    LEAVE_LIMIT_MS = 2000,
    STEP_MS = 20,
    SENT_KEPT = 64,
    MTK_TAIL = POC_MKI_LEN + 10
};

typedef struct real real;

typedef struct real_client {
    real *owner;
    int index;
    world_client settings;
    char impu[128];
    radio *radio;
    bool is_bootstrapping, is_in;
    const char *joins_next; /* group to join when bootstrapping is over; NULL: none */
} real_client;

/* The impartial listener: it has no key and sees only what anybody in the cell sees. */
typedef struct listener {
    real *owner;
    udp *flows[BCAST_FLOW_COUNT];
    forge_ear ears[BCAST_FLOW_COUNT]; /* of the attacker */
} listener;

struct real {
    world base;
    world_settings settings;
    char report_dir[DEPLOYMENT_PATH_MAX], program_dir[DEPLOYMENT_PATH_MAX], pf_uri[128], pf_config[DEPLOYMENT_PATH_MAX];
    su_root_t *root;
    int64_t start_us;
    bool is_up;
    world_channel channels[DEPLOYMENT_CHANNELS_MAX];
    size_t channel_count;
    deployment deployment;
    child *daemon;
    cf *cf;
    listener listeners[DEPLOYMENT_CHANNELS_MAX];
    udp *attacker, *stranger; /* in the cell, with the PF's own address; elsewhere */
    test_rng chance;
    real_client clients[WORLD_CLIENTS_MAX];
    size_t client_count;
    uint8_t sent[SENT_KEPT][WORLD_PAYLOAD_MAX]; /* the last payloads of talkers: none may be seen in clear on air */
    size_t sent_count;
};

static int64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t real_now_us(const world *w)
{
    return clock_us() - ((const real *)w)->start_us;
}

static void saw(real *r, world_seen seen)
{
    seen.at_us = real_now_us(&r->base);
    r->settings.seen(r->settings.user, &seen);
}

static void note(real *r, const char *text)
{
    world_seen seen = { .what = WORLD_NOTE, .client = -1 };
    snprintf(seen.text, sizeof(seen.text), "%s", text);
    saw(r, seen);
}

/* ---- what the CF says ---- */

static int client_by_impu(const real *r, const char *impu)
{
    for (size_t i = 0; i < r->client_count; i++)
        if (strcmp(r->clients[i].impu, impu) == 0)
            return (int)i;
    return -1;
}

static void on_cf(void *user, cf_what what, const char *impu)
{
    real *r = user;
    if (what == CF_EXPELLED)
        saw(r, (world_seen){ .what = WORLD_EXPELLED, .client = client_by_impu(r, impu) });
    else if (what == CF_OVER)
        saw(r, (world_seen){ .what = WORLD_SESSION_OVER, .client = -1 });
}

/* ---- what the radios say ---- */

static world_seen seen_of_event(int client, const pocue_event *e)
{
    static const world_what whats[] = {
        [POCUE_JOIN_GROUP] = WORLD_ON_GROUP,
        [POCUE_LEAVE_GROUP] = WORLD_OFF_GROUP,
        [POCUE_KEY] = WORLD_KEY,
        [POCUE_MTK] = WORLD_MTK,
        [POCUE_KEY_MISSED] = WORLD_KEY_MISSED,
        [POCUE_PLAY] = WORLD_PLAYED,
        [POCUE_FLOOR] = WORLD_FLOOR,
        [POCUE_UNREADABLE] = WORLD_UNREADABLE,
    };
    world_seen seen = { .what = whats[e->type],
                        .client = client,
                        .by_multicast = e->by_multicast,
                        .mki = e->mki,
                        .ssrc = e->ssrc,
                        .timestamp = e->timestamp,
                        .seq = e->seq };
    bcast_mbcp floor;
    if (e->type == POCUE_KEY || e->type == POCUE_KEY_MISSED)
        seen.mki = (poc_mki){ e->msk_id, 0 };
    if (e->type == POCUE_PLAY && e->payload.n <= WORLD_PAYLOAD_MAX) {
        memcpy(seen.payload, e->payload.p, e->payload.n);
        seen.payload_len = (uint16_t)e->payload.n;
    }
    if (e->type == POCUE_FLOOR && bcast_mbcp_parse(&floor, e->payload) == POC_OK)
        seen.status = floor.type;
    return seen;
}

/* A join that was asked for meanwhile: also without a GBA context, since what the PF makes of it is the story. */
static void bootstrapping_over(real_client *c, radio *phone)
{
    const char *group_uri = c->joins_next;
    c->is_bootstrapping = false;
    c->joins_next = NULL;
    if (group_uri != NULL)
        (void)radio_join(phone, group_uri);
}

static void on_radio(void *user, radio *from, const radio_report *report)
{
    static const world_what whats[] = {
        [RADIO_BOOTSTRAPPED] = WORLD_BOOTSTRAPPED,
        [RADIO_BOOTSTRAP_FAILED] = WORLD_REFUSED,
        [RADIO_IN] = WORLD_IN,
        [RADIO_REFUSED] = WORLD_REFUSED,
        [RADIO_OUT] = WORLD_OUT,
        [RADIO_BYED] = WORLD_BYED,
        [RADIO_OFFERED] = WORLD_OFFERED,
    };
    real_client *c = user;
    if (report->what == RADIO_UE) {
        saw(c->owner, seen_of_event(c->index, report->event));
        return;
    }
    if (report->what == RADIO_IN)
        c->is_in = true;
    else if (report->what == RADIO_OUT || report->what == RADIO_BYED)
        c->is_in = false;
    world_seen seen = { .what = whats[report->what], .client = c->index, .status = report->status };
    if (report->text != NULL)
        snprintf(seen.text, sizeof(seen.text), "%s", report->text);
    saw(c->owner, seen);
    if (report->what == RADIO_BOOTSTRAPPED || report->what == RADIO_BOOTSTRAP_FAILED)
        bootstrapping_over(c, from);
}

/* ---- what the listener hears ---- */

/* Media in clear, or a floor packet whose name can be read: POC-1 is broken. */
static bool is_in_clear(const real *r, bcast_flow flow, poc_span datagram)
{
    if (flow == BCAST_FLOW_FLOOR)
        return datagram.n >= 12 && memcmp(datagram.p + 8, "PoC1", 4) == 0;
    for (size_t i = 0; i < SENT_KEPT && i < r->sent_count; i++)
        if (datagram.n >= 12 + WORLD_PAYLOAD_MAX && memcmp(datagram.p + 12, r->sent[i], WORLD_PAYLOAD_MAX) == 0)
            return true;
    return false;
}

/* Which keys a datagram on the group belongs to: an STKM says so in clear, a protected packet by its MKI. */
static poc_mki mki_of(bcast_flow flow, poc_span datagram)
{
    mikey_msg stkm;
    if (flow == BCAST_FLOW_STKM && mikey_decode(&stkm, datagram, NULL) == POC_OK)
        return (poc_mki){ stkm.msk_id, stkm.mtk_id };
    if (flow != BCAST_FLOW_STKM && datagram.n > MTK_TAIL)
        return poc_mki_read(datagram.p + datagram.n - MTK_TAIL);
    return (poc_mki){ 0 };
}

static void on_air(listener *l, bcast_flow flow, poc_span datagram)
{
    static const world_what whats[BCAST_FLOW_COUNT] = {
        [BCAST_FLOW_RTP] = WORLD_ON_AIR, [BCAST_FLOW_FLOOR] = WORLD_FLOOR_ON_AIR, [BCAST_FLOW_STKM] = WORLD_STKM_ON_AIR
    };
    world_seen seen = { .what = whats[flow], .client = -1, .mki = mki_of(flow, datagram) };
    bcast_rtp rtp;
    forge_hear(&l->ears[flow], datagram);
    if (flow != BCAST_FLOW_STKM && is_in_clear(l->owner, flow, datagram))
        seen.what = WORLD_CLEAR_ON_AIR;
    if (flow == BCAST_FLOW_RTP && bcast_rtp_parse(&rtp, datagram) == POC_OK) {
        seen.ssrc = rtp.ssrc;
        seen.seq = rtp.seq;
        seen.timestamp = rtp.timestamp;
    }
    saw(l->owner, seen);
}

static void on_group(void *user, udp *from, const struct sockaddr *peer, poc_span datagram)
{
    listener *l = user;
    if (l->owner->attacker != NULL && poc_addr_port(peer) == udp_port(l->owner->attacker))
        return; /* not the PF's */
    for (bcast_flow flow = 0; flow < BCAST_FLOW_COUNT; flow++)
        if (l->flows[flow] == from)
            on_air(l, flow, datagram);
}

/* ---- putting it up ---- */

static poc_err until(real *r, int limit_ms, bool (*done)(const real *r))
{
    int64_t limit_us = clock_us() + (int64_t)limit_ms * 1000;
    while (!done(r) && clock_us() < limit_us)
        su_root_step(r->root, STEP_MS);
    return done(r) ? POC_OK : POC_E_IO;
}

static bool daemon_has_settled(const real *r)
{
    return child_is_ready(r->daemon) || child_has_ended(r->daemon);
}

static bool daemon_has_ended(const real *r)
{
    return child_has_ended(r->daemon);
}

static poc_err daemon_up(real *r)
{
    char program[2 * DEPLOYMENT_PATH_MAX], log[2 * DEPLOYMENT_PATH_MAX];
    snprintf(program, sizeof(program), "%s/pocpfd", r->program_dir);
    snprintf(log, sizeof(log), "%s/pocpfd.log", r->report_dir);
    POC_TRY(child_start(&r->daemon, r->root, program, r->deployment.config_path, log));
    POC_TRY(until(r, READY_LIMIT_MS, daemon_has_settled));
    if (child_is_ready(r->daemon))
        return POC_OK;
    fprintf(stderr, "pocsim: pocpfd did not get ready; its words are in %s\n", log);
    return POC_E_IO;
}

static poc_err listener_up(listener *l, real *r, const bcast_channel *air)
{
    const struct sockaddr *source = (const struct sockaddr *)&air->source;
    char interface[64];
    poc_wr wr = poc_wr_into(interface, sizeof(interface));
    if (source->sa_family != 0)
        poc_addr_put(&wr, source);
    POC_TRY(poc_wr_text(&wr));
    l->owner = r;
    for (bcast_flow flow = 0; flow < BCAST_FLOW_COUNT; flow++)
        POC_TRY(udp_open_group(&l->flows[flow], r->root, (const struct sockaddr *)&air->group, air->port[flow], source,
                               wr.len > 0 ? interface : NULL, on_group, l));
    return POC_OK;
}

static poc_err come_up(real *r)
{
    char why[160] = "";
    if (r->is_up)
        return POC_OK;
    if (r->pf_config[0] == '\0')
        POC_TRY(deployment_write(r->pf_config, r->report_dir, r->channels, r->channel_count));
    poc_err err = deployment_read(&r->deployment, r->pf_config, why);
    if (err != POC_OK) {
        fprintf(stderr, "pocsim: %s: %s\n", r->pf_config, why);
        return err;
    }
    if (r->pf_uri[0] != '\0')
        snprintf(r->deployment.pf_uri, sizeof(r->deployment.pf_uri), "%s", r->pf_uri);
    if (r->settings.bsf_url != NULL)
        snprintf(r->deployment.bsf_url, sizeof(r->deployment.bsf_url), "%s", r->settings.bsf_url);
    err = cf_new(&r->cf, r->root, r->deployment.cf_host, r->deployment.cf_port, on_cf, r);
    if (err != POC_OK) {
        fprintf(stderr, "pocsim: the stand-in CF cannot listen on %s port %u\n", r->deployment.cf_host,
                r->deployment.cf_port);
        return err;
    }
    for (size_t i = 0; i < r->deployment.channel_count; i++)
        (void)listener_up(&r->listeners[i], r,
                          &r->deployment.channels[i].air); /* a channel without a bearer has no air */
    if (r->pf_uri[0] == '\0')
        POC_TRY(daemon_up(r));
    r->is_up = true;
    return POC_OK;
}

/* ---- operations ---- */

static poc_err real_channel(world *w, const world_channel *channel)
{
    real *r = (real *)w;
    if (r->is_up)
        return POC_E_STATE;
    if (r->channel_count == DEPLOYMENT_CHANNELS_MAX)
        return POC_E_LIMIT;
    r->channels[r->channel_count++] = *channel;
    return POC_OK;
}

static void tamper(const void *ctx, bool is_answer, char *sdp)
{
    spoil_sdp(ctx, is_answer, sdp);
}

static radio_settings radio_settings_of(const real_client *c, const deployment_subscriber *s)
{
    const deployment *d = &c->owner->deployment;
    radio_settings settings = {
        .ue = { .impu = c->impu,
                .impi = s->impi,
                .sqn = s->sqn,
                .bsf_fqdn = d->bsf_fqdn,
                .naf_fqdn = d->naf_fqdn,
                .multicast_capable = c->settings.multicast_capable,
                .msks_per_group = c->settings.keeps_keys ? 64 : 2 },
        .name = c->settings.name,
        .address = d->cf_host,
        .pf_uri = d->pf_uri,
        .bsf_url = d->bsf_url,
        .interface = d->cf_host,
        .update_allowed = c->settings.update_allowed,
        .answer_offers = c->settings.answers_offers,
        .refuse_keys = c->settings.refuses_keys,
        .keep_keys = c->settings.keeps_keys,
        .tamper = c->settings.answers[0] != '\0' ? tamper : NULL,
        .tamper_ctx = c->settings.answers,
    };
    memcpy(settings.ue.k, s->k, sizeof(s->k));
    memcpy(settings.ue.opc, s->opc, sizeof(s->opc));
    memcpy(settings.ue.amf, s->amf, sizeof(s->amf));
    memcpy(settings.ue.ua_id, d->ua_id, sizeof(d->ua_id));
    return settings;
}

/* A radio is made when it is first used: by then the deployment is known. */
static poc_err radio_of(real *r, int client, radio **out)
{
    if (client < 0 || (size_t)client >= r->client_count)
        return POC_E_INPUT;
    POC_TRY(come_up(r));
    real_client *c = &r->clients[client];
    if (c->radio == NULL) {
        deployment_subscriber subscriber;
        poc_err err = deployment_find(&r->deployment, c->settings.name, &subscriber);
        if (err != POC_OK) {
            fprintf(stderr, "pocsim: no subscriber \"%s\" in %s\n", c->settings.name, r->deployment.subscribers_path);
            return err;
        }
        snprintf(c->impu, sizeof(c->impu), "%s", subscriber.impu);
        radio_settings settings = radio_settings_of(c, &subscriber);
        err = radio_new(&c->radio, r->root, &settings, on_radio, c);
        poc_wipe(&settings, sizeof(settings));
        poc_wipe(&subscriber, sizeof(subscriber));
        POC_TRY(err);
    }
    *out = c->radio;
    return POC_OK;
}

static poc_err real_client_new(world *w, const world_client *client, int *index)
{
    real *r = (real *)w;
    if (r->client_count == WORLD_CLIENTS_MAX)
        return POC_E_LIMIT;
    *index = (int)r->client_count++;
    r->clients[*index] = (real_client){ .owner = r, .index = *index, .settings = *client };
    return POC_OK;
}

static poc_err real_bootstrap(world *w, int client)
{
    radio *phone;
    POC_TRY(radio_of((real *)w, client, &phone));
    POC_TRY(radio_bootstrap(phone));
    ((real *)w)->clients[client].is_bootstrapping = true;
    return POC_OK;
}

static poc_err real_join(world *w, int client, const char *channel_id)
{
    real *r = (real *)w;
    radio *phone;
    POC_TRY(radio_of(r, client, &phone));
    const char *group_uri = NULL;
    for (size_t i = 0; i < r->deployment.channel_count; i++)
        if (strcmp(r->deployment.channels[i].air.id, channel_id) == 0)
            group_uri = r->deployment.channels[i].group_uri;
    if (group_uri == NULL)
        return POC_E_INPUT;
    if (!r->clients[client].is_bootstrapping)
        return radio_join(phone, group_uri);
    r->clients[client].joins_next = group_uri;
    return POC_OK;
}

static poc_err real_leave(world *w, int client)
{
    radio *phone;
    POC_TRY(radio_of((real *)w, client, &phone));
    return radio_leave(phone);
}

static poc_err real_talk(world *w, int client, const uint8_t *pcmu, size_t n, bool first)
{
    real *r = (real *)w;
    radio *phone;
    POC_TRY(radio_of(r, client, &phone));
    if (n == WORLD_PAYLOAD_MAX)
        memcpy(r->sent[r->sent_count++ % SENT_KEPT], pcmu, n);
    POC_TRY(radio_talk(phone, pcmu, n, first));
    saw(r, (world_seen){ .what = WORLD_SENT, .client = client, .ssrc = radio_ssrc(phone) });
    return POC_OK;
}

static poc_err real_floor(world *w, int client, bool request)
{
    radio *phone;
    POC_TRY(radio_of((real *)w, client, &phone));
    return radio_floor(phone, request ? BCAST_MBCP_REQUEST : BCAST_MBCP_RELEASE);
}

static poc_err real_refer_expel(world *w, int client, int subject)
{
    real *r = (real *)w;
    radio *phone, *other;
    POC_TRY(radio_of(r, client, &phone));
    POC_TRY(radio_of(r, subject, &other));
    return radio_expel(phone, r->clients[subject].impu);
}

static poc_err real_cf_expel(world *w, int client)
{
    real *r = (real *)w;
    radio *phone;
    POC_TRY(radio_of(r, client, &phone));
    return cf_expel(r->cf, r->clients[client].impu, NULL);
}

static poc_err real_cf_end(world *w, const char *channel_id)
{
    real *r = (real *)w;
    POC_TRY(come_up(r));
    for (size_t i = 0; i < r->deployment.channel_count; i++)
        if (strcmp(r->deployment.channels[i].air.id, channel_id) == 0)
            return cf_end(r->cf, r->deployment.channels[i].group_uri);
    return POC_E_INPUT;
}

static poc_err real_operate(world *w, const char *channel_id, int client)
{
    real *r = (real *)w;
    POC_TRY(come_up(r));
    if (r->deployment.admin_path[0] == '\0')
        return POC_E_STATE;
    if (client < 0)
        return operator_order(r->deployment.admin_path, channel_id, NULL);
    radio *phone;
    POC_TRY(radio_of(r, client, &phone));
    saw(r, (world_seen){ .what = WORLD_EXPELLED, .client = client });
    return operator_order(r->deployment.admin_path, channel_id, r->clients[client].impu);
}

static poc_err real_net(world *w, const world_net *net)
{
    (void)w, (void)net;
    return POC_E_STATE;
}

/* ---- the attacker ---- */

static void unheard(void *user, udp *from, const struct sockaddr *peer, poc_span datagram)
{
    (void)user, (void)from, (void)peer, (void)datagram;
}

static poc_err attacker_up(real *r)
{
    if (r->attacker != NULL)
        return POC_OK;
    (void)test_rng_of(&r->chance, r->settings.seed);
    POC_TRY(udp_open(&r->stranger, r->root, "127.0.0.9", 0, unheard, NULL));
    POC_TRY(udp_open(&r->attacker, r->root, r->deployment.cf_host, 0, unheard, NULL));
    return udp_send_on(r->attacker, r->deployment.cf_host);
}

static void strike_group(real *r, size_t channel)
{
    const bcast_channel *air = &r->deployment.channels[channel].air;
    for (bcast_flow flow = 0; flow < BCAST_FLOW_COUNT; flow++)
        for (unsigned kind = 0; kind < FORGE_KINDS; kind++) {
            uint8_t datagram[BCAST_PACKET_MAX];
            struct sockaddr_storage to = air->group;
            poc_addr_set_port((struct sockaddr *)&to, air->port[flow]);
            size_t n = forge_make(&r->listeners[channel].ears[flow], kind, &r->chance, datagram);
            if (n > 0)
                udp_send(r->attacker, (const struct sockaddr *)&to, poc_span_of(datagram, n));
        }
}

/* A good RTP packet of a talker nobody knows. */
static void strike_media(real *r)
{
    const deployment *d = &r->deployment;
    uint8_t payload[WORLD_PAYLOAD_MAX] = { 0x55 }, packet[WORLD_PAYLOAD_MAX + 12];
    poc_wr wr = poc_wr_into(packet, sizeof(packet));
    bcast_rtp rtp = { .seq = (uint16_t)test_rng_next(&r->chance),
                      .ssrc = 0xBADBAD00u,
                      .payload = poc_span_of(payload, sizeof(payload)) };
    struct sockaddr_storage to;
    bcast_rtp_put(&wr, &rtp);
    for (unsigned port = d->media_port_min; port != 0 && port <= d->media_port_max; port++)
        if (poc_addr_parse(&to, poc_span_str(d->media_host), (uint16_t)port) == POC_OK)
            udp_send(r->stranger, (const struct sockaddr *)&to, poc_span_of(packet, wr.len));
}

static poc_err real_strike(world *w, const char *channel_id)
{
    real *r = (real *)w;
    POC_TRY(come_up(r));
    POC_TRY(attacker_up(r));
    for (size_t i = 0; i < r->deployment.channel_count; i++)
        if (strcmp(r->deployment.channels[i].air.id, channel_id) == 0)
            strike_group(r, i);
    strike_media(r);
    return POC_OK;
}

/* ---- harm to the daemon, and its end ---- */

static poc_err real_disk(world *w, bool has_room)
{
    real *r = (real *)w;
    return r->daemon == NULL ? POC_E_STATE : child_disk(r->daemon, has_room);
}

static poc_err real_crash(world *w)
{
    real *r = (real *)w;
    if (r->daemon == NULL)
        return POC_E_STATE;
    (void)child_free(r->daemon);
    r->daemon = NULL;
    saw(r, (world_seen){ .what = WORLD_PF_CRASHED, .client = -1 });
    return POC_OK;
}

static poc_err real_restart(world *w)
{
    real *r = (real *)w;
    if (r->daemon != NULL || r->pf_uri[0] != '\0')
        return POC_E_STATE;
    POC_TRY(daemon_up(r));
    saw(r, (world_seen){ .what = WORLD_PF_BACK, .client = -1 });
    return POC_OK;
}

static poc_err real_run(world *w, int64_t until_us, bool (*stop)(void *user), void *user)
{
    real *r = (real *)w;
    POC_TRY(come_up(r));
    for (;;) {
        int64_t left_us = until_us - real_now_us(w);
        if ((stop != NULL && stop(user)) || left_us <= 0)
            return POC_OK;
        if (r->daemon != NULL && child_has_ended(r->daemon)) {
            note(r, "pocpfd ended by itself");
            return POC_E_IO;
        }
        su_root_step(r->root, left_us < STEP_MS * 1000 ? left_us / 1000 : STEP_MS);
    }
}

static void unseen(void *user, const world_seen *seen)
{
    (void)user, (void)seen;
}

static bool all_are_out(const real *r)
{
    for (size_t i = 0; i < r->client_count; i++)
        if (r->clients[i].is_in)
            return false;
    return true;
}

/* With somebody else's PF: it should not have to find out from dead sockets that the play is over. */
static void radios_down(real *r)
{
    for (size_t i = 0; i < r->client_count; i++)
        if (r->clients[i].is_in)
            (void)radio_leave(r->clients[i].radio);
    (void)until(r, LEAVE_LIMIT_MS, all_are_out);
}

/* An orderly end: the daemon says BYE to everybody, and there is still somebody to answer. */
static void daemon_down(real *r)
{
    if (r->daemon == NULL)
        return;
    child_terminate(r->daemon);
    (void)until(r, STOP_LIMIT_MS, daemon_has_ended);
    if (child_free(r->daemon) != 0)
        fprintf(stderr, "pocsim: pocpfd did not end in order; its words are in %s/pocpfd.log\n", r->report_dir);
}

static void real_free(world *w)
{
    real *r = (real *)w;
    r->settings.seen = unseen;
    daemon_down(r);
    radios_down(r);
    for (size_t i = 0; i < r->client_count; i++)
        radio_free(r->clients[i].radio);
    for (size_t i = 0; i < DEPLOYMENT_CHANNELS_MAX; i++)
        for (bcast_flow flow = 0; flow < BCAST_FLOW_COUNT; flow++)
            udp_close(r->listeners[i].flows[flow]);
    udp_close(r->attacker);
    udp_close(r->stranger);
    cf_free(r->cf);
    su_root_destroy(r->root);
    su_deinit();
    free(r);
}

static const world_ops real_ops = {
    .name = "real",
    .free = real_free,
    .channel = real_channel,
    .client = real_client_new,
    .bootstrap = real_bootstrap,
    .join = real_join,
    .leave = real_leave,
    .talk = real_talk,
    .floor = real_floor,
    .refer_expel = real_refer_expel,
    .cf_expel = real_cf_expel,
    .cf_end = real_cf_end,
    .operate = real_operate,
    .net = real_net,
    .strike = real_strike,
    .disk = real_disk,
    .crash = real_crash,
    .restart = real_restart,
    .run = real_run,
    .now_us = real_now_us,
};

static void copy(char *to, size_t cap, const char *from)
{
    snprintf(to, cap, "%s", from != NULL ? from : "");
}

poc_err world_real(world **out, const world_settings *settings)
{
    real *r = calloc(1, sizeof(*r));
    *out = NULL;
    if (r == NULL)
        return POC_E_NOMEM;
    signal(SIGPIPE, SIG_IGN);
    r->base.ops = &real_ops;
    r->settings = *settings;
    copy(r->report_dir, sizeof(r->report_dir), settings->report_dir);
    copy(r->program_dir, sizeof(r->program_dir), settings->program_dir);
    copy(r->pf_uri, sizeof(r->pf_uri), settings->pf_uri);
    copy(r->pf_config, sizeof(r->pf_config), settings->pf_config);
    r->start_us = clock_us();
    if (su_init() != 0 || (r->root = su_root_create(NULL)) == NULL) {
        free(r);
        return POC_E_IO;
    }
    (void)su_root_threading(r->root, 0); /* nua's stack runs in this thread: one clock for all observations */
    *out = &r->base;
    return POC_OK;
}
