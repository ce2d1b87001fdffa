#include "tests/harness/ue_seen.h"

#include <string.h>

#include "bcast/bcast.h"

world_seen ue_seen(int client, const pocue_event *e)
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
        [POCUE_REGISTERED] = WORLD_REGISTERED,
        [POCUE_DEREGISTERED] = WORLD_DEREGISTERED,
        [POCUE_GRANTED] = WORLD_GRANTED,
        [POCUE_DENIED] = WORLD_DENIED,
        [POCUE_BOOTSTRAP_NEEDED] = WORLD_BOOTSTRAP_NEEDED,
        [POCUE_SERVICE_LEFT] = WORLD_SERVICE_LEFT,
        [POCUE_MCX_KEY] = WORLD_KEY,
        [POCUE_MCX_REVOKED] = WORLD_REVOKED,
        [POCUE_MCX_ALGORITHM] = WORLD_ALGORITHM,
        [POCUE_MCX_MAPPED] = WORLD_MAPPED,
    };
    world_seen seen = { .what = whats[e->type],
                        .client = client,
                        .by_multicast = e->by_multicast,
                        .status = e->status,
                        .mki = e->mki,
                        .ssrc = e->ssrc,
                        .timestamp = e->timestamp,
                        .seq = e->seq };
    bcast_mbcp floor;
    if (e->msk_id != 0)
        seen.mki = (poc_mki){ e->msk_id, 0 };
    if (e->key_id != 0)
        seen.mki = (poc_mki){ e->key_id, 0 };
    if (e->type == POCUE_MCX_KEY && e->key_id >> 28 == MCX_CSK)
        seen.what = WORLD_CSK;
    if (e->type == POCUE_MCX_ALGORITHM)
        seen.status = e->algorithm.key_len;
    if (e->type == POCUE_PLAY) {
        seen.payload_len = (uint16_t)(e->payload.n < WORLD_PAYLOAD_MAX ? e->payload.n : WORLD_PAYLOAD_MAX);
        memcpy(seen.payload, e->payload.p, seen.payload_len);
    }
    if (e->type == POCUE_FLOOR && bcast_mbcp_parse(&floor, e->payload) == POC_OK)
        seen.status = floor.type;
    return seen;
}
