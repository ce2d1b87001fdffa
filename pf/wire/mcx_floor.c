/* Floor control of users who have a CSK. The engine has the keys; here is what they were used for. */
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "pf/wire/air.h"

/* Both sides have the same session keys, and the index of a packet must never come twice under one key and SSRC: not after a
 * crash either, of which nothing is left but the key and about when it came. So the index is read off a clock that never goes
 * back (pocpf_clock), and is at most BURST ahead of it.
 *
 * The clock is counted from the last full PERIOD before the key came, so a client that logs off and brings the very same key
 * again goes on where he was: t1 - n1 * PERIOD = t2 - n2 * PERIOD asks for a whole PERIOD between the two. INDEX_MIN is what
 * was counted from before there were periods, and keeps stores of then safe. */
enum { TICK_MS = 10, BURST = 16, INDEX_MIN = 3600 * 1000 / TICK_MS };
#define PERIOD_TICKS (INT64_C(1) << 30) /* 124 days; there are twice as many indices */

enum { KEYS_MAX = 4 /* the engine has two of a user at a time */ };

typedef struct csk {
    uint32_t id;
    poc_secret *key;
    mcx_algorithm algorithm;
    uint8_t cs_id, rand_len;
    uint8_t rand[MIKEY_RAND_MAX];
    mcx_srtcp *srtcp;
    int64_t base; /* tick of index 0 */
    bool has_sent;
    uint32_t first; /* index that senders begin with */
    uint32_t next;  /* no sender has used this one, or one behind it */
} csk;

typedef struct floor_user {
    csk keys[KEYS_MAX]; /* the newest last */
    size_t count;
    size_t name_len;
    char name[];
} floor_user;

struct wire_mcx_floor {
    const pocpf *pf;
    int64_t spent; /* tick up to which indices have been used under keys that are forgotten */
    poc_table users;
};

/* ---- users and their keys ---- */

static void csk_done(wire_mcx_floor *f, csk *k)
{
    if (k->base + k->next > f->spent)
        f->spent = k->base + k->next;
    mcx_srtcp_free(k->srtcp);
    poc_secret_free(k->key);
    *k = (csk){ 0 };
}

static void user_free(wire_mcx_floor *f, floor_user *u)
{
    for (size_t i = 0; i < u->count; i++)
        csk_done(f, &u->keys[i]);
    free(u);
}

static void key_remove(wire_mcx_floor *f, floor_user *u, size_t at)
{
    csk_done(f, &u->keys[at]);
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

static int64_t base_of(int64_t sent_s)
{
    const int64_t tick = sent_s * 1000 / TICK_MS;
    return tick - tick % PERIOD_TICKS - INDEX_MIN;
}

static poc_err key_add(csk **out, wire_mcx_floor *f, floor_user *u, const pocpf_csk_status *status)
{
    const mcx_srtp_context context = { .csb_id = status->csk_id,
                                       .cs_id = status->cs_id,
                                       .rand = poc_span_of(status->rand, status->rand_len) };
    const mcx_algorithm algorithm = algorithm_of(status);
    const poc_secret *key = (const poc_secret *)status->key;
    mcx_srtcp *srtcp;
    POC_TRY(mcx_srtcp_new(&srtcp, key, &context, &algorithm));
    if (u->count == KEYS_MAX)
        key_remove(f, u, 0); /* long gone from the engine */
    *out = &u->keys[u->count++];
    **out = (csk){ .id = status->csk_id,
                   .key = poc_secret_ref((poc_secret *)(uintptr_t)key),
                   .algorithm = algorithm,
                   .cs_id = status->cs_id,
                   .rand_len = (uint8_t)status->rand_len,
                   .srtcp = srtcp,
                   .base = base_of(status->sent_s) };
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
        key_remove(f, u, i - 1); /* a former one that had the same id */
    }
    return key_add(out, f, u, &status);
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

static poc_err clock_tick(int64_t *out, const wire_mcx_floor *f, int64_t now_ms)
{
    int64_t clock_ms;
    if (pocpf_clock(f->pf, now_ms, &clock_ms) != POCPF_OK)
        return POC_E_LIMIT;
    *out = clock_ms / TICK_MS;
    return POC_OK;
}

/* What a forgotten key was used for may have been ahead of the clock, and this may be the same key. */
static void key_start(csk *k, int64_t tick, int64_t spent)
{
    k->first = (uint32_t)((spent > tick ? spent : tick) - k->base) + 1;
    k->next = k->first;
    k->has_sent = true;
}

static poc_err sender_start(const wire_mcx_floor *f, csk *k, uint32_t ssrc, int64_t tick)
{
    const int64_t index = tick - k->base;
    if (index < 0 || index >= MCX_SRTCP_INDEX_MAX - 2 * BURST)
        return POC_E_LIMIT;
    if (!k->has_sent)
        key_start(k, tick, f->spent);
    POC_TRY(mcx_srtcp_start(k->srtcp, ssrc, k->first));
    return mcx_srtcp_next_index(k->srtcp, ssrc) <= index + BURST ? POC_OK : POC_E_LIMIT;
}

poc_err wire_mcx_floor_seal(wire_mcx_floor *f, int64_t now_ms, const char *user, poc_wr *out, poc_span clear)
{
    csk *k;
    int64_t tick;
    uint32_t ssrc;
    poc_rd rd = poc_rd_over(clear, NULL);
    POC_TRY(poc_rd_u32(&rd, &ssrc)); /* what stands before it */
    POC_TRY(poc_rd_u32(&rd, &ssrc));
    POC_TRY(key_get(&k, f, user, 0));
    POC_TRY(clock_tick(&tick, f, now_ms));
    POC_TRY(sender_start(f, k, ssrc, tick));
    const poc_err err = mcx_srtcp_protect(k->srtcp, out, clear);
    const uint32_t next = mcx_srtcp_next_index(k->srtcp, ssrc);
    if (next > k->next)
        k->next = next;
    return err;
}

/* ---- all of them ---- */

bool wire_mcx_floor_has(const wire_mcx_floor *f, const char *user)
{
    pocpf_csk_status status;
    return look(&status, f, user, 0) == POC_OK;
}

poc_err wire_mcx_floor_new(wire_mcx_floor **out, const pocpf *pf, uint64_t seed)
{
    wire_mcx_floor *f = calloc(1, sizeof(*f));
    *out = f;
    if (f == NULL)
        return POC_E_NOMEM;
    f->pf = pf;
    f->spent = INT64_MIN;
    poc_table_init(&f->users, seed);
    return POC_OK;
}

void wire_mcx_floor_forget(wire_mcx_floor *f, const char *user)
{
    floor_user *u = poc_table_remove(&f->users, poc_span_str(user));
    if (u != NULL)
        user_free(f, u);
}

void wire_mcx_floor_free(wire_mcx_floor *f)
{
    if (f == NULL)
        return;
    floor_user *u;
    for (size_t at = 0; (u = poc_table_next(&f->users, &at)) != NULL;)
        user_free(f, u);
    poc_table_done(&f->users);
    free(f);
}
