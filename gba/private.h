/* What the files of this room share and nobody outside sees. */
#ifndef GBA_PRIVATE_H
#define GBA_PRIVATE_H

#include "base/table.h"
#include "gba/gba.h"

/** True for a lower-case host name: labels of letters, digits and inner hyphens, 1..253 octets in all. */
bool gba_fqdn_is_good(poc_span fqdn);
/** True when the octets may stand between quotes in a header as they are. */
bool gba_is_quotable(poc_span text);
/** Copies text with a terminator; POC_E_LIMIT when it does not fit. */
poc_err gba_text_copy(char *out, size_t cap, poc_span text);

/* ---- digest ---- */

#define GBA_CNONCE_LEN 16u

/** The response (or, with an empty method, the rspauth) that fits the parameters of `d`. */
poc_err gba_digest_expect(char out[33], const gba_digest *d, poc_span password, poc_span method, poc_span body);
/** Constant-time comparison of a response parameter with what was expected. */
bool gba_digest_same(poc_span given, const char expected[33]);
/** True when `wanted` is in the comma-separated list of a challenge's qop. */
bool gba_qop_offered(poc_span list, const char *wanted);
/** Fresh hex digits and a terminator. */
poc_err gba_cnonce_make(char out[GBA_CNONCE_LEN + 1], const poc_rng *rng);
/** `name="value"`, with ", " in front unless it is the first after the scheme. */
void gba_param_quoted(poc_wr *wr, const char *name, poc_span value);
/** The scheme, and what every Authorization says of who asks for what: username, realm, nonce and uri. */
void gba_authorization_begin(poc_wr *wr, const gba_digest *d);
/** The parameters of Authentication-Info that answer `d`. */
poc_err gba_authentication_info_put(poc_wr *wr, const gba_digest *d, const char rspauth[33]);

/* Password on Ua: base64 of a 32-octet key (TS 24.109 5.2). */
#define GBA_PASSWORD_LEN POC_BASE64_LEN((size_t)32)
/** Writes the password; the caller wipes it. POC_E_INPUT: the key has not 32 octets. */
poc_err gba_password_make(char out[GBA_PASSWORD_LEN], const poc_secret *mrk);

/* ---- BootstrappingInfo (TS 24.109 Annex C) ---- */

poc_err gba_info_encode(poc_wr *wr, const char *btid, int64_t expires_s);
poc_err gba_info_decode(char btid[POC_BTID_MAX + 1], int64_t *expires_s, poc_span body);

/* ---- the NAF's book of bootstrapped users ---- */

/* More nonces in use at once than this make the oldest one stale. */
#define GBA_NONCES_PER_USER 8u

typedef struct naf_nonce {
    int64_t issued_s;
    uint8_t random[8];
} naf_nonce;

typedef struct naf_user naf_user;
typedef struct naf_holder naf_holder;

/** One user's place in the list of those who may act under one name. */
typedef struct naf_claim {
    naf_user *user;
    naf_holder *of;
    struct naf_claim *older;
} naf_claim;

struct naf_user {
    char btid[POC_BTID_MAX + 1];
    char impi[GBA_IMPI_MAX + 1];
    char (*impus)[POC_URI_MAX];
    size_t impu_count;
    int64_t expires_s;
    gba_mbms_keys keys;
    int64_t nonce_floor_s; /* nonces issued up to then and not in `spent` are stale for this user */
    struct {
        naf_nonce nonce;
        uint32_t nc; /* highest accepted */
    } spent[GBA_NONCES_PER_USER];
    size_t spent_count;
    int64_t asked_s; /* the second in which `asked` requests came */
    uint32_t asked;
    bool renewal_asked; /* was told to bootstrap again          */
    bool is_renewal;    /* came because he was told to do so    */
    naf_claim by_impu[GBA_IMPUS_MAX];
    naf_claim by_impi;
};

typedef struct naf_book {
    poc_table users;   /* by B-TID */
    poc_table by_impu; /* holders */
    poc_table by_impi;
    size_t users_max;
    int64_t dropped_at_s; /* when a living user was last forgotten, and his nonce counts with him */
} naf_book;

void naf_book_init(naf_book *b, size_t users_max, uint64_t seed);
void naf_book_done(naf_book *b);
naf_user *naf_book_find(const naf_book *b, poc_span btid);
poc_err naf_book_learn(naf_book *b, int64_t now_s, poc_span btid, const gba_zn_answer *answer, bool uicc_keys);
void naf_book_sweep(naf_book *b, int64_t now_s);
/** The living user that was learned last among those with this identity, or NULL. */
naf_user *naf_book_newest(const naf_book *b, int64_t now_s, poc_span impu);

struct gba_naf {
    naf_book book;
    gba_naf_id id;
    char realm[GBA_FQDN_MAX + 32];
    bool uicc_keys;
    int64_t nonce_lifetime_s;
    poc_secret *nonce_key;
    char opaque[GBA_CNONCE_LEN + 1];
    poc_rng rng;
};

#endif
