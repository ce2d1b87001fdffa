/* Which messages were accepted: a list in the order of acceptance, and two tables into it, by what tells a message apart, and
 * the last one of each sender. None of a sender's messages may be older than his last, so his oldest one gives its place up for
 * a younger one of his: nobody fills the cache alone. */
#include "mcx/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/table.h"

typedef struct entry entry;
struct entry {
    uint8_t digest[POC_SHA256_LEN];
    uint8_t sender[MCX_UID_LEN];
    uint64_t ntp; /* as in the message, but with all of its seconds: a wrap in 2036 does not make it older */
    uint64_t until_s;
    entry *older, *younger; /* in the list; a free one: the next free one */
    entry *before;          /* accepted from the same sender */
};

struct mcx_replay {
    poc_table by_digest, by_sender;
    size_t capacity, of_sender, count;
    size_t touched;      /* places that have been used, all in front of those that have not */
    entry *free;         /* places that are not used any more */
    entry *first, *last; /* the oldest and the youngest */
    bool has_displaced;  /* the youngest took the place of this one, of the same sender */
    entry displaced;
    uint64_t forgotten; /* time of the youngest message that was forgotten early */
    entry entries[];
};

poc_err mcx_replay_new(mcx_replay **out, size_t capacity, size_t of_sender, uint64_t seed)
{
    *out = NULL;
    if (capacity == 0 || of_sender == 0 || capacity > (SIZE_MAX - sizeof(mcx_replay)) / sizeof(entry))
        return POC_E_LIMIT;
    mcx_replay *r = calloc(1, sizeof(*r) + capacity * sizeof(entry));
    if (r == NULL)
        return POC_E_NOMEM;
    r->capacity = capacity;
    r->of_sender = of_sender;
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

/* ---- in and out ---- */

enum { PUTS = 2 /* in either table: when a message is remembered, and when it is forgotten right after that */ };

/* The first accepted of a sender, of whom `last` is the last; and how many there are. */
static entry *oldest_of(entry *last, size_t *count)
{
    entry *e = last;
    *count = last != NULL;
    while (e != NULL && e->before != NULL) {
        e = e->before;
        ++*count;
    }
    return e;
}

static entry *place_take(mcx_replay *r)
{
    entry *e = r->free;
    if (e == NULL)
        return &r->entries[r->touched++];
    r->free = e->younger;
    return e;
}

/* The table finds a sender by the octets in the last of his entries. */
static void sender_point(mcx_replay *r, const entry *from, entry *to)
{
    if (from != NULL)
        (void)poc_table_remove(&r->by_sender, sender_of(from));
    if (to != NULL)
        (void)poc_table_put(&r->by_sender, sender_of(to), to); /* in the place of the other, or reserved */
}

static void unlink_of_sender(mcx_replay *r, entry *e)
{
    entry *at = poc_table_get(&r->by_sender, sender_of(e));
    if (at == e)
        sender_point(r, e, e->before);
    while (at != NULL && at != e && at->before != e)
        at = at->before;
    if (at != NULL && at != e)
        at->before = e->before;
}

static void leave(mcx_replay *r, entry *e)
{
    (void)poc_table_remove(&r->by_digest, digest_of(e));
    unlink_of_sender(r, e);
    *(e->older != NULL ? &e->older->younger : &r->first) = e->younger;
    *(e->younger != NULL ? &e->younger->older : &r->last) = e->older;
    r->count--;
    e->younger = r->free;
    r->free = e;
}

/* As the youngest of all and of its sender. */
static void enter(mcx_replay *r, const entry *fresh)
{
    entry *e = place_take(r);
    *e = *fresh;
    e->before = poc_table_get(&r->by_sender, sender_of(e));
    sender_point(r, e->before, e);
    (void)poc_table_put(&r->by_digest, digest_of(e), e); /* reserved */
    e->older = r->last;
    e->younger = NULL;
    *(r->last != NULL ? &r->last->younger : &r->first) = e;
    r->last = e;
    r->count++;
}

/* As the oldest of all and of its sender: what it was before it was displaced, or nearly. */
static void restore(mcx_replay *r)
{
    size_t count;
    entry *e = place_take(r);
    *e = r->displaced;
    entry *next = oldest_of(poc_table_get(&r->by_sender, sender_of(e)), &count);
    if (next != NULL)
        next->before = e;
    else
        sender_point(r, NULL, e);
    (void)poc_table_put(&r->by_digest, digest_of(e), e); /* in the place of the one that is forgotten */
    e->before = e->older = NULL;
    e->younger = r->first;
    *(r->first != NULL ? &r->first->older : &r->last) = e;
    r->first = e;
    r->count++;
}

/* ---- door ---- */

static void forget_old(mcx_replay *r, uint64_t now_s)
{
    while (r->first != NULL && r->first->until_s < now_s)
        leave(r, r->first);
}

poc_err mcx_replay_check(const mcx_replay *r, const mcx_replay_key *key, const char **why)
{
    uint8_t digest[POC_SHA256_LEN];
    size_t count;
    POC_TRY(digest_make(digest, key));
    *why = "repeated message";
    if (poc_table_get(&r->by_digest, poc_span_of(digest, sizeof(digest))) != NULL)
        return POC_E_AUTH;
    *why = "as old as messages that had to be forgotten";
    if (key->ntp <= r->forgotten)
        return POC_E_AUTH;
    entry *last = poc_table_get(&r->by_sender, poc_span_of(key->sender, MCX_UID_LEN));
    *why = "older than the last message of its sender";
    if (last != NULL && key->ntp < last->ntp)
        return POC_E_AUTH;
    *why = "one too many of its sender at one time";
    const entry *oldest = oldest_of(last, &count);
    return count >= r->of_sender && oldest->ntp == key->ntp ? POC_E_AUTH : POC_OK;
}

/* A place for one more of this sender. His oldest goes when there is a younger one of his than that. */
static void room_make(mcx_replay *r, const entry *fresh)
{
    size_t count;
    entry *oldest = oldest_of(poc_table_get(&r->by_sender, sender_of(fresh)), &count);
    r->has_displaced = false;
    if (count < r->of_sender && r->count < r->capacity)
        return;
    if (oldest != NULL && oldest->ntp < fresh->ntp) {
        r->displaced = *oldest;
        r->has_displaced = true;
        leave(r, oldest);
        return;
    }
    if (r->first->ntp > r->forgotten)
        r->forgotten = r->first->ntp;
    leave(r, r->first);
}

void mcx_replay_forget_last(mcx_replay *r)
{
    if (r->last == NULL)
        return;
    leave(r, r->last);
    if (r->has_displaced)
        restore(r);
    r->has_displaced = false;
}

poc_err mcx_replay_remember(mcx_replay *r, const mcx_replay_key *key, uint64_t now_s, uint64_t until_s)
{
    entry fresh = { .ntp = key->ntp, .until_s = until_s };
    POC_TRY(digest_make(fresh.digest, key));
    memcpy(fresh.sender, key->sender, sizeof(fresh.sender));
    POC_TRY(poc_table_reserve(&r->by_digest, PUTS));
    POC_TRY(poc_table_reserve(&r->by_sender, PUTS));
    forget_old(r, now_s);
    room_make(r, &fresh);
    enter(r, &fresh);
    return POC_OK;
}
