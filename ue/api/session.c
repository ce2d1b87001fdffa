#include <stdlib.h>
#include <string.h>

#include "ue/api/inside.h"

static ue_speaker speaker(const pocue *ue, const pocue_local *local, uint64_t version)
{
    return (ue_speaker){ .audio = (const struct sockaddr *)&local->audio,
                         .floor = (const struct sockaddr *)&local->floor,
                         .session_id = ue->sdp_id,
                         .version = version,
                         .multicast_capable = ue->multicast_capable };
}

/* ---- the client offers ---- */

poc_err pocue_offer_write(pocue *ue, const pocue_local *local, poc_wr *sdp)
{
    ue_speaker who = speaker(ue, local, ue->sdp_version + 1);
    POC_TRY(ue_invite_write(sdp, &who));
    ue->sdp_version++;
    ue->sdp_lines = 2;
    return POC_OK;
}

poc_err pocue_bearer_write(pocue *ue, const pocue_local *local, bool receives, poc_wr *sdp)
{
    ue_offer last;
    const char *warning;
    if (ue->offer == NULL)
        return POC_E_STATE;
    POC_TRY(ue_offer_parse(&last, poc_span_of(ue->offer, ue->offer_len), &warning));
    if (!last.multicast)
        return POC_E_STATE;
    ue_speaker who = speaker(ue, local, ue->sdp_version + 1);
    POC_TRY(ue_lines_write(sdp, &who, &last, receives, NULL));
    ue->sdp_version++;
    ue->sdp_lines = last.sdp.media_count;
    return POC_OK;
}

/* The PF agrees to what was offered; keys never come in an answer (RFC 4567), so they are kept as they are. */
poc_err pocue_answer_read(pocue *ue, poc_span sdp)
{
    static const bcast_channel none;
    ue_offer answer;
    POC_TRY(ue_events_reserve(&ue->events, EVENTS_SPARE));
    POC_TRY(ue_answer_parse(&answer, sdp, ue->session != NULL ? &ue->session->channel : &none));
    if (answer.sdp.media_count != ue->sdp_lines || answer.audio.ss_family == AF_UNSPEC)
        return POC_E_INPUT;
    if (answer.multicast && ue->session == NULL)
        return POC_E_INPUT;
    ue->peer_audio = answer.audio;
    ue->peer_floor = answer.floor;
    if (answer.multicast)
        ue_reception_join(ue, ue->now_ms, ue->session, &ue->session->channel);
    else if (ue->session != NULL)
        ue_reception_leave(ue, ue->now_ms, ue->session);
    return POC_OK;
}

/* ---- the PF offers ---- */

typedef struct exchange {
    ue_offer offer;
    bool takes_channel;
    ue_key_message message[UE_KEY_MESSAGES_MAX];
    ue_verification verification[UE_KEY_MESSAGES_MAX];
    size_t opened;
    reception *into;      /* whose keys these are; NULL: a channel that is new to the client */
    ue_ring *ring;        /* then a fresh one */
    char *text, *written; /* copies of offer and answer */
    size_t written_len;
} exchange;

static void exchange_done(exchange *x)
{
    for (size_t i = 0; i < x->opened; i++)
        ue_key_message_done(&x->message[i]);
    ue_ring_free(x->ring);
    free(x->text);
    free(x->written);
}

static poc_err refuse(pocue_reply *reply, const char *warning)
{
    reply->warning = warning;
    return POC_E_DENIED;
}

/* What a message that does not open means to the PF; NULL: our own trouble, no refusal. */
static const char *key_warning(poc_err err)
{
    switch (err) {
    case POC_E_INPUT:
        return UE_WARN_NOT_UNDERSTOOD;
    case POC_E_AUTH:
        return "399 gba-bootstrap: key-mgmt does not hold under this MUK";
    case POC_E_STATE:
        return "399 gba-bootstrap: no MUK for this key-mgmt";
    case POC_E_DENIED:
        return "399 key-mgmt is a replay";
    default:
        return NULL;
    }
}

/* RFC 4567 7: the list of protocols seen must be the one the message authenticates. */
static const char *sdp_ids_warning(const pocue *ue, const mikey_msg *msg, const ue_key_mgmt *from)
{
    if (!msg->has_sdp_ids)
        return ue->require_sdp_ids ? "399 key-mgmt without SDP IDs" : NULL;
    return poc_span_eq_str(msg->sdp_ids, from->protocols) ? NULL : "399 key-mgmt authenticates other SDP IDs";
}

static poc_err message_open(pocue *ue, int64_t now_ms, exchange *x, size_t i, pocue_reply *reply)
{
    const ue_key_mgmt *from = &x->offer.key_mgmt[i];
    ue_key_message *m = &x->message[i];
    poc_err err = ue_muks_open(ue->muks, now_ms, poc_span_of(from->raw, from->raw_len), m, NULL);
    if (err != POC_OK)
        return key_warning(err) == NULL ? err : refuse(reply, key_warning(err));
    x->opened++;
    const char *warning = sdp_ids_warning(ue, &m->msg, from);
    if (warning != NULL)
        return refuse(reply, warning);
    if (m->msk.msk == NULL)
        return refuse(reply, "399 key-mgmt without a key");
    if (!poc_key_domain_eq(m->msk.key_domain, x->message[0].msk.key_domain))
        return refuse(reply, "399 key-mgmt of different key domains");
    if (!m->msg.wants_verification)
        return POC_OK;
    poc_wr wr = poc_wr_into(x->verification[i].octets, sizeof(x->verification[i].octets));
    POC_TRY(mikey_verification_seal(&wr, &m->msg, m->muk));
    POC_TRY(poc_wr_done(&wr));
    x->verification[i].len = wr.len;
    return POC_OK;
}

/* A service may hold keys before the session tells where its channel is. */
static reception *reception_without_channel(pocue *ue, const mikey_msk *msk)
{
    service *s = ue_service_of_key(ue, msk->key_domain, msk->msk_id);
    reception *r = s == NULL ? NULL : s->reception;
    return r != NULL && !r->has_channel ? r : NULL;
}

static poc_err reception_find(pocue *ue, exchange *x)
{
    const mikey_msk *msk = &x->message[0].msk;
    x->into = ue_reception_of_channel(ue, &x->offer.channel);
    if (x->opened == 0)
        return POC_OK;
    if (x->into != NULL && !ue_ring_serves(x->into->ring, msk->key_domain))
        x->into = NULL;
    if (x->into == NULL)
        x->into = reception_without_channel(ue, msk);
    return x->into != NULL ? POC_OK : ue_ring_new(&x->ring, msk->key_domain, ue->msks_per_group);
}

static poc_err messages_open(pocue *ue, int64_t now_ms, exchange *x, pocue_reply *reply)
{
    for (size_t i = 0; i < x->offer.key_mgmt_count; i++)
        POC_TRY(message_open(ue, now_ms, x, i, reply));
    POC_TRY(reception_find(ue, x));
    if (x->opened == 0 && x->into == NULL)
        return refuse(reply, "399 multicast channel without key-mgmt");
    x->offer.channel.key_domain = x->opened > 0 ? x->message[0].msk.key_domain : x->into->channel.key_domain;
    return POC_OK;
}

static poc_err texts_keep(exchange *x, poc_span offer, poc_span answer)
{
    x->text = malloc(offer.n + 1);
    x->written = malloc(answer.n + 1);
    if (x->text == NULL || x->written == NULL)
        return POC_E_NOMEM;
    memcpy(x->text, offer.p, offer.n);
    memcpy(x->written, answer.p, answer.n);
    x->written_len = answer.n;
    return POC_OK;
}

/* The session's own place is used again: listening goes on without a break when only the key domain is another. */
static reception *reception_place(pocue *ue, ue_ring *ring)
{
    if (!ue_reception_is_session_only(ue))
        return ue_reception_new(ue, ring);
    ue_ring_free(ue->session->ring);
    ue->session->ring = ring;
    return ue->session;
}

static poc_err keys_install(pocue *ue, exchange *x)
{
    ue_ring *ring = x->ring != NULL ? x->ring : x->into->ring;
    for (size_t i = 0; i < x->opened; i++)
        if (!x->message[i].duplicate)
            POC_TRY(ue_ring_add(ring, &x->message[i]));
    ue_muks_accept(ue->muks, x->message, x->opened);
    if (x->ring != NULL)
        x->into = reception_place(ue, x->ring);
    x->ring = NULL;
    return POC_OK;
}

static void channel_follow(pocue *ue, int64_t now_ms, exchange *x)
{
    reception *former = ue->session;
    if (!x->takes_channel) {
        ue_session_let_go(ue, now_ms);
        return;
    }
    ue->session = x->into;
    if (former != ue->session)
        ue_reception_release(ue, now_ms, former);
    ue_reception_join(ue, now_ms, ue->session, &x->offer.channel);
    for (size_t i = 0; i < x->opened; i++)
        if (i == 0 || memcmp(x->message[i].digest, x->message[i - 1].digest, POC_SHA256_LEN) != 0)
            ue_key_message_tell(ue, now_ms, ue->session, &x->message[i]);
}

/* From here on the offer is accepted. */
static void exchange_commit(pocue *ue, int64_t now_ms, exchange *x, size_t offer_len)
{
    ue->sdp_version++;
    ue->sdp_lines = x->offer.sdp.media_count;
    ue->peer_audio = x->offer.audio;
    ue->peer_floor = x->offer.floor;
    channel_follow(ue, now_ms, x);
    free(ue->offer);
    free(ue->answer);
    ue->offer = x->text;
    ue->offer_len = offer_len;
    ue->answer = x->written;
    ue->answer_len = x->written_len;
    x->text = x->written = NULL;
}

static poc_err exchange_run(pocue *ue, int64_t now_ms, exchange *x, const pocue_local *local, poc_span offer,
                            poc_wr *answer, pocue_reply *reply)
{
    ue_speaker who = speaker(ue, local, ue->sdp_version + 1);
    size_t begin = answer->len;
    if (ue_offer_parse(&x->offer, offer, &reply->warning) != POC_OK)
        return POC_E_DENIED;
    x->takes_channel = x->offer.multicast && ue->multicast_capable;
    if (x->takes_channel)
        POC_TRY(messages_open(ue, now_ms, x, reply));
    POC_TRY(ue_lines_write(answer, &who, &x->offer, x->takes_channel, x->opened > 0 ? x->verification : NULL));
    POC_TRY(texts_keep(x, offer, poc_span_of(answer->buf + begin, answer->len - begin)));
    POC_TRY(ue_events_reserve(&ue->events, EVENTS_SPARE));
    if (x->takes_channel)
        POC_TRY(keys_install(ue, x));
    exchange_commit(ue, now_ms, x, offer.n);
    return POC_OK;
}

static bool is_repeated(const pocue *ue, poc_span offer)
{
    return ue->offer != NULL && poc_span_eq(offer, poc_span_of(ue->offer, ue->offer_len));
}

poc_err pocue_offer_read(pocue *ue, int64_t now_ms, const pocue_local *local, poc_span offer, poc_wr *answer,
                         pocue_reply *reply)
{
    ue->now_ms = now_ms;
    *reply = (pocue_reply){ .status = 200 };
    if (is_repeated(ue, offer)) {
        poc_wr_put(answer, ue->answer, ue->answer_len);
        return poc_wr_done(answer);
    }
    exchange *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return POC_E_NOMEM;
    size_t begin = answer->len;
    poc_err err = exchange_run(ue, now_ms, x, local, offer, answer, reply);
    exchange_done(x);
    free(x);
    if (err == POC_OK)
        return POC_OK;
    answer->len = begin;
    reply->status = 488;
    return err == POC_E_DENIED ? POC_OK : err;
}
