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

static const record_musik *musik_of(const record *rec, poc_msk_id id)
{
    for (size_t i = 0; i < rec->musik_count; i++)
        if (rec->musiks[i].id == id)
            return &rec->musiks[i];
    return NULL;
}

int record_channel_of(const record *rec, poc_msk_id id)
{
    const record_musik *musik = musik_of(rec, id);
    if (musik != NULL)
        return musik->channel;
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

bool record_msk_after(const record *rec, poc_msk_id a, poc_msk_id b)
{
    const record_musik *later = musik_of(rec, a), *sooner = musik_of(rec, b);
    if (later != NULL && sooner != NULL)
        return later->channel == sooner->channel && later > sooner;
    uint16_t ahead = (uint16_t)(poc_msk_number(a) - poc_msk_number(b));
    return poc_msk_group(a) == poc_msk_group(b) && ahead != 0 && ahead < 0x8000u;
}

bool record_is_keyed(const record *rec, int client, int channel)
{
    const record_client *c = &rec->clients[client];
    const record_channel *on = &rec->channels[channel];
    if (on->msk_id == 0 || !on->made.musik.is_one)
        return on->msk_id != 0 && c->msk_id == on->msk_id;
    return c->musik_id[channel][0] == on->msk_id || c->musik_id[channel][1] == on->msk_id;
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

static void learn_musik(record *rec, const world_seen *seen)
{
    if (seen->channel == 0 || seen->mki.msk_id == 0 || musik_of(rec, seen->mki.msk_id) != NULL)
        return;
    rec->overflow = rec->overflow || rec->musik_count == RECORD_MUSIKS_MAX;
    if (rec->musik_count < RECORD_MUSIKS_MAX)
        rec->musiks[rec->musik_count++] = (record_musik){ seen->mki.msk_id, seen->channel - 1 };
}

static void learn_key(record *rec, record_client *c, poc_msk_id id)
{
    const record_musik *musik = musik_of(rec, id);
    if (musik != NULL) {
        uint32_t *held = c->musik_id[musik->channel];
        held[1] = held[0] != id ? held[0] : held[1];
        held[0] = id;
        return;
    }
    c->msk_id = id;
    if (c->channel >= 0)
        rec->channels[c->channel].key_group = poc_msk_group(id);
}

static void lose_musik(record_client *c, poc_msk_id id)
{
    for (size_t i = 0; i < RECORD_CHANNELS_MAX; i++)
        for (size_t k = 0; k < POC_COUNT(c->musik_id[i]); k++)
            if (c->musik_id[i][k] == id)
                c->musik_id[i][k] = 0;
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
        { WORLD_CSK, RECORD_CSKS },
        { WORLD_REVOKED, RECORD_REVOCATIONS },
    };
    for (size_t i = 0; i < POC_COUNT(counted); i++)
        c->counts[counted[i].count] += counted[i].what == what;
}

/* What becomes of a user of mission critical services. */
static void follow_mcx(record_client *c, const world_seen *seen)
{
    switch (seen->what) {
    case WORLD_PROVISIONED:
        c->provisioned = true;
        break;
    case WORLD_AUTHORISED:
        c->authorised = true;
        break;
    case WORLD_LOGGED_OFF:
        c->authorised = false;
        c->algorithm = 0;
        memset(c->musik_id, 0, sizeof(c->musik_id));
        break;
    case WORLD_ALGORITHM:
        c->algorithm = seen->status;
        break;
    case WORLD_REVOKED:
        lose_musik(c, seen->mki.msk_id);
        break;
    case WORLD_FLOOR:
        c->counts[RECORD_FLOOR] += seen->by_multicast;
        break;
    default:
        break;
    }
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
    follow_mcx(c, seen);
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
        if (seen->channel > 0)
            c->hears[seen->channel - 1] = c->listening;
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
    int at = seen->channel > 0 ? seen->channel - 1 : record_channel_of(rec, seen->mki.msk_id);
    if (at < 0 && rec->channel_count == 1)
        at = 0;
    if (at < 0)
        return;
    record_channel *channel = &rec->channels[at];
    channel->last_air_us = seen->at_us;
    if (seen->mki.msk_id == 0)
        return;
    if (channel->msk_id == 0 || record_msk_after(rec, seen->mki.msk_id, channel->msk_id))
        channel->msk_id = seen->mki.msk_id;
}

void record_see(void *user, const world_seen *seen)
{
    record *rec = user;
    learn_musik(rec, seen);
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
