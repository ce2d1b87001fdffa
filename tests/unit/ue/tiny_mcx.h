/* The least a mission critical radio needs opposite itself: a KMS behind real HTTP, and a server behind the SIP peer tiny_pf that
 * takes CSKs, reports and logging off, and sends keys and announcements. */
#ifndef TESTS_UNIT_UE_TINY_MCX_H
#define TESTS_UNIT_UE_TINY_MCX_H

#include "pf/wire/wire.h"
#include "tiny_pf.h"

#define TINY_MCX_ALICE  "sip:alice@mcptt.example.org"
#define TINY_MCX_SERVER "mcx.example.org" /* whom CSKs are sealed for */
#define TINY_MCX_PSI    "sip:mcptt@home1.example"
#define TINY_MCX_KMS    "kms.example.org"
#define TINY_MCX_OTHER  "kms.example.net" /* as long as the former */
#define TINY_MCX_TOKEN  "eyJ.token"

/* What the KMS may do wrong. */
typedef enum tiny_kms_lie {
    TINY_KMS_HONEST,
    TINY_KMS_BROKEN,       /* 500 */
    TINY_KMS_CUT,          /* a document cut short */
    TINY_KMS_OTHER_USER,   /* somebody else's keys */
    TINY_KMS_OTHER_PERIOD, /* keys of a period not asked for */
    TINY_KMS_OTHER_KMS,    /* the certificate of somebody who calls himself another */
    TINY_KMS_OTHER_KEYS,   /* the certificate of somebody with the name of ours */
    TINY_KMS_OLD,          /* an answer of an hour ago */
    TINY_KMS_OTHER_KIND,   /* certificates instead of keys */
    TINY_KMS_OVER,         /* keys that were valid once */
    TINY_KMS_LIES
} tiny_kms_lie;

typedef struct tiny_mcx tiny_mcx;

/** Whose periods begin so that the present one ends in `left_s` seconds. */
tiny_mcx *tiny_mcx_new(int64_t now_ms, uint64_t left_s);
/** Before the agent of `tiny_mcx_behind` ends: nothing is left but the keys, which take long to make. */
void tiny_mcx_forget(tiny_mcx *t);
void tiny_mcx_free(tiny_mcx *t);
const char *tiny_mcx_kms_url(const tiny_mcx *t);
/** Serves what comes to `pf`; challenges with the GBA realm where `challenges`. */
void tiny_mcx_behind(tiny_mcx *t, tiny_pf *pf, bool challenges);

/** What it answers from now on; set freely. */
typedef struct tiny_mcx_says {
    int status;          /* 200 at first */
    const char *warning; /* text of a Warning with code 399 */
    uint32_t expires_s, min_expires_s;
    bool for_the_contact; /* expires_s stands there, and not in a header of its own */
    const char *contact;  /* of a redirection */
    bool is_silent;
    tiny_kms_lie lie;
    bool knows_other;  /* gives out the certificate of TINY_MCX_OTHER */
    int kms_status;    /* 0: its own */
    const char *token; /* that the KMS lets in */
} tiny_mcx_says;
tiny_mcx_says *tiny_mcx_say(tiny_mcx *t);

/** What was seen; read freely. */
typedef struct tiny_mcx_seen {
    unsigned registers, publishes, messages, thirds, uploads;
    uint32_t csk_id;
    char via[32], token[64], contact[512], event[64], if_match[64], service[128], identity[128], target[256],
        settings[512], inner_contact[512];
    uint32_t expires_s;
    unsigned body_len;            /* of the last REGISTER or PUBLISH */
    bool is_listening, is_signed; /* of the last report */
    uint8_t tmgi[WIRE_MCX_TMGI_LEN];
    unsigned told; /* answers of the radio */
    int told_status;
    char told_warning[256];
    unsigned keys_served; /* by the KMS */
} tiny_mcx_seen;
tiny_mcx_seen *tiny_mcx_look(tiny_mcx *t);

/** A key of the server's. */
typedef struct tiny_mcx_key {
    uint32_t id;
    uint8_t seed;
    uint64_t expiry_s;
    bool is_revoked;
} tiny_mcx_key;

typedef struct tiny_mcx_way {
    bool by_notify, alters; /* a bit of the signature */
    const char *asserts;    /* in P-Asserted-Identity; NULL: the server */
    const char *service;    /* in P-Asserted-Service; NULL: MCPTT */
} tiny_mcx_way;

/** Seals it for Alice and sends it to the contact that came last. */
void tiny_mcx_send_key(tiny_mcx *t, const tiny_mcx_key *key, const tiny_mcx_way *way);
void tiny_mcx_send_body(tiny_mcx *t, const char *content_type, poc_span body, const tiny_mcx_way *way);
/** The server's end of control packets under a key of its own, or (NULL) under the CSK that came last. */
mcx_srtcp *tiny_mcx_side(tiny_mcx *t, const tiny_mcx_key *key);

#endif
