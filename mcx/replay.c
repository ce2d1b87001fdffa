/* Which messages were accepted. A ring in the order of acceptance, and two tables into it: by what tells a message apart,
 * and the last one of each sender, than which none of its messages may be older. */
#include "mcx/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/table.h"

typedef struct entry {
    uint8_t digest[POC_SHA256_LEN];
    uint8_t sender[MCX_UID_LEN];
    uint64_t ntp; /* as in the message, but with all of its seconds: a wrap in 2036 does not make it older */
    uint64_t until_s;
} entry;

struct mcx_replay {
    poc_table by_digest, by_sender;
    size_t capacity, first, count;
    uint64_t forgotten; /* time of the youngest message that was forgotten early */
    entry entries[];
};

poc_err mcx_replay_new(mcx_replay **out, size_t capacity, uint64_t seed)
{
    *out = NULL;
    if (capacity == 0 || capacity > (SIZE_MAX - sizeof(mcx_replay)) / sizeof(entry))
        return POC_E_LIMIT;
    mcx_replay *r = calloc(1, sizeof(*r) + capacity * sizeof(entry));
    if (r == NULL)
        return POC_E_NOMEM;
    r->capacity = capacity;
    poc_table_init(&r->by_digest, seed);
    poc_table_init(&r->by_sender, seed);
    *out = r;
    return POC_OK;
}

void mcx_replay_free(mcx_replay *r)
{
    if (r == NULL)
        return;
    poc_table_done(&r->by_digest);
    poc_table_done(&r->by_sender);
    free(r);
}

size_t mcx_replay_count(const mcx_replay *r)
{
    return r->count;
}

static poc_span digest_of(const entry *e)
{
    return poc_span_of(e->digest, sizeof(e->digest));
}

static poc_span sender_of(const entry *e)
{
    return poc_span_of(e->sender, sizeof(e->sender));
}

static poc_err digest_make(uint8_t out[POC_SHA256_LEN], const mcx_replay_key *key)
{
    uint8_t text[MCX_UID_LEN + 4 + 8 + MIKEY_RAND_MAX];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    poc_wr_put(&wr, key->sender, MCX_UID_LEN);
    poc_wr_u32(&wr, key->csb_id);
    poc_wr_u64(&wr, key->ntp);
    poc_wr_span(&wr, key->rand);
    POC_TRY(poc_wr_done(&wr));
    return poc_sha256(out, poc_span_of(text, wr.len));
}

static void forget_first(mcx_replay *r)
{
    entry *e = &r->entries[r->first];
    (void)poc_table_remove(&r->by_digest, digest_of(e));
    if (poc_table_get(&r->by_sender, sender_of(e)) == e)
        (void)poc_table_remove(&r->by_sender, sender_of(e));
    r->first = (r->first + 1) % r->capacity;
    r->count--;
}

static void forget_old(mcx_replay *r, uint64_t now_s)
{
    while (r->count > 0 && r->entries[r->first].until_s < now_s)
        forget_first(r);
}

poc_err mcx_replay_check(const mcx_replay *r, const mcx_replay_key *key, const char **why)
{
    uint8_t digest[POC_SHA256_LEN];
    POC_TRY(digest_make(digest, key));
    *why = "repeated message";
    if (poc_table_get(&r->by_digest, poc_span_of(digest, sizeof(digest))) != NULL)
        return POC_E_AUTH;
    *why = "as old as messages that had to be forgotten";
    if (key->ntp <= r->forgotten)
        return POC_E_AUTH;
    const entry *last = poc_table_get(&r->by_sender, poc_span_of(key->sender, MCX_UID_LEN));
    *why = "older than the last message of its sender";
    return last != NULL && key->ntp < last->ntp ? POC_E_AUTH : POC_OK;
}

static void raise_floor(mcx_replay *r, uint64_t ntp)
{
    r->forgotten = ntp > r->forgotten ? ntp : r->forgotten;
}

/* The entry takes the place of its sender's last one in the table, whose key must lie in a living entry. */
static poc_err enter(mcx_replay *r, entry *e)
{
    POC_TRY(poc_table_put(&r->by_digest, digest_of(e), e));
    const entry *last = poc_table_remove(&r->by_sender, sender_of(e));
    const poc_err err = poc_table_put(&r->by_sender, sender_of(e), e);
    if (err == POC_OK)
        return POC_OK;
    if (last != NULL)
        raise_floor(r, last->ntp);
    (void)poc_table_remove(&r->by_digest, digest_of(e));
    return err;
}

/* What its sender had sent before is not found by him any more, but each of those messages is still found by itself. */
void mcx_replay_forget_last(mcx_replay *r)
{
    if (r->count == 0)
        return;
    entry *e = &r->entries[(r->first + r->count - 1) % r->capacity];
    (void)poc_table_remove(&r->by_digest, digest_of(e));
    if (poc_table_get(&r->by_sender, sender_of(e)) == e)
        (void)poc_table_remove(&r->by_sender, sender_of(e));
    r->count--;
}

poc_err mcx_replay_remember(mcx_replay *r, const mcx_replay_key *key, uint64_t now_s, uint64_t until_s)
{
    entry fresh = { .ntp = key->ntp, .until_s = until_s };
    POC_TRY(digest_make(fresh.digest, key));
    memcpy(fresh.sender, key->sender, sizeof(fresh.sender));
    forget_old(r, now_s);
    if (r->count == r->capacity) {
        raise_floor(r, r->entries[r->first].ntp);
        forget_first(r);
    }
    entry *e = &r->entries[(r->first + r->count) % r->capacity];
    *e = fresh;
    POC_TRY(enter(r, e));
    r->count++;
    return POC_OK;
}
