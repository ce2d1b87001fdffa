/* The service authorisation desk with an engine behind it and clients in front: those of tests/vectors/mikey-sakke.json, who
 * upload keys with documents beside them. */
#ifndef TESTS_UNIT_WIRE_BUREAU_H
#define TESTS_UNIT_WIRE_BUREAU_H

#include "pf/wire/wire.h"
#include "tests/unit/core/mcx_office.h"

#define CSK(n)           (0x20000000u + (n))
#define ALICE_TOKEN      "the token of alice"
#define BOB_TOKEN        "the token of bob"
#define BUREAU_WHERE     "sip:alice@192.0.2.7:5060"
#define BUREAU_EXPIRES_S 600u
#define BUREAU_PARTS_MAX 8u
#define BUREAU_ROOM      32768u
#define NORTH_TMGI       "\x00\x00\x01\x62\xf2\x10"

/** A CSK as its client has it, and the message that brings it. */
typedef struct bureau_key {
    uint32_t id;
    poc_secret *csk;
    poc_secret *xml[2]; /* for content and for signatures, of the user who sealed it */
    wire_mcx_keys keys;
    uint8_t octets[MIKEY_MESSAGE_MAX];
    size_t len;
} bureau_key;

/** How a message differs from a plain one. */
typedef struct bureau_oddity {
    const char *server; /* NULL: MDSI */
    uint8_t cs_id;      /* 0: no map */
    bool offers_256;    /* AES-256 as well, in a map */
    bool hides;
    int64_t sent_s; /* behind now */
} bureau_oddity;

typedef struct bureau {
    office *o;
    pocpf *pf; /* the office's */
    wire_mcx_desk *d;
    wire_mcx_rules rules;
    bool trusts_sip;        /* no token is needed */
    poc_err outage;         /* of the service authorisation */
    const char *listed;     /* MC service id in every list; NULL: nobody */
    const char *nobody;     /* an IMPU of which is known that it is nobody's; NULL: none is */
    uint32_t spent, budget; /* of what requests may cost; 0: anything */
    unsigned asked;
    wire_mcx_answer answer; /* the last */
    unsigned answers;
    char did[1024]; /* what was carried out since bureau_did */
    bool store_holds, store_fails;
    struct bureau_record *records; /* durable */
    const char *where;
    poc_part parts[BUREAU_PARTS_MAX]; /* of the body that is made */
    size_t part_count, used;
    unsigned packed;
    char type[64];
    uint8_t room[BUREAU_ROOM], body[BUREAU_ROOM];
    poc_span content_type, sent;
} bureau;

/** `state` of a test in a group with town_open and town_close. Channels: "all" (open, MCPTT), "list" (listed, MCPTT), "north" (a
 *  region, listed), "video" (open, MCVideo). */
bureau *bureau_open(void **state);
/** With alice registered for MCPTT under CSK(1), and in the channels that she may be in. */
bureau *bureau_open_with_alice(void **state);
poc_err bureau_new(bureau *b, mcx_town *town);
/** Engine and desk alone, where there is none. */
poc_err bureau_make(bureau *b);
void bureau_done(bureau *b);
void bureau_close(bureau *b);
/** Another engine from what was durable, and another desk. */
void bureau_crash(bureau *b);
/** Carries out what there is to do. */
void bureau_run(bureau *b);
void bureau_pass(bureau *b, int64_t s);
/** Another definition of one of the channels. */
void bureau_redefine(bureau *b, const char *id, bool is_open);
/** What was done since the last call: "BOUND:id", "LOST:id", "user:CSK", "user:channel" of a MuSiK. */
void bureau_expect(bureau *b, const char *text);
/** "all list": the channels that `user` is in. */
void bureau_expect_in(const bureau *b, const char *user, const char *channels);

bureau_key *bureau_seal(bureau *b, const mcx_person *who, uint32_t id, const bureau_oddity *odd);
/** A second later than before. */
bureau_key *bureau_seal_later(bureau *b, const mcx_person *who, uint32_t id, const bureau_oddity *odd);
void bureau_key_free(bureau_key *k);
POC_DEFINE_OWNED(bureau_key, bureau_key_free)

void bureau_begin(bureau *b);
void bureau_put(bureau *b, const char *type, poc_span octets, bool is_base64);
void bureau_put_key(bureau *b, const bureau_key *k);
/** `k` NULL: in clear. */
void bureau_put_info(bureau *b, mcx_service service, const char *token, const bureau_key *k);
void bureau_put_report(bureau *b, mcx_service service, bool listening, const char *tmgi);
/** Signs all parts but keys. */
void bureau_put_signatures(bureau *b, mcx_service service, const bureau_key *k);
/** The body as it stands, as multipart. */
void bureau_pack(bureau *b);
/** Packs it into a REGISTER of `to`, which goes into message/sip. */
void bureau_wrap(bureau *b, const char *to);
wire_mcx_outcome bureau_serve(bureau *b, wire_mcx_method method, const char *impu, int64_t expires_s);
/** Packs, serves and carries out. `expires_s` under 0: not said. */
void bureau_send(bureau *b, wire_mcx_method method, const char *impu, int64_t expires_s);
/** A REGISTER with key and encrypted token, a second later. */
void bureau_register(bureau *b, const mcx_person *who, const char *impu, uint32_t id, const char *token);
wire_mcx_user bureau_look(const bureau *b, const char *impu, mcx_service service);
/** The id of the current CSK for the service; 0: none. */
uint32_t bureau_csk(const bureau *b, const char *impu, mcx_service service);
/** The last answer, whose warning begins with `warning`. */
void bureau_expect_answer(const bureau *b, int status, bool is_authorised, const char *warning);
/** The desk and the engine have nothing of this IMPU. */
void bureau_expect_nothing(const bureau *b, const char *impu);

#endif
