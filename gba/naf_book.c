/* Who is bootstrapped here. A user is found by his B-TID and by every identity he may act under; several bootstraps of
 * one subscription may live side by side for a while (TS 33.246 6.1), the newest one counts. */
#include "gba/private.h"

#include <stdlib.h>
#include <string.h>

/* Bootstraps of one IMPI that are kept: the one in use and the one that takes over. */
enum { PER_IMPI_MAX = 2 };

/** All claims under one name, the newest first. */
struct naf_holder {
    naf_claim *newest;
    size_t name_len;
    uint8_t name[];
};

void naf_book_init(naf_book *b, size_t users_max, uint64_t seed)
{
    *b = (naf_book){ .users_max = users_max, .dropped_at_s = INT64_MIN };
    poc_table_init(&b->users, seed);
    poc_table_init(&b->by_impu, seed ^ 1);
    poc_table_init(&b->by_impi, seed ^ 2);
}

/* ---- claims ---- */

static poc_err holder_make(naf_holder **out, poc_table *t, poc_span name)
{
    *out = poc_table_get(t, name);
    if (*out != NULL)
        return POC_OK;
    naf_holder *h = malloc(sizeof(*h) + name.n);
    if (h == NULL)
        return POC_E_NOMEM;
    h->newest = NULL;
    h->name_len = name.n;
    memcpy(h->name, name.p, name.n);
    poc_err err = poc_table_put(t, poc_span_of(h->name, name.n), h);
    if (err != POC_OK) {
        free(h);
        return err;
    }
    *out = h;
    return POC_OK;
}

static poc_err claim_add(poc_table *t, naf_claim *c, naf_user *u, poc_span name)
{
    naf_holder *h;
    POC_TRY(holder_make(&h, t, name));
    *c = (naf_claim){ .user = u, .of = h, .older = h->newest };
    h->newest = c;
    return POC_OK;
}

static void claim_remove(poc_table *t, naf_claim *c)
{
    naf_holder *h = c->of;
    if (h == NULL)
        return;
    naf_claim **at = &h->newest;
    while (*at != c)
        at = &(*at)->older;
    *at = c->older;
    c->of = NULL;
    if (h->newest != NULL)
        return;
    poc_table_remove(t, poc_span_of(h->name, h->name_len));
    free(h);
}

/* ---- users ---- */

static void user_free(naf_book *b, naf_user *u)
{
    for (size_t i = 0; i < GBA_IMPUS_MAX; i++)
        claim_remove(&b->by_impu, &u->by_impu[i]);
    claim_remove(&b->by_impi, &u->by_impi);
    gba_mbms_keys_done(&u->keys);
    free(u->impus);
    free(u);
}

static void user_forget(naf_book *b, naf_user *u)
{
    poc_table_remove(&b->users, poc_span_str(u->btid));
    user_free(b, u);
}

void naf_book_done(naf_book *b)
{
    naf_user *u;
    size_t at = 0;
    while ((u = poc_table_next(&b->users, &at)) != NULL)
        user_forget(b, u);
    poc_table_done(&b->users);
    poc_table_done(&b->by_impu);
    poc_table_done(&b->by_impi);
}

naf_user *naf_book_find(const naf_book *b, poc_span btid)
{
    return poc_table_get(&b->users, btid);
}

void naf_book_sweep(naf_book *b, int64_t now_s)
{
    naf_user *u;
    size_t at = 0;
    while ((u = poc_table_next(&b->users, &at)) != NULL)
        if (u->expires_s <= now_s)
            user_forget(b, u);
}

static bool renewal_is_asked(const naf_book *b, const char *impi)
{
    const naf_holder *h = poc_table_get(&b->by_impi, poc_span_str(impi));
    return h != NULL && h->newest->user->renewal_asked;
}

static poc_err user_fill(naf_book *b, naf_user *u, poc_span btid, const gba_zn_answer *answer, bool uicc_keys)
{
    POC_TRY(gba_text_copy(u->btid, sizeof(u->btid), btid));
    memcpy(u->impi, answer->impi, sizeof(u->impi));
    u->impi[sizeof(u->impi) - 1] = '\0';
    u->expires_s = answer->expires_s;
    POC_TRY(gba_mbms_keys_make(&u->keys, answer->me_key, uicc_keys ? answer->uicc_key : NULL));
    u->impus = calloc(answer->impu_count + 1, sizeof(*u->impus));
    if (u->impus == NULL)
        return POC_E_NOMEM;
    u->impu_count = answer->impu_count;
    memcpy(u->impus, answer->impus, answer->impu_count * sizeof(*u->impus));
    for (size_t i = 0; i < u->impu_count; i++)
        POC_TRY(claim_add(&b->by_impu, &u->by_impu[i], u, poc_span_str(u->impus[i])));
    u->is_renewal = renewal_is_asked(b, u->impi);
    if (u->impi[0] != '\0')
        POC_TRY(claim_add(&b->by_impi, &u->by_impi, u, poc_span_str(u->impi)));
    return poc_table_put(&b->users, poc_span_str(u->btid), u);
}

/* ---- learning ---- */

static size_t impi_count(const naf_book *b, const char *impi, naf_user **oldest)
{
    const naf_holder *h = poc_table_get(&b->by_impi, poc_span_str(impi));
    size_t n = 0;
    *oldest = NULL;
    for (naf_claim *c = h == NULL ? NULL : h->newest; c != NULL; c = c->older, n++)
        *oldest = c->user;
    return n;
}

/* Nobody makes room for a stranger; an older bootstrap of the same IMPI makes room for the newer one. Who is forgotten
 * while alive loses his nonce counts, so that nonces of that time are stale for everybody learned later. */
static poc_err room_make(naf_book *b, int64_t now_s, const char *impi)
{
    naf_user *oldest;
    if (b->users.count >= b->users_max)
        naf_book_sweep(b, now_s);
    size_t own = impi_count(b, impi, &oldest);
    bool full = b->users.count >= b->users_max;
    if (!full && own < PER_IMPI_MAX)
        return POC_OK;
    if (own == 0)
        return POC_E_LIMIT;
    user_forget(b, oldest);
    b->dropped_at_s = now_s;
    return POC_OK;
}

static bool answer_is_good(poc_span btid, const gba_zn_answer *answer)
{
    return btid.n > 0 && btid.n <= POC_BTID_MAX && gba_is_quotable(btid) && answer->me_key != NULL &&
           poc_secret_len(answer->me_key) == 32 &&
           (answer->uicc_key == NULL || poc_secret_len(answer->uicc_key) == 32) && answer->impu_count <= GBA_IMPUS_MAX;
}

poc_err naf_book_learn(naf_book *b, int64_t now_s, poc_span btid, const gba_zn_answer *answer, bool uicc_keys)
{
    if (!answer_is_good(btid, answer))
        return POC_E_INPUT;
    if (answer->expires_s <= now_s)
        return POC_E_AUTH;
    naf_user *known = naf_book_find(b, btid);
    if (known != NULL && known->expires_s > now_s)
        return POC_OK; /* two requests asked at once: the first answer's nonce counts stay */
    if (known != NULL)
        user_forget(b, known);
    int64_t floor_s = b->dropped_at_s; /* what is dropped now does not concern this user's own first nonce */
    POC_TRY(room_make(b, now_s, answer->impi));
    naf_user *u = calloc(1, sizeof(*u));
    if (u == NULL)
        return POC_E_NOMEM;
    u->nonce_floor_s = floor_s;
    poc_err err = user_fill(b, u, btid, answer, uicc_keys);
    if (err != POC_OK)
        user_free(b, u);
    return err;
}

naf_user *naf_book_newest(const naf_book *b, int64_t now_s, poc_span impu)
{
    const naf_holder *h = poc_table_get(&b->by_impu, impu);
    for (naf_claim *c = h == NULL ? NULL : h->newest; c != NULL; c = c->older)
        if (c->user->expires_s > now_s)
            return c->user;
    return NULL;
}
