/* A key management service on a desk: a NAF, an engine with three services, users that are bootstrapped, and a shell that
 * carries out what the engine says. The clock is turned by hand. */
#ifndef TESTS_UNIT_WIRE_DESK_H
#define TESTS_UNIT_WIRE_DESK_H

#include "pf/wire/wire.h"
#include "tests/support/rng.h"

#define DESK_FQDN     "pf1.poc.example.org"
#define DESK_ALICE    "sip:alice@example.org"
#define DESK_ALICE_2  "sip:dispatcher@example.org" /* her second identity */
#define DESK_BOB      "sip:bob@example.org"
#define DESK_FIRE     "urn:pocpf:fire"          /* no PoC session, everybody whom GBA authenticates */
#define DESK_LIST     "urn:pocpf:list"          /* no PoC session, Alice is in its list */
#define DESK_DISPATCH "sip:dispatch@cf.example" /* a PoC session */
#define DESK_FIRE_MSK 0x10010001u

#define DESK_REGISTER   "/keymanagement?requesttype=register"
#define DESK_DEREGISTER "/keymanagement?requesttype=deregister"
#define DESK_MSK        "/keymanagement?requesttype=msk-request"

enum { DESK_KEY_LIFE_S = 3600, DESK_NONCE_LIFE_S = 300, DESK_RENEW_S = 300, DESK_RATE = 5, DESK_MEMBERS_MAX = 2 };

typedef struct desk_user {
    const char *impi, *btid;
    gba_mbms_keys keys;
    gba_ua_client client;
} desk_user;

typedef struct desk {
    test_rng chance;
    poc_rng rng;
    int64_t now_ms;
    gba_naf *naf;
    pocpf *pf;
    pocpf_secret *store_key;
    wire_keyman *k;
    wire_keyman_rules rules;
    desk_user alice, bob;
    char challenge[GBA_HEADER_MAX], authorization[GBA_HEADER_MAX];
    const char *intended; /* X-3GPP-Intended-Identity of the next request, NULL: none */
    const char *address;  /* where requests come from */
    unsigned pushes;
    uint32_t pushed_msk; /* of the last push */
    char pushed_to[POCPF_ADDRESS_MAX + 1];
    wire_keyman_answer answer;
} desk;

/** Everything up, both users known to the NAF. POC_E_NOMEM leaves the desk empty. */
poc_err desk_new(desk *d);
void desk_done(desk *d);
/** A (further) bootstrap of this user, told to the NAF. */
poc_err desk_learn(desk *d, desk_user *u, const char *btid, uint8_t key_octet, int64_t life_s);
/** Carries out all effects. */
poc_err desk_run(desk *d);
/** Serves a request of `u` with a fresh challenge and a right answer to it. POC_E_STATE: Zn would be asked. */
poc_err desk_ask(desk *d, desk_user *u, const char *target, const char *type, const char *body);
/** Serves one with d->authorization as it stands. */
wire_keyman_outcome desk_serve(desk *d, const char *method, const char *target, const char *type, const char *body);
/** A fresh challenge, as the service gives it; then u's answer to the one in d->challenge. */
poc_err desk_challenge(desk *d);
poc_err desk_authorize(desk *d, desk_user *u, const char *target, const char *body);
/** The media type that goes with the target. */
const char *desk_type(const char *target);
/** All that can be seen of the engine, as text. */
void desk_look(const desk *d, char *out, size_t cap);

#endif
