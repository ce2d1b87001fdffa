#include "tests/harness/measure.h"

#include <stdlib.h>
#include <string.h>

/* One media packet by its SSRC and sequence number, on its way from the talker over the air to each client (a bit each). */
typedef struct packet {
    bool used;
    uint32_t ssrc;
    uint16_t seq;
    int sender, channel;
    int64_t sent_us, on_air_us; /* MEASURE_NEVER */
    uint64_t ready;             /* had opened an MTK and were listening when it was sent or on air */
    uint64_t played, unreadable;
} packet;

typedef struct walk {
    const record *rec;
    measure *out;
    packet *packets;
    size_t slot_count; /* a power of two */
    uint64_t ready;    /* clients that can be expected to open what is on air */
    uint64_t in, registered;
    uint64_t keyed;                       /* got an MSK in their present stay */
    uint64_t held[RECORD_CHANNELS_MAX];   /* of a channel under a MuSiK: who was given one and belongs to it */
    uint64_t follow[RECORD_CHANNELS_MAX]; /* and has opened something under it, and listens */
    uint64_t listening;
    int channel_of[WORLD_CLIENTS_MAX];
    int64_t listening_us[WORLD_CLIENTS_MAX];
    poc_msk_id msk[RECORD_CHANNELS_MAX]; /* on air */
    size_t rekey_cap;
} walk;

static uint64_t bit(int client)
{
    return UINT64_C(1) << client;
}

static packet *packet_of(walk *w, const world_seen *seen)
{
    size_t mask = w->slot_count - 1;
    size_t at = (seen->ssrc * UINT32_C(2654435761) ^ seen->seq * UINT32_C(40503)) & mask;
    while (w->packets[at].used && (w->packets[at].ssrc != seen->ssrc || w->packets[at].seq != seen->seq))
        at = (at + 1) & mask;
    packet *p = &w->packets[at];
    if (!p->used)
        *p = (packet){ .used = true,
                       .ssrc = seen->ssrc,
                       .seq = seen->seq,
                       .sender = -1,
                       .channel = -1,
                       .sent_us = MEASURE_NEVER,
                       .on_air_us = MEASURE_NEVER };
    return p;
}

/* Who has a session, or has registered. */
static uint64_t present(const walk *w)
{
    return w->in | w->registered;
}

/* ---- rekeys ---- */

static bool is_musik(const walk *w, int channel)
{
    return channel >= 0 && w->rec->channels[channel].made.musik.is_one;
}

static bool is_trigger(const walk *w, const world_seen *seen, int channel)
{
    if (seen->channel > 0)
        return seen->channel - 1 == channel;
    if (seen->what == WORLD_LOGGED_OFF && is_musik(w, channel))
        return true;
    if (seen->what == WORLD_REKEY_ASKED)
        return seen->status == channel;
    return seen->client >= 0 && w->channel_of[seen->client] == channel;
}

static bool left_region(const walk *w, const world_seen *seen)
{
    return seen->status == 0 && is_musik(w, seen->channel - 1);
}

static const char *reason_of(const walk *w, const world_seen *seen, int channel)
{
    const world_channel *policy = &w->rec->channels[channel].made;
    if (seen->what == WORLD_PF_CRASHED)
        return "restart";
    if (!is_trigger(w, seen, channel))
        return NULL;
    if (seen->what == WORLD_EXPELLED)
        return "expel";
    if (seen->what == WORLD_REKEY_ASKED)
        return "operator";
    if (seen->what == WORLD_LISTENS)
        return left_region(w, seen) && strcmp(policy->on_leave, "never") != 0 ? "leave" : NULL;
    if ((seen->what == WORLD_OUT || seen->what == WORLD_DEREGISTERED || seen->what == WORLD_LOGGED_OFF) &&
        strcmp(policy->on_leave, "never") != 0)
        return "leave";
    if ((seen->what == WORLD_IN || seen->what == WORLD_REGISTERED) && policy->on_join)
        return "join";
    return NULL;
}

/* The weightiest thing that happened since the switch before this one is why the MSK changed. */
static int weight(const char *reason)
{
    static const char *const order[] = { "join", "leave", "operator", "restart", "expel" };
    for (size_t i = 0; reason != NULL && i < POC_COUNT(order); i++)
        if (strcmp(reason, order[i]) == 0)
            return (int)i + 1;
    return 0;
}

static const char *reason_by_policy(const world_channel *policy)
{
    if (policy->max_mtk > 0)
        return "max-mtk";
    return policy->interval_s > 0 ? "interval" : "other";
}

/* The first client that got the MSK before it was on air; MEASURE_NEVER: nobody was reached. */
static int64_t first_key_us(const record *rec, poc_msk_id id, size_t until)
{
    for (size_t i = 0; i < until; i++)
        if (rec->seen[i].what == WORLD_KEY && rec->seen[i].mki.msk_id == id)
            return rec->seen[i].at_us;
    return MEASURE_NEVER;
}

static void explain(const walk *w, measure_rekey *r, size_t until)
{
    const record *rec = w->rec;
    int64_t since_us = MEASURE_NEVER, expelled_us = MEASURE_NEVER, trigger_us = r->switch_us;
    for (size_t i = 0; i < w->out->rekey_count; i++)
        if (w->out->rekeys[i].channel == r->channel)
            since_us = w->out->rekeys[i].switch_us;
    r->reason = NULL;
    for (size_t i = 0; i < until; i++) {
        const world_seen *seen = &rec->seen[i];
        const char *reason = seen->at_us >= since_us ? reason_of(w, seen, r->channel) : NULL;
        if (seen->what == WORLD_EXPELLED && reason != NULL && expelled_us == MEASURE_NEVER)
            expelled_us = seen->at_us;
        if (weight(reason) > weight(r->reason)) {
            r->reason = reason;
            trigger_us = seen->at_us;
        }
    }
    if (r->reason == NULL)
        r->reason = reason_by_policy(&rec->channels[r->channel].made);
    r->start_us = expelled_us != MEASURE_NEVER ? expelled_us : first_key_us(rec, r->new_id, until);
    if (r->start_us == MEASURE_NEVER)
        r->start_us = trigger_us;
}

#define TIMER_SLACK_US 60000

/* Who did not get the new MSK although the PF waited its full deadline was not reachable. A PF that switches earlier has
 * no such excuse. */
static bool waited_enough(const walk *w, const measure_rekey *r)
{
    int64_t deadline_us = (int64_t)w->rec->channels[r->channel].made.deadline_ms * 1000;
    return r->switch_us - r->start_us >= deadline_us - TIMER_SLACK_US;
}

/* Members are those who are in and hold, or are being given, the channel's MSK; confirmed are those who hold the new one. */
static void count_members(const walk *w, measure_rekey *r, size_t until)
{
    uint64_t have = 0;
    for (size_t i = 0; i < until; i++) {
        const world_seen *seen = &w->rec->seen[i];
        if (seen->what == WORLD_KEY && seen->mki.msk_id == r->new_id)
            have |= bit(seen->client);
    }
    for (int c = 0; c < (int)w->rec->client_count; c++) {
        bool is_member = is_musik(w, r->channel)
                             ? (w->held[r->channel] & bit(c)) != 0
                             : w->channel_of[c] == r->channel && (present(w) & w->keyed & bit(c)) != 0;
        r->members += is_member;
        r->confirmed += is_member && (have & bit(c)) != 0;
        if (is_member && waited_enough(w, r))
            r->unreached |= bit(c) & ~have;
    }
}

static poc_err add_rekey(walk *w, int channel, size_t at)
{
    measure *m = w->out;
    if (m->rekey_count == w->rekey_cap) {
        size_t cap = w->rekey_cap == 0 ? 8 : w->rekey_cap * 2;
        measure_rekey *more = realloc(m->rekeys, cap * sizeof(*more));
        if (more == NULL)
            return POC_E_NOMEM;
        m->rekeys = more;
        w->rekey_cap = cap;
    }
    const world_seen *seen = &w->rec->seen[at];
    measure_rekey r = { .channel = channel,
                        .old_id = w->msk[channel],
                        .new_id = seen->mki.msk_id,
                        .switch_us = seen->at_us,
                        .exposure_us = MEASURE_NEVER };
    explain(w, &r, at);
    count_members(w, &r, at);
    m->rekeys[m->rekey_count++] = r;
    return POC_OK;
}

static poc_err see_msk_on_air(walk *w, size_t at)
{
    const world_seen *seen = &w->rec->seen[at];
    int channel = record_channel_of(w->rec, seen->mki.msk_id);
    if (channel < 0 || seen->what == WORLD_CLEAR_ON_AIR)
        return POC_OK;
    if (w->msk[channel] != 0 && !record_msk_after(w->rec, seen->mki.msk_id, w->msk[channel]))
        return POC_OK;
    if (w->msk[channel] != 0)
        POC_TRY(add_rekey(w, channel, at));
    w->msk[channel] = seen->mki.msk_id;
    return POC_OK;
}

/* ---- the walk through the observations ---- */

static void end_stay(walk *w, int client)
{
    w->ready &= ~bit(client);
    w->in &= ~bit(client);
    w->registered &= ~bit(client);
    w->keyed &= ~bit(client);
}

/* Who is in already and says so again, or has two ways in, is in the stay that it was in. */
static void begin_stay(walk *w, const world_seen *seen)
{
    measure_client *c = &w->out->clients[seen->client];
    if ((present(w) & bit(seen->client)) != 0 && w->channel_of[seen->client] == seen->status)
        return;
    w->channel_of[seen->client] = seen->status;
    c->joining_us = seen->at_us;
    c->first_any_us = c->first_multicast_us = MEASURE_NEVER;
}

/* Who belongs to a channel under a MuSiK, and who can be expected to open what is on air in it. */
static void see_musik(walk *w, const world_seen *seen)
{
    const uint64_t me = bit(seen->client);
    const int channel = seen->channel > 0 ? seen->channel - 1 : record_channel_of(w->rec, seen->mki.msk_id);
    const bool leaves_all = seen->what == WORLD_LOGGED_OFF, is_deaf = seen->what == WORLD_COVERED;
    for (size_t i = 0; i < RECORD_CHANNELS_MAX; i++) {
        w->held[i] &= leaves_all ? ~me : ~UINT64_C(0);
        w->follow[i] &= leaves_all || is_deaf ? ~me : ~UINT64_C(0);
    }
    if (!is_musik(w, channel))
        return;
    if (seen->what == WORLD_KEY)
        w->held[channel] |= me;
    if (seen->what == WORLD_EXPELLED || (seen->what == WORLD_LISTENS && seen->status == 0)) {
        w->held[channel] &= ~me;
        w->follow[channel] &= ~me;
    }
    if (seen->what == WORLD_OFF_GROUP)
        w->follow[channel] &= ~me;
    if (seen->what == WORLD_EXPELLED)
        w->channel_of[seen->client] = channel;
    if (seen->what == WORLD_FLOOR || seen->what == WORLD_MAPPED)
        w->follow[channel] |= w->held[channel] & me;
}

static void see_client(walk *w, const world_seen *seen)
{
    measure_client *c = &w->out->clients[seen->client];
    uint64_t me = bit(seen->client);
    see_musik(w, seen);
    switch (seen->what) {
    case WORLD_JOINING:
    case WORLD_REGISTERING:
        begin_stay(w, seen);
        break;
    case WORLD_IN:
        w->in |= me;
        break;
    case WORLD_REGISTERED:
        w->registered |= me;
        break;
    case WORLD_KEY:
        w->keyed |= me;
        break;
    case WORLD_ON_GROUP:
        w->listening |= me;
        if (w->listening_us[seen->client] == MEASURE_NEVER)
            w->listening_us[seen->client] = seen->at_us;
        break;
    case WORLD_OFF_GROUP:
        w->listening &= ~me;
        w->ready &= ~me;
        break;
    case WORLD_MTK:
        if ((present(w) & w->listening & me) != 0)
            w->ready |= me;
        break;
    case WORLD_EXPELLED:
        c->expelled_us = seen->at_us;
        if (seen->channel == 0) /* else he has his session all the same */
            end_stay(w, seen->client);
        break;
    case WORLD_DEREGISTERED:
        w->registered &= ~me;
        if ((w->in & me) == 0)
            end_stay(w, seen->client);
        break;
    case WORLD_OUT:
    case WORLD_BYED:
    case WORLD_SERVICE_LEFT:
        end_stay(w, seen->client);
        break;
    case WORLD_COVERED: /* what was missed out there is no rekey's doing */
        w->ready &= ~me;
        break;
    default:
        break;
    }
}

static void see_played(walk *w, const world_seen *seen)
{
    measure_client *c = &w->out->clients[seen->client];
    packet_of(w, seen)->played |= bit(seen->client);
    c->packets_played++;
    c->packets_by_multicast += seen->by_multicast;
    if (c->first_us == MEASURE_NEVER)
        c->first_us = seen->at_us;
    c->last_us = seen->at_us;
    if (c->first_any_us == MEASURE_NEVER)
        c->first_any_us = seen->at_us;
    if (seen->by_multicast && c->first_multicast_us == MEASURE_NEVER)
        c->first_multicast_us = seen->at_us;
}

static void see_on_air(walk *w, const world_seen *seen)
{
    packet *p = packet_of(w, seen);
    if (p->on_air_us == MEASURE_NEVER)
        p->on_air_us = seen->at_us;
    p->channel = record_channel_of(w->rec, seen->mki.msk_id);
    w->out->media_on_air++;
    for (int c = 0; c < (int)w->rec->client_count; c++)
        if (w->channel_of[c] == p->channel && w->listening_us[c] != MEASURE_NEVER)
            w->out->clients[c].packets_on_air++;
}

static void see_sent(walk *w, const world_seen *seen)
{
    packet *p = packet_of(w, seen);
    p->sent_us = seen->at_us;
    p->sender = seen->client;
    p->channel = seen->client >= 0 ? w->channel_of[seen->client] : seen->status;
    /* The PF drops what an expelled one still says: that is no gap. */
    p->ready = seen->client < 0 || (w->in & bit(seen->client)) != 0 ? w->ready : 0;
}

/* Only who was able to follow the channel can lose something by a rekey: not a newcomer before its first STKM. */
static void see_unreadable(walk *w, const world_seen *seen)
{
    const uint64_t ready = seen->channel > 0 ? w->follow[seen->channel - 1] : w->ready;
    if ((ready & bit(seen->client)) != 0)
        packet_of(w, seen)->unreadable |= bit(seen->client);
}

/* A control packet under a MuSiK has an identity, as a media packet has. */
static void see_control(walk *w, const world_seen *seen)
{
    packet *p = packet_of(w, seen);
    if (p->on_air_us == MEASURE_NEVER)
        p->on_air_us = seen->at_us;
    p->channel = seen->channel - 1;
}

static poc_err see(walk *w, size_t at)
{
    const world_seen *seen = &w->rec->seen[at];
    if (record_is_on_air(seen->what))
        POC_TRY(see_msk_on_air(w, at));
    if (seen->what == WORLD_FLOOR_ON_AIR && seen->channel > 0)
        see_control(w, seen);
    if (seen->what == WORLD_ON_AIR)
        see_on_air(w, seen);
    w->out->in_clear += seen->what == WORLD_CLEAR_ON_AIR;
    if (seen->what == WORLD_SENT)
        see_sent(w, seen);
    if (seen->client < 0)
        return POC_OK;
    see_client(w, seen);
    if (seen->what == WORLD_PLAYED)
        see_played(w, seen);
    if (seen->what == WORLD_UNREADABLE)
        see_unreadable(w, seen);
    return POC_OK;
}

/* ---- gap ---- */

static measure_rekey *rekey_at(measure *m, int channel, int64_t at_us)
{
    measure_rekey *found = NULL;
    for (size_t i = 0; i < m->rekey_count; i++)
        if (m->rekeys[i].channel == channel && m->rekeys[i].start_us <= at_us)
            found = &m->rekeys[i];
    return found;
}

/* Held back for the switch and then dropped: nobody could open it either. A crash of the PF is not a rekey's doing. */
static bool lost_in_rekey(const packet *p, const measure_rekey *r)
{
    return p->on_air_us == MEASURE_NEVER && p->sent_us != MEASURE_NEVER && r != NULL && p->sent_us < r->switch_us &&
           strcmp(r->reason, "restart") != 0;
}

static void count_gap(walk *w, const packet *p)
{
    int64_t at_us = p->on_air_us != MEASURE_NEVER ? p->on_air_us : p->sent_us;
    if (at_us == MEASURE_NEVER)
        return;
    measure_rekey *r = rekey_at(w->out, p->channel, at_us);
    uint64_t lost = p->unreadable;
    if (lost_in_rekey(p, r))
        lost |= p->ready & (p->sender >= 0 ? ~bit(p->sender) : ~UINT64_C(0));
    lost &= ~p->played & ~(r != NULL ? r->unreached : 0);
    for (int c = 0; lost != 0 && c < (int)w->rec->client_count; c++) {
        if ((lost & bit(c)) == 0 || (w->channel_of[c] != p->channel && !is_musik(w, p->channel)))
            continue;
        w->out->clients[c].gap_packets++;
        if (r != NULL)
            r->gap_packets++;
    }
}

/* ---- exposure ---- */

/* When the packet that a client opened had been on air; its own time when that was not seen. */
static int64_t aired_us(walk *w, const world_seen *seen)
{
    const bool is_control = (seen->what == WORLD_FLOOR || seen->what == WORLD_MAPPED) && seen->ssrc != 0;
    if ((seen->what != WORLD_PLAYED && !is_control) || !seen->by_multicast)
        return seen->at_us;
    const packet *p = packet_of(w, seen);
    return p->on_air_us != MEASURE_NEVER ? p->on_air_us : seen->at_us;
}

static bool was_given(const record *rec, int client, poc_msk_id id, size_t until)
{
    for (size_t i = 0; i < until; i++)
        if (rec->seen[i].what == WORLD_KEY && rec->seen[i].client == client && rec->seen[i].mki.msk_id == id)
            return true;
    return false;
}

/* On sockets it takes a while until the PF hears of the expulsion; its BYE shows that it has. Until then it may end another
 * rekey, with a key that this client was given as one of those who stay. */
static bool is_of_before(const walk *w, const measure_rekey *r, int client, size_t from)
{
    if (strcmp(w->rec->world, "real") != 0 || !was_given(w->rec, client, r->new_id, from))
        return false;
    for (size_t i = from; i < w->rec->seen_count; i++)
        if (w->rec->seen[i].what == WORLD_BYED && w->rec->seen[i].client == client)
            return r->switch_us < w->rec->seen[i].at_us;
    return false;
}

static int64_t switch_after(const walk *w, int client, size_t from, poc_msk_id *new_id)
{
    for (size_t i = 0; i < w->out->rekey_count; i++) {
        const measure_rekey *r = &w->out->rekeys[i];
        if (r->channel != w->channel_of[client] || r->switch_us < w->rec->seen[from].at_us ||
            is_of_before(w, r, client, from))
            continue;
        *new_id = r->new_id;
        return r->switch_us;
    }
    return MEASURE_NEVER;
}

/* The MSK in use had changed already, without this client: the expulsion itself is the switch. */
static bool was_left_behind(const walk *w, int client, size_t until)
{
    poc_msk_id on_air = 0;
    for (size_t i = 0; i < until; i++) {
        const world_seen *seen = &w->rec->seen[i];
        bool is_here = record_channel_of(w->rec, seen->mki.msk_id) == w->channel_of[client];
        if (record_is_on_air(seen->what) && is_here &&
            (on_air == 0 || record_msk_after(w->rec, seen->mki.msk_id, on_air)))
            on_air = seen->mki.msk_id;
    }
    return on_air != 0 && !was_given(w->rec, client, on_air, until);
}

static bool opened(const world_seen *seen, int client)
{
    return seen->client == client && (seen->what == WORLD_PLAYED || seen->what == WORLD_MAPPED ||
                                      (seen->what == WORLD_FLOOR && seen->by_multicast));
}

/* A join, or a registration that is not refused: what comes then the client may hear again. */
static bool begins_stay(const record *rec, size_t at)
{
    const world_seen *asked = &rec->seen[at];
    if (asked->what != WORLD_REGISTERING)
        return asked->what == WORLD_JOINING;
    for (size_t i = at + 1; i < rec->seen_count; i++)
        if (rec->seen[i].client == asked->client &&
            (rec->seen[i].what == WORLD_REGISTERED || rec->seen[i].what == WORLD_DENIED))
            return rec->seen[i].what == WORLD_REGISTERED;
    return false;
}

/* From the expulsion to the next stay: what can this client still open, and what of it came after the switch? */
static void expose(walk *w, int client, size_t from)
{
    measure_client *c = &w->out->clients[client];
    const record *rec = w->rec;
    poc_msk_id new_id = 0;
    int channel = w->channel_of[client];
    int64_t last_us = c->expelled_us;
    c->switch_us = switch_after(w, client, from, &new_id);
    if (was_left_behind(w, client, from)) {
        c->switch_us = c->expelled_us;
        new_id = 0;
    }
    for (size_t i = from; i < rec->seen_count; i++) {
        const world_seen *seen = &rec->seen[i];
        if (seen->client == client && begins_stay(rec, i))
            break;
        bool is_later = c->switch_us != MEASURE_NEVER && seen->at_us >= c->switch_us;
        if (is_later && (seen->what == WORLD_ON_AIR || seen->what == WORLD_FLOOR_ON_AIR))
            c->on_air_after_switch += record_channel_of(rec, seen->mki.msk_id) == channel;
        if (!opened(seen, client))
            continue;
        int64_t at_us = aired_us(w, seen);
        last_us = at_us > last_us ? at_us : last_us;
        bool is_new = new_id != 0 && seen->by_multicast && seen->mki.msk_id == new_id;
        c->opened_after_switch += is_new || (c->switch_us != MEASURE_NEVER && at_us >= c->switch_us);
    }
    c->exposure_us = last_us - c->expelled_us;
}

static void expose_all(walk *w)
{
    for (size_t i = 0; i < w->rec->seen_count; i++) {
        const world_seen *seen = &w->rec->seen[i];
        if (seen->what != WORLD_EXPELLED || seen->client < 0)
            continue;
        measure_client *c = &w->out->clients[seen->client];
        c->expelled_us = seen->at_us;
        c->on_air_after_switch = c->opened_after_switch = 0;
        expose(w, seen->client, i);
        for (size_t r = 0; r < w->out->rekey_count; r++) {
            measure_rekey *rekey = &w->out->rekeys[r];
            if (rekey->channel == w->channel_of[seen->client] && rekey->switch_us == c->switch_us &&
                c->exposure_us > rekey->exposure_us)
                rekey->exposure_us = c->exposure_us;
        }
    }
}

/* ---- door ---- */

static size_t slots_for(const record *rec)
{
    size_t packets = 16;
    for (size_t i = 0; i < rec->seen_count; i++) {
        world_what what = rec->seen[i].what;
        packets += what == WORLD_ON_AIR || what == WORLD_SENT || what == WORLD_PLAYED || what == WORLD_UNREADABLE ||
                   what == WORLD_FLOOR_ON_AIR || what == WORLD_FLOOR || what == WORLD_MAPPED;
    }
    size_t slots = 64;
    while (slots < packets * 2)
        slots *= 2;
    return slots;
}

static void begin(walk *w, measure *out, const record *rec)
{
    memset(out, 0, sizeof(*out));
    *w = (walk){ .rec = rec, .out = out };
    for (size_t c = 0; c < WORLD_CLIENTS_MAX; c++) {
        measure_client *m = &out->clients[c];
        m->first_us = m->last_us = m->joining_us = m->first_any_us = m->first_multicast_us = MEASURE_NEVER;
        m->expelled_us = m->switch_us = MEASURE_NEVER;
        w->channel_of[c] = -1;
        w->listening_us[c] = MEASURE_NEVER;
    }
}

static poc_err walk_all(walk *w)
{
    for (size_t i = 0; i < w->rec->seen_count; i++)
        POC_TRY(see(w, i));
    for (size_t i = 0; i < w->slot_count; i++)
        if (w->packets[i].used)
            count_gap(w, &w->packets[i]);
    expose_all(w);
    return POC_OK;
}

poc_err measure_run(measure *out, const record *rec)
{
    walk w;
    begin(&w, out, rec);
    w.slot_count = slots_for(rec);
    w.packets = calloc(w.slot_count, sizeof(*w.packets));
    if (w.packets == NULL || rec->overflow) {
        free(w.packets);
        return POC_E_NOMEM;
    }
    poc_err err = walk_all(&w);
    free(w.packets);
    if (err != POC_OK)
        measure_done(out);
    return err;
}

void measure_done(measure *m)
{
    free(m->rekeys);
    memset(m, 0, sizeof(*m));
}

uint32_t measure_new_msks(const record *rec, int channel, int64_t since_us, int64_t until_us)
{
    poc_msk_id newest = 0;
    uint32_t count = 0;
    for (size_t i = 0; i < rec->seen_count; i++) {
        const world_seen *seen = &rec->seen[i];
        bool names_key = seen->what == WORLD_KEY || record_is_on_air(seen->what);
        if (!names_key || record_channel_of(rec, seen->mki.msk_id) != channel)
            continue;
        if (newest != 0 && !record_msk_after(rec, seen->mki.msk_id, newest))
            continue;
        count += newest != 0 && seen->at_us >= since_us && seen->at_us <= until_us;
        newest = seen->mki.msk_id;
    }
    return count;
}

int measure_wrong_holder(const record *rec, int channel, uint64_t wanted, const char **how)
{
    poc_msk_id current = rec->channels[channel].msk_id;
    for (int c = 0; c < (int)rec->client_count; c++) {
        bool is_wanted = (wanted & bit(c)) != 0;
        *how = is_wanted ? "does not hold it" : "was given it too";
        if (is_wanted ? !record_is_keyed(rec, c, channel) : record_was_given(rec, c, current))
            return c;
    }
    return -1;
}
