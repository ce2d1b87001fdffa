#include "tests/harness/record.h"

#include <stdlib.h>
#include <string.h>

void record_init(record *rec, const char *world_name, uint64_t seed)
{
    memset(rec, 0, sizeof(*rec));
    rec->world = world_name;
    rec->seed = seed;
}

void record_done(record *rec)
{
    free(rec->seen);
    memset(rec, 0, sizeof(*rec));
}

int record_channel_by_id(const record *rec, const char *id)
{
    for (size_t i = 0; i < rec->channel_count; i++)
        if (strcmp(rec->channels[i].made.id, id) == 0)
            return (int)i;
    return -1;
}

int record_client_by_name(const record *rec, const char *name)
{
    for (size_t i = 0; i < rec->client_count; i++)
        if (strcmp(rec->clients[i].made.name, name) == 0)
            return (int)i;
    return -1;
}

int record_channel_of(const record *rec, poc_msk_id id)
{
    for (size_t i = 0; id != 0 && i < rec->channel_count; i++)
        if (rec->channels[i].key_group == poc_msk_group(id))
            return (int)i;
    return -1;
}

bool record_was_given(const record *rec, int client, poc_msk_id id)
{
    for (size_t i = 0; i < rec->seen_count; i++)
        if (rec->seen[i].what == WORLD_KEY && rec->seen[i].client == client && rec->seen[i].mki.msk_id == id)
            return true;
    return false;
}

bool record_is_on_air(world_what what)
{
    return what == WORLD_ON_AIR || what == WORLD_FLOOR_ON_AIR || what == WORLD_STKM_ON_AIR ||
           what == WORLD_CLEAR_ON_AIR;
}

bool record_msk_after(poc_msk_id a, poc_msk_id b)
{
    uint16_t ahead = (uint16_t)(poc_msk_number(a) - poc_msk_number(b));
    return poc_msk_group(a) == poc_msk_group(b) && ahead != 0 && ahead < 0x8000u;
}

static bool has_room(record *rec)
{
    if (rec->seen_count < rec->seen_cap)
        return true;
    size_t cap = rec->seen_cap == 0 ? 1024 : rec->seen_cap * 2;
    world_seen *seen = realloc(rec->seen, cap * sizeof(*seen));
    rec->overflow = rec->overflow || seen == NULL;
    if (seen == NULL)
        return false;
    rec->seen = seen;
    rec->seen_cap = cap;
    return true;
}

/* A new stay begins without keys: what was opened in an earlier one says nothing about this one. */
static void enter(record_client *c)
{
    c->in = true;
    c->out = c->refused = c->opened_mtk = false;
}

static void go(record_client *c)
{
    c->in = false;
    c->out = true;
}

static void learn_key(record *rec, record_client *c, poc_msk_id id)
{
    c->msk_id = id;
    if (c->channel >= 0)
        rec->channels[c->channel].key_group = poc_msk_group(id);
}

static void play(record_client *c, const world_seen *seen)
{
    c->heard = true;
    c->heard_by_multicast = seen->by_multicast;
}

static void count(record_client *c, world_what what)
{
    static const struct {
        world_what what;
        record_count count;
    } counted[] = {
        { WORLD_BOOTSTRAPPED, RECORD_BOOTSTRAPPINGS },
        { WORLD_REGISTERED, RECORD_REGISTRATIONS },
        { WORLD_GRANTED, RECORD_GRANTS },
        { WORLD_DENIED, RECORD_DENIALS },
        { WORLD_KEY_MISSED, RECORD_MISSED },
        { WORLD_OFFERED, RECORD_OFFERS },
    };
    for (size_t i = 0; i < POC_COUNT(counted); i++)
        c->counts[counted[i].count] += counted[i].what == what;
}

/* What becomes of a client that uses the service of a channel by HTTP. */
static void follow_user(record_client *c, const world_seen *seen)
{
    switch (seen->what) {
    case WORLD_REGISTERING:
        c->channel = seen->status;
        c->registered = c->denied = c->left_service = false; /* until the answer comes */
        break;
    case WORLD_REGISTERED:
        c->registered = true;
        break;
    case WORLD_DEREGISTERED:
        c->registered = false;
        break;
    case WORLD_DENIED:
        c->denied = true;
        c->denied_status = seen->status;
        break;
    case WORLD_SERVICE_LEFT:
        c->registered = false;
        c->left_service = true;
        break;
    default:
        break;
    }
}

static void follow_client(record *rec, record_client *c, const world_seen *seen)
{
    count(c, seen->what);
    follow_user(c, seen);
    switch (seen->what) {
    case WORLD_BOOTSTRAPPED:
        c->bootstrapped = true;
        break;
    case WORLD_JOINING:
        c->channel = seen->status;
        c->out = c->refused = false;
        break;
    case WORLD_IN:
        enter(c);
        break;
    case WORLD_REFUSED:
        c->refused = true;
        c->refused_status = seen->status;
        break;
    case WORLD_OUT:
    case WORLD_BYED:
        go(c);
        break;
    case WORLD_ON_GROUP:
    case WORLD_OFF_GROUP:
        c->listening = seen->what == WORLD_ON_GROUP;
        break;
    case WORLD_KEY:
        learn_key(rec, c, seen->mki.msk_id);
        break;
    case WORLD_MTK:
        c->mtk = seen->mki;
        c->opened_mtk = true;
        break;
    case WORLD_PLAYED:
        play(c, seen);
        break;
    default:
        break;
    }
}

static void follow_air(record *rec, const world_seen *seen)
{
    int at = record_channel_of(rec, seen->mki.msk_id);
    if (at < 0 && rec->channel_count == 1)
        at = 0;
    if (at < 0)
        return;
    record_channel *channel = &rec->channels[at];
    channel->last_air_us = seen->at_us;
    if (channel->msk_id == 0 || record_msk_after(seen->mki.msk_id, channel->msk_id))
        channel->msk_id = seen->mki.msk_id;
}

void record_see(void *user, const world_seen *seen)
{
    record *rec = user;
    /* A key may come again, in a fresh message: that is the same key. */
    bool is_new_key = seen->what == WORLD_KEY && !record_was_given(rec, seen->client, seen->mki.msk_id);
    if (seen->at_us > rec->end_us)
        rec->end_us = seen->at_us;
    if (has_room(rec))
        rec->seen[rec->seen_count++] = *seen;
    if (record_is_on_air(seen->what))
        follow_air(rec, seen);
    if (seen->client >= 0 && (size_t)seen->client < rec->client_count)
        follow_client(rec, &rec->clients[seen->client], seen);
    if (is_new_key)
        rec->clients[seen->client].counts[RECORD_KEYS]++;
    if (rec->tap != NULL)
        rec->tap(rec->tap_user, rec, seen);
}
