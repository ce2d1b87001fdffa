/* A mission critical user. Private to ue/api. */
#ifndef UE_API_MCX_INSIDE_H
#define UE_API_MCX_INSIDE_H

#include "ue/api/inside.h"

#define MCX_CLIENT_TEXT_MAX 256u

typedef struct mcx_bearer {
    ue_mcx_bearer said;
    bool is_joined; /* POCUE_JOIN_GROUP was told, for `joined` */
    bcast_channel joined;
} mcx_bearer;

struct mcx_client {
    ue_mcx_user *user;
    ue_mcx_ring *ring;
    mcx_service service;
    char client_id[MCX_CLIENT_TEXT_MAX], csk_name[MCX_CLIENT_TEXT_MAX]; /* empty: none */
    mcx_algorithm supported[MCX_OFFER_MAX];                             /* at least one */
    size_t supported_count;
    bool says_algorithms, hides_identities, to_self, token_in_clear;
    bool has_told; /* `told` is the algorithm that the owner knows to be in force */
    mcx_algorithm told;
    uint64_t ticked_s;
    mcx_bearer bearers[POCUE_MCX_BEARERS_MAX]; /* oldest first */
    size_t bearer_count;
    pocue_mcx_mapping mappings[POCUE_MCX_MAPPINGS_MAX]; /* oldest first */
    size_t mapping_count;
    uint64_t refused; /* packets */
};

static inline uint64_t mcx_seconds_of(int64_t now_ms)
{
    return (uint64_t)now_ms / 1000;
}

/** Whoever has a MuSiK listens to what was announced, and nobody else does. For want of memory it is done later. */
void ue_mcx_bearers_follow(pocue *ue, int64_t now_ms);
/** A clear message of subchannel control, which was protected by a MuSiK. POC_E_INPUT. */
poc_err ue_mcx_mapping_take(mcx_client *m, poc_span packet);
#define MCX_BOUNDARY_MAX 40u
/** A boundary of a multipart body. POC_E_IO. */
poc_err ue_mcx_boundary_draw(char out[MCX_BOUNDARY_MAX], const pocue *ue);
/** Time has passed, or keys have changed. */
void ue_mcx_move_on(pocue *ue, int64_t now_ms);

#endif
