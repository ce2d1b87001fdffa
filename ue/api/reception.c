/* The channels this client hears or holds keys of. */
#include <string.h>

#include "ue/api/inside.h"

reception *ue_reception_new(pocue *ue, ue_ring *ring)
{
    size_t at = 0;
    while (ue->receptions[at].ring != NULL)
        at++;
    ue->receptions[at] = (reception){ .ring = ring };
    return &ue->receptions[at];
}

reception *ue_reception_of_channel(pocue *ue, const bcast_channel *channel)
{
    for (size_t i = 0; i < RECEPTIONS_MAX; i++) {
        reception *r = &ue->receptions[i];
        if (r->ring != NULL && r->has_channel && ue_channel_eq(&r->channel, channel))
            return r;
    }
    return NULL;
}

static bool has_service(const pocue *ue, const reception *r)
{
    for (size_t i = 0; i < ue->service_count; i++)
        if (ue->services[i].reception == r)
            return true;
    return false;
}

bool ue_reception_is_session_only(const pocue *ue)
{
    return ue->session != NULL && !has_service(ue, ue->session);
}

void ue_reception_release(pocue *ue, int64_t now_ms, reception *r)
{
    if (r == NULL || r == ue->session || has_service(ue, r))
        return;
    ue_reception_leave(ue, now_ms, r);
    ue_ring_free(r->ring);
    memset(r, 0, sizeof(*r));
}

void ue_reception_leave(pocue *ue, int64_t now_ms, reception *r)
{
    if (!r->joined)
        return;
    r->joined = false;
    ue_events_push(&ue->events, &(pocue_event){ .type = POCUE_LEAVE_GROUP, .at_ms = now_ms, .channel = r->channel });
}

void ue_reception_join(pocue *ue, int64_t now_ms, reception *r, const bcast_channel *channel)
{
    if (r->joined && ue_channel_eq(&r->channel, channel))
        return;
    ue_reception_leave(ue, now_ms, r);
    r->joined = r->has_channel = true;
    if (channel != &r->channel)
        r->channel = *channel;
    ue_events_push(&ue->events, &(pocue_event){ .type = POCUE_JOIN_GROUP, .at_ms = now_ms, .channel = r->channel });
}

/* Each packet is played once, also when it comes by unicast as well: that is so in the PoC session only. */
ue_heard *ue_reception_heard(pocue *ue, reception *r)
{
    return r == ue->session ? &ue->heard : &r->heard;
}

/* A service that learnt its channel from the session loses it with the session. */
void ue_session_let_go(pocue *ue, int64_t now_ms)
{
    reception *r = ue->session;
    if (r == NULL)
        return;
    for (size_t i = 0; i < ue->service_count; i++)
        if (ue->services[i].reception == r && !ue->services[i].has_channel)
            ue->services[i].reception = NULL;
    r->heard = ue->heard;
    ue->session = NULL;
    ue_reception_release(ue, now_ms, r);
}
