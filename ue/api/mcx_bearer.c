/* MBMS bearers: which are announced, which are listened to, and media off them. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mime.h"
#include "bcast/bcast.h"
#include "ue/api/mcx_inside.h"

/* ---- groups that are joined ---- */

static bool tell(pocue *ue, int64_t now_ms, pocue_event_type type, const bcast_channel *channel)
{
    if (ue_events_reserve(&ue->events, 1) != POC_OK)
        return false;
    ue_events_push(&ue->events, &(pocue_event){ .type = type, .at_ms = now_ms, .channel = *channel, .is_mcx = true });
    return true;
}

static void leave(pocue *ue, int64_t now_ms, mcx_bearer *b)
{
    if (b->is_joined && tell(ue, now_ms, POCUE_LEAVE_GROUP, &b->joined))
        b->is_joined = false;
}

static void join(pocue *ue, int64_t now_ms, mcx_bearer *b)
{
    if (b->is_joined || !tell(ue, now_ms, POCUE_JOIN_GROUP, &b->said.channel))
        return;
    b->is_joined = true;
    b->joined = b->said.channel;
}

static bool is_over(const mcx_bearer *b)
{
    return b->said.area_count == 0;
}

static void bearer_forget(mcx_client *m, size_t at)
{
    m->bearer_count--;
    memmove(&m->bearers[at], &m->bearers[at + 1], (m->bearer_count - at) * sizeof(m->bearers[0]));
}

void ue_mcx_bearers_follow(pocue *ue, int64_t now_ms)
{
    mcx_client *m = ue->mcx;
    const bool hears = ue_mcx_ring_hears(m->ring, mcx_seconds_of(now_ms));
    for (size_t i = m->bearer_count; i > 0; i--) {
        mcx_bearer *b = &m->bearers[i - 1];
        const bool wanted = hears && b->said.has_channel && !is_over(b);
        if (!wanted || !ue_channel_eq(&b->joined, &b->said.channel))
            leave(ue, now_ms, b);
        if (wanted)
            join(ue, now_ms, b);
        if (is_over(b) && !b->is_joined)
            bearer_forget(m, i - 1);
    }
}

/* ---- announcements ---- */

static mcx_bearer *bearer_of(mcx_client *m, const uint8_t tmgi[UE_MCX_TMGI_LEN])
{
    for (size_t i = 0; i < m->bearer_count; i++) {
        if (memcmp(m->bearers[i].said.tmgi, tmgi, UE_MCX_TMGI_LEN) == 0)
            return &m->bearers[i];
    }
    return NULL;
}

/* A description replaces the former one; without, that one stays (TS 24.379 14.2). */
static void bearer_renew(mcx_bearer *b, const ue_mcx_bearer *said)
{
    const bool had_channel = b->said.has_channel;
    const bcast_channel channel = b->said.channel;
    b->said = *said;
    if (said->has_channel)
        return;
    b->said.has_channel = had_channel;
    b->said.channel = channel;
}

static poc_err bearer_take(mcx_client *m, const ue_mcx_bearer *said, const char **why)
{
    mcx_bearer *b = bearer_of(m, said->tmgi);
    if (b == NULL && said->area_count == 0)
        return POC_OK;
    if (b == NULL && m->bearer_count == POCUE_MCX_BEARERS_MAX) {
        *why = "too many bearers";
        return POC_E_LIMIT;
    }
    if (b == NULL) {
        b = &m->bearers[m->bearer_count++];
        memset(b, 0, sizeof(*b));
    }
    bearer_renew(b, said);
    return POC_OK;
}

static poc_err announcement_take(pocue *ue, poc_span content_type, poc_span body, const char **why)
{
    ue_mcx_bearer said;
    POC_TRY(ue_mcx_announcement_read(&said, ue->mcx->service, content_type, body, why));
    return bearer_take(ue->mcx, &said, why);
}

static pocue_reply reply_to(poc_err err)
{
    if (err == POC_OK)
        return (pocue_reply){ 200, NULL };
    if (err == POC_E_INPUT)
        return (pocue_reply){ 488, "399 the announcement is not understood, or carries a key" };
    return (pocue_reply){ 500, NULL };
}

poc_err pocue_mcx_announced(pocue *ue, int64_t now_ms, poc_span content_type, poc_span body, pocue_reply *reply,
                            const char **why)
{
    const char *reason = NULL;
    poc_err err = POC_E_STATE;
    if (ue->mcx != NULL)
        err = announcement_take(ue, content_type, body, &reason);
    if (err == POC_OK)
        ue_mcx_move_on(ue, now_ms);
    *reply = reply_to(err);
    if (why != NULL)
        *why = reason;
    return err;
}

poc_err pocue_mcx_message(pocue *ue, int64_t now_ms, poc_span content_type, poc_span body, pocue_reply *reply,
                          const char **why)
{
    if (ue->mcx != NULL && ue_mcx_is_announcement(ue->mcx->service, content_type, body))
        return pocue_mcx_announced(ue, now_ms, content_type, body, reply, why);
    return pocue_mcx_download(ue, now_ms, content_type, body, reply, why);
}

size_t pocue_mcx_bearers(const pocue *ue, pocue_mcx_bearer *out, size_t cap)
{
    const size_t count = ue->mcx == NULL ? 0 : ue->mcx->bearer_count;
    for (size_t i = 0; i < count && i < cap; i++) {
        const mcx_bearer *b = &ue->mcx->bearers[i];
        out[i] = (pocue_mcx_bearer){ .qci = b->said.qci,
                                     .area_count = b->said.area_count,
                                     .has_channel = b->said.has_channel,
                                     .channel = b->said.channel,
                                     .is_listened = b->is_joined };
        memcpy(out[i].tmgi, b->said.tmgi, sizeof(out[i].tmgi));
        memcpy(out[i].areas, b->said.areas, sizeof(out[i].areas));
    }
    return count;
}

/* ---- reports ---- */

#define DOCUMENT_MAX 2048u

static poc_err type_put(char content_type[96], const char *before, const char *text)
{
    poc_wr type = poc_wr_into(content_type, 96);
    poc_wr_fmt(&type, "%s%s", before, text);
    return poc_wr_text(&type);
}

/* Whoever can be believed about where he is signs it (MCX-12). */
static poc_err signed_put(const pocue *ue, poc_span report, uint32_t csk_id, char content_type[96], poc_wr *body)
{
    char boundary[MCX_BOUNDARY_MAX], content_id[MCX_BOUNDARY_MAX + 16], bracketed[sizeof(content_id) + 2];
    uint8_t document[DOCUMENT_MAX];
    const mcx_service which = ue->mcx->service;
    poc_wr wr = poc_wr_into(document, sizeof(document));
    POC_OWNED(poc_secret, confidentiality, poc_secret_free);
    POC_OWNED(poc_secret, integrity, poc_secret_free);
    POC_TRY(pocue_mcx_xml_keys(ue, ue->now_ms, csk_id, &confidentiality, &integrity));
    POC_TRY(ue_mcx_boundary_draw(boundary, ue));
    snprintf(content_id, sizeof(content_id), "%s@ue.invalid", boundary + 1); /* the boundary may stand in no part */
    snprintf(bracketed, sizeof(bracketed), "<%s>", content_id);
    POC_TRY(ue_mcx_signed_write(&wr, which, content_id, report, integrity, csk_id));
    POC_TRY(type_put(content_type, "multipart/mixed;boundary=", boundary));
    const poc_part parts[] = {
        { .type = poc_span_str(ue_mcx_usage_type(which)), .id = poc_span_str(bracketed), .body = report },
        { .type = poc_span_str(ue_mcx_signed_type(which)), .body = poc_span_of(document, wr.len) },
    };
    return poc_parts_write(body, boundary, parts, POC_COUNT(parts));
}

static poc_err report_put(const pocue *ue, poc_span report, char content_type[96], poc_wr *body)
{
    const uint32_t csk_id = pocue_mcx_csk(ue, ue->now_ms);
    if (csk_id != 0)
        return signed_put(ue, report, csk_id, content_type, body);
    poc_wr_span(body, report);
    POC_TRY(type_put(content_type, ue_mcx_usage_type(ue->mcx->service), ""));
    return poc_wr_done(body);
}

poc_err pocue_mcx_listening_write(const pocue *ue, const uint8_t tmgi[POCUE_MCX_TMGI_LEN], bool is_listening,
                                  char content_type[96], poc_wr *body)
{
    uint8_t report[DOCUMENT_MAX];
    poc_wr wr = poc_wr_into(report, sizeof(report));
    if (ue->mcx == NULL)
        return POC_E_STATE;
    POC_TRY(ue_mcx_listening_write(&wr, ue->mcx->service, tmgi, is_listening));
    return report_put(ue, poc_span_of(report, wr.len), content_type, body);
}

/* ---- which groups are heard where ---- */

static size_t mapping_find(const mcx_client *m, poc_span group)
{
    size_t i = 0;
    while (i < m->mapping_count && !poc_span_eq_str(group, m->mappings[i].group))
        i++;
    return i;
}

static void mapping_forget(mcx_client *m, size_t at)
{
    if (at == m->mapping_count)
        return;
    m->mapping_count--;
    memmove(&m->mappings[at], &m->mappings[at + 1], (m->mapping_count - at) * sizeof(m->mappings[0]));
}

static void address_take(struct sockaddr_storage *out, const mcx_mcmc *msg, uint16_t port)
{
    memset(out, 0, sizeof(*out));
    out->ss_family = msg->address_len == sizeof(struct in_addr) ? AF_INET : AF_INET6;
    if (out->ss_family == AF_INET)
        memcpy(&((struct sockaddr_in *)out)->sin_addr, msg->address, sizeof(struct in_addr));
    else
        memcpy(&((struct sockaddr_in6 *)out)->sin6_addr, msg->address, sizeof(struct in6_addr));
    poc_addr_set_port((struct sockaddr *)out, port);
}

static void mapping_fill(pocue_mcx_mapping *out, const mcx_mcmc *msg)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->group, msg->group.p, msg->group.n); /* of at most MCX_GROUP_MAX octets */
    out->has_tmgi = msg->has_tmgi;
    memcpy(out->tmgi, msg->tmgi, sizeof(out->tmgi));
    address_take(&out->audio, msg, msg->audio_port);
    if (msg->floor_line > 0)
        address_take(&out->floor, msg, msg->floor_port);
}

poc_err ue_mcx_mapping_take(mcx_client *m, poc_span packet)
{
    mcx_mcmc msg;
    POC_TRY(mcx_mcmc_read(&msg, packet, NULL));
    if (memchr(msg.group.p, '\0', msg.group.n) != NULL)
        return POC_E_INPUT;
    mapping_forget(m, mapping_find(m, msg.group));
    if (msg.type == MCX_MCMC_UNMAP)
        return POC_OK;
    if (m->mapping_count == POCUE_MCX_MAPPINGS_MAX)
        mapping_forget(m, 0);
    mapping_fill(&m->mappings[m->mapping_count++], &msg);
    return POC_OK;
}

bool pocue_mcx_mapping_of(const pocue *ue, const char *group, pocue_mcx_mapping *out)
{
    const mcx_client *m = ue->mcx;
    const size_t at = m == NULL ? 0 : mapping_find(m, poc_span_str(group));
    if (m == NULL || at == m->mapping_count)
        return false;
    *out = m->mappings[at];
    return true;
}

/* ---- media ---- */

static poc_err media_take(pocue *ue, int64_t now_ms, poc_span packet)
{
    bcast_rtp rtp;
    POC_TRY(bcast_rtp_parse(&rtp, packet));
    if (!ue_mcx_ring_hears(ue->mcx->ring, mcx_seconds_of(now_ms)))
        return POC_E_STATE;
    if (!ue_heard_first(&ue->heard, rtp.ssrc, rtp.seq))
        return POC_E_STATE;
    ue_events_push(&ue->events, &(pocue_event){ .type = POCUE_PLAY,
                                                .at_ms = now_ms,
                                                .by_multicast = true,
                                                .is_mcx = true,
                                                .ssrc = rtp.ssrc,
                                                .timestamp = rtp.timestamp,
                                                .seq = rtp.seq,
                                                .payload_type = rtp.payload_type,
                                                .payload = rtp.payload });
    return POC_OK;
}

poc_err pocue_mcx_media(pocue *ue, int64_t now_ms, poc_span packet)
{
    if (ue->mcx == NULL)
        return POC_E_STATE;
    ue_mcx_move_on(ue, now_ms);
    const poc_err err = media_take(ue, now_ms, packet);
    if (err != POC_OK)
        ue->mcx->refused++;
    return err;
}

uint64_t pocue_mcx_refused(const pocue *ue)
{
    return ue->mcx == NULL ? 0 : ue->mcx->refused;
}
