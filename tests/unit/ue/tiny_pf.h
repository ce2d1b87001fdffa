/* The least a radio needs opposite itself on loopback: a BSF behind real HTTP, a SIP peer that challenges with the GBA realm
 * and offers what it is told, and a sender to the group. */
#ifndef TESTS_UNIT_UE_TINY_PF_H
#define TESTS_UNIT_UE_TINY_PF_H

#include <sofia-sip/su_wait.h>

#include "pair.h"

typedef struct tiny_pf tiny_pf;

/** `address`: "127.0.0.1" or "::1", of SIP and of the sender; `transport`: "tcp", "udp" or "both" (of which its
 *  URI says UDP). */
tiny_pf *tiny_pf_new(su_root_t *root, pair *p, const char *address, const char *transport);
void tiny_pf_free(tiny_pf *pf);
const char *tiny_pf_uri(const tiny_pf *pf);
const char *tiny_pf_bsf_url(const tiny_pf *pf);
/** Sends the offer in an UPDATE or re-INVITE. */
void tiny_pf_offer(tiny_pf *pf, const char *sdp, bool by_update);
void tiny_pf_bye(tiny_pf *pf);
/** Puts what is in the air of the pair onto the group (of digest example B or D, from its own address). */
void tiny_pf_transmit(tiny_pf *pf);

/** Everything that is neither of a session nor of its participants, once whoever sent it has proved who he is where `challenges`:
 *  true when `serve` has answered it, or never will; it owns `irq` then. */
struct nta_incoming_s;
struct nta_agent_s;
struct sip_s;
typedef bool tiny_pf_serve_fn(void *user, struct nta_incoming_s *irq, struct sip_s const *sip);
void tiny_pf_others(tiny_pf *pf, bool challenges, tiny_pf_serve_fn *serve, void *user);
struct nta_agent_s *tiny_pf_agent(tiny_pf *pf);
/** Where clients of sessions to come send their floor messages. */
void tiny_pf_floor(tiny_pf *pf, uint16_t port);

/** What was seen; read freely. */
typedef struct tiny_pf_seen {
    unsigned challenged, authorized, acked, byed, referred;
    unsigned answer_status;      /* of the last offer; 0: none yet */
    char answer[PAIR_OFFER_MAX]; /* its body */
    char offer[PAIR_OFFER_MAX];  /* of the INVITE */
    char warning[256], refer_to[256], allow[256], preferred_identity[256], user_agent[128], accept_contact[128];
} tiny_pf_seen;
tiny_pf_seen *tiny_pf_look(tiny_pf *pf);

#endif
