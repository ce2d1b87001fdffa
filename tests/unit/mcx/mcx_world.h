/* One of the two families of messages in tests/vectors/mikey-sakke.json with everybody who sends or receives in it. */
#ifndef TESTS_UNIT_MCX_MCX_WORLD_H
#define TESTS_UNIT_MCX_MCX_WORLD_H

#include "tests/unit/mcx/mcx_vectors.h"

#define MCX_PARTIES_MAX 4u

typedef struct mcx_world {
    const json_t *messages;
    vec_bytes z, kpak;
    mcx_certificate kms;
    mcx_sakke *sakke;
    mcx_verifier *verifier;
    mcx_identity parties[MCX_PARTIES_MAX];
    mcx_receiver *receivers[MCX_PARTIES_MAX];
    mcx_signer *signers[MCX_PARTIES_MAX];
    size_t party_count;
} mcx_world;

/** `family`: "ts33180_own" or "field_messages". Borrows `vectors`; `w` must not move. */
void mcx_world_open(mcx_world *w, const json_t *vectors, const char *family);
void mcx_world_close(mcx_world *w);
const mcx_identity *mcx_world_party(const mcx_world *w, poc_span uri);

/** What the receiver of `message` should hold it against: at its own time, from its own sender, all key types. */
mcx_expected mcx_world_expects(const mcx_world *w, const json_t *message, const mikey_msg *msg);
/** Signs an altered message anew with the key of `who`. */
void mcx_world_resign(const mcx_identity *who, vec_bytes *octets);

#endif
