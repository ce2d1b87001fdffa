/* An engine for mission critical services with a KMS of its own, clients that upload keys and open downloads, and a store
 * that can fail. The KMS and two of its identities are those of tests/vectors/mikey-sakke.json. */
#ifndef TESTS_UNIT_CORE_MCX_OFFICE_H
#define TESTS_UNIT_CORE_MCX_OFFICE_H

#include "base/table.h"
#include "pocpf/pocpf.h"
#include "tests/support/rng.h"
#include "tests/unit/mcx/mcx_vectors.h"

#define OFFICE_NOW_MS 1772323200000 /* of the messages among the vectors */
#define MDSI          "mcx.example.org"
#define ALICE_ID      "sip:alice@mcptt.example.org"
#define BOB_ID        "sip:bob@mcptt.example.org"
#define ALICE_IMPU    "sip:alice@ims.example"
#define OTHER_KMS     "kms.elsewhere.example"
#define GUEST_ID      "sip:guest@elsewhere.example"
#define GUEST_IMPU    "sip:guest@ims.example"
#define BOB_IMPU      "sip:bob@ims.example"

/** Somebody with keys of the KMS. */
typedef struct mcx_person {
    char uri[64];
    mcx_receiver *receiver;
    mcx_signer *signer;
    mcx_identity identity;
} mcx_person;

/** What all tests share, for it takes long to make. */
typedef struct mcx_town {
    json_t *vectors;
    mcx_kms *kms;
    mcx_sakke *sakke;
    mcx_certificate certificate;
    pocpf_mcx_keys *server;
    mcx_person alice, bob, server_person;
    mcx_kms *other_kms;
    mcx_sakke *other_sakke;
    mcx_certificate other_certificate;
    mcx_person guest; /* of the other KMS */
} mcx_town;

int town_open(void **state);
int town_close(void **state);

typedef struct office_download {
    uint64_t number;
    uint32_t key_id;
    char user[64], mc_id[64];
    uint8_t octets[MIKEY_MESSAGE_MAX];
    size_t len;
} office_download;

typedef struct office {
    mcx_town *town;
    pocpf *pf;
    pocpf_settings set;
    pocpf_host host;
    test_rng chance;
    poc_rng rng;
    int64_t now_ms;
    poc_table store;
    uint8_t clock[16]; /* the record of the clock, which is in none of the counts */
    size_t clock_len;
    bool store_fails, store_holds, is_nobody;
    char text[2048]; /* what was done, a word each */
    uint32_t air_id;
    uint8_t air_key[16], air_rand[16];
    bool answers;                 /* clients take every download at once */
    const pocpf_channel *channel; /* to be added; NULL: none */
    bool keeps_revoked;           /* clients do not answer revocations */
    office_download download;     /* the last that gives a key */
    office_download revocation;   /* the last of those */
    unsigned downloads, revocations, writes;
    uint32_t told, to_tell; /* that the last key is revoked, as the audit log has it */
    size_t spreads, slices;
    uint8_t service; /* of what is uploaded */
    mcx_verifier *verifier;
} office;

office *office_new(mcx_town *town);
/** For the host: each slice on a thread of its own. */
void office_spread(void *user, void (*work)(void *ctx, size_t slice), void *ctx, size_t slices);
void office_boot(office *o);
void office_crash(office *o);
/** Gives the engine its identity; at the start unless `is_nobody`. */
void office_identify(office *o);
void office_free(office *o);
/** Carries out what there is to do. */
void office_run(office *o);
/** What was done since the last call. */
void office_expect(office *o, const char *text);

/** A CSK upload of `person` with this key id and these algorithms. */
size_t office_seal(office *o, const mcx_person *person, uint32_t id, const mcx_algorithm *algorithms, size_t n,
                   uint8_t out[MIKEY_MESSAGE_MAX]);
pocpf_err office_upload(office *o, const char *impu, const char *mc_id, const uint8_t *octets, size_t len,
                        const char **why);
/** Seals and uploads with the default algorithm. */
pocpf_err office_bring(office *o, const mcx_person *person, const char *impu, uint32_t id);
/** Alice's, in force from and until these times (0: not said). */
pocpf_err office_bring_timed(office *o, uint32_t id, uint64_t activation_s, uint64_t expiry_s);
/** Opens the last download as `person`. */
poc_err office_open(office *o, const mcx_person *person, mcx_opened *out);
/** The same with any of them. */
poc_err office_read(office *o, const mcx_person *person, const office_download *d, mcx_opened *out);

#endif
