/* Floor control of users who have a CSK. The engine has the keys; here is what they were used for. */
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "pf/wire/air.h"

/* Both sides have the same session keys, and the index of a packet must never come twice under one key and SSRC: not after a
 * crash either, of which nothing is left but the key and the time it was sent. So the index has a clock of its own. At any time
 * it is at most BURST ahead of it, and a process begins where the clock stands once it has waited for as long as a former one
 * can have been ahead. */
enum { TICK_MS = 10, BURST = 16, SKEW_MAX_MS = 3600 * 1000 /* the sender's clock may be ahead of ours */ };

enum { KEYS_MAX = 4 /* the engine has two of a user at a time */ };

typedef struct csk {
    uint32_t id;
    poc_secret *key;
    mcx_algorithm algorithm;
    uint8_t cs_id, rand_len;
    uint8_t rand[MIKEY_RAND_MAX];
    mcx_srtcp *srtcp;
    int64_t sent_ms;
    bool has_sent;
    uint32_t first; /* index that senders begin with */
} csk;

typedef struct floor_user {
    csk keys[KEYS_MAX]; /* the newest last */
    size_t count;
    size_t name_len;
    char name[];
} floor_user;

struct wire_mcx_floor {
    const pocpf *pf;
    int64_t born_ms;
    poc_table users;
};

/* ---- users and their keys ---- */

static void csk_done(csk *k)
{
    mcx_srtcp_free(k->srtcp);
    poc_secret_free(k->key);
    *k = (csk){ 0 };
}

static void user_free(floor_user *u)
{
    for (size_t i = 0; i < u->count; i++)
        csk_done(&u->keys[i]);
    free(u);
}

static void key_remove(floor_user *u, size_t at)
{
    csk_done(&u->keys[at]);
    u->count--;
    memmove(&u->keys[at], &u->keys[at + 1], (u->count - at) * sizeof(csk));
}

static poc_err user_get(floor_user **out, wire_mcx_floor *f, const char *user)
{
    const poc_span name = poc_span_str(user);
    *out = poc_table_get(&f->users, name);
    if (*out != NULL)
        return POC_OK;
    floor_user *u = calloc(1, sizeof(*u) + name.n);
    if (u == NULL)
        return POC_E_NOMEM;
    u->name_len = name.n;
    memcpy(u->name, name.p, name.n);
    const poc_err err = poc_table_put(&f->users, poc_span_of(u->name, u->name_len), u);
    if (err != POC_OK)
        free(u);
    else
        *out = u;
    return err;
}

static mcx_algorithm algorithm_of(const pocpf_csk_status *s)
{
    return (mcx_algorithm){ .encr = s->encr, .key_len = s->key_len, .salt_len = s->salt_len, .tag_len = s->tag_len };
}

/* What session keys are made of. A client that brings the key it has in a new message may have drawn another RAND. */
static bool is_same(const csk *k, const pocpf_csk_status *s)
{
    const mcx_algorithm algorithm = algorithm_of(s);
    return poc_secret_eq(k->key, (const poc_secret *)s->key) && k->cs_id == s->cs_id &&
           mcx_algorithm_eq(&k->algorithm, &algorithm) &&
           poc_span_eq(poc_span_of(k->rand, k->rand_len), poc_span_of(s->rand, s->rand_len));
}

static poc_err key_add(csk **out, floor_user *u, const pocpf_csk_status *status)
{
    const mcx_srtp_context context = { .csb_id = status->csk_id,
                                       .cs_id = status->cs_id,
                                       .rand = poc_span_of(status->rand, status->rand_len) };
    const mcx_algorithm algorithm = algorithm_of(status);
    const poc_secret *key = (const poc_secret *)status->key;
    mcx_srtcp *srtcp;
    POC_TRY(mcx_srtcp_new(&srtcp, key, &context, &algorithm));
    if (u->count == KEYS_MAX)
        key_remove(u, 0); /* long gone from the engine */
    *out = &u->keys[u->count++];
    **out = (csk){ .id = status->csk_id,
                   .key = poc_secret_ref((poc_secret *)(uintptr_t)key),
                   .algorithm = algorithm,
                   .cs_id = status->cs_id,
                   .rand_len = (uint8_t)status->rand_len,
                   .srtcp = srtcp,
                   .sent_ms = status->sent_s * 1000 };
    memcpy((*out)->rand, status->rand, status->rand_len);
    return POC_OK;
}

static poc_err look(pocpf_csk_status *out, const wire_mcx_floor *f, const char *user, uint32_t csk_id)
{
    *out = (pocpf_csk_status){ .size = sizeof(*out) };
    return (poc_err)pocpf_csk_look(f->pf, user, csk_id, out);
}

/* The engine is asked every time: a key that has expired or was wiped there is none here. */
static poc_err key_get(csk **out, wire_mcx_floor *f, const char *user, uint32_t csk_id)
{
    pocpf_csk_status status;
    floor_user *u;
    POC_TRY(look(&status, f, user, csk_id));
    POC_TRY(user_get(&u, f, user));
    for (size_t i = u->count; i > 0; i--) {
        csk *k = &u->keys[i - 1];
        if (k->id != status.csk_id)
            continue;
        if (is_same(k, &status)) {
            *out = k;
            return POC_OK;
        }
        key_remove(u, i - 1); /* a former one that had the same id */
    }
    return key_add(out, u, &status);
}

/* ---- from the user ---- */

poc_err wire_mcx_floor_open(wire_mcx_floor *f, int64_t now_ms, const char *user, poc_wr *out, poc_span packet)
{
    mcx_srtcp_view view;
    csk *k;
    size_t n;
    (void)now_ms;
    POC_TRY(mcx_srtcp_look(&view, packet));
    POC_TRY(key_get(&k, f, user, view.key_id));
    uint8_t clear[MCX_SRTCP_MAX];
    POC_TRY(mcx_srtcp_unprotect(k->srtcp, clear, &n, packet));
    poc_wr_put(out, clear, n);
    return poc_wr_done(out);
}

/* ---- to the user ---- */

static poc_err clock_index(uint32_t *out, const csk *k, int64_t now_ms)
{
    const int64_t age_ms = now_ms - k->sent_ms + SKEW_MAX_MS;
    if (age_ms < 0)
        return POC_E_STATE;
    if (age_ms / TICK_MS >= MCX_SRTCP_INDEX_MAX - BURST)
        return POC_E_LIMIT;
    *out = (uint32_t)(age_ms / TICK_MS);
    return POC_OK;
}

static poc_err sender_start(csk *k, uint32_t ssrc, uint32_t clock)
{
    if (!k->has_sent) {
        k->first = clock + 1;
        k->has_sent = true;
    }
    POC_TRY(mcx_srtcp_start(k->srtcp, ssrc, k->first));
    return mcx_srtcp_next_index(k->srtcp, ssrc) <= clock + BURST ? POC_OK : POC_E_LIMIT;
}

poc_err wire_mcx_floor_seal(wire_mcx_floor *f, int64_t now_ms, const char *user, poc_wr *out, poc_span clear)
{
    csk *k;
    uint32_t clock, ssrc;
    poc_rd rd = poc_rd_over(clear, NULL);
    POC_TRY(poc_rd_u32(&rd, &ssrc)); /* what stands before it */
    POC_TRY(poc_rd_u32(&rd, &ssrc));
    if (now_ms < f->born_ms + (int64_t)(BURST + 1) * TICK_MS)
        return POC_E_LIMIT;
    POC_TRY(key_get(&k, f, user, 0));
    POC_TRY(clock_index(&clock, k, now_ms));
    POC_TRY(sender_start(k, ssrc, clock));
    return mcx_srtcp_protect(k->srtcp, out, clear);
}

/* ---- all of them ---- */

bool wire_mcx_floor_has(const wire_mcx_floor *f, const char *user)
{
    pocpf_csk_status status;
    return look(&status, f, user, 0) == POC_OK;
}

poc_err wire_mcx_floor_new(wire_mcx_floor **out, const pocpf *pf, int64_t now_ms, uint64_t seed)
{
    wire_mcx_floor *f = calloc(1, sizeof(*f));
    *out = f;
    if (f == NULL)
        return POC_E_NOMEM;
    f->pf = pf;
    f->born_ms = now_ms;
    poc_table_init(&f->users, seed);
    return POC_OK;
}

void wire_mcx_floor_forget(wire_mcx_floor *f, const char *user)
{
    floor_user *u = poc_table_remove(&f->users, poc_span_str(user));
    if (u != NULL)
        user_free(u);
}

void wire_mcx_floor_free(wire_mcx_floor *f)
{
    if (f == NULL)
        return;
    floor_user *u;
    for (size_t at = 0; (u = poc_table_next(&f->users, &at)) != NULL;)
        user_free(u);
    poc_table_done(&f->users);
    free(f);
}
