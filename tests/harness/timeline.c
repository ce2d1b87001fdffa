#include "tests/harness/timeline.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define SILENCE_US 500000

void timeline_init(timeline *t, FILE *out)
{
    memset(t, 0, sizeof(*t));
    t->out = out;
    t->colour = isatty(fileno(out)) != 0;
    t->talker = -1;
}

static const char *name_of(const record *rec, int client)
{
    return client >= 0 && (size_t)client < rec->client_count ? rec->clients[client].made.name : "";
}

__attribute__((format(printf, 5, 6))) static void line(const timeline *t, const record *rec, const world_seen *seen,
                                                       const char *colour, const char *fmt, ...)
{
    fprintf(t->out, "%9.3f s  %s%-8s%s ", (double)seen->at_us / 1e6, t->colour ? colour : "",
            name_of(rec, seen->client), t->colour ? "\033[0m" : "");
    va_list args;
    va_start(args, fmt);
    vfprintf(t->out, fmt, args);
    va_end(args);
    fputc('\n', t->out);
}

#define PLAIN "\033[36m"
#define GOOD  "\033[32m"
#define BAD   "\033[31m"
#define KEY   "\033[33m"

static void see_played(timeline *t, const record *rec, const world_seen *seen)
{
    int c = seen->client;
    if (t->hears[c] && t->heard_by[c] == seen->by_multicast)
        return;
    t->hears[c] = true;
    t->heard_by[c] = seen->by_multicast;
    if (seen->by_multicast && seen->mki.msk_id == 0)
        line(t, rec, seen, GOOD, "hears by multicast");
    else if (seen->by_multicast)
        line(t, rec, seen, GOOD, "hears by multicast (MSK %08x, MTK %u)", seen->mki.msk_id, seen->mki.mtk_id);
    else
        line(t, rec, seen, GOOD, "hears by unicast");
}

static bool is_same_channel(const record *rec, poc_msk_id a, poc_msk_id b)
{
    const int channel = record_channel_of(rec, a);
    return poc_msk_group(a) == poc_msk_group(b) || (channel >= 0 && channel == record_channel_of(rec, b));
}

/* Who expelled somebody wants to see both: the key that is on air now, and who can no longer open it. */
static void see_on_air(timeline *t, const record *rec, const world_seen *seen)
{
    size_t i = 0;
    if (seen->mki.msk_id == 0) /* media under no key of ours */
        return;
    while (i < t->on_air_count && !is_same_channel(rec, t->on_air[i].msk_id, seen->mki.msk_id))
        i++;
    if (i == RECORD_CHANNELS_MAX || (i < t->on_air_count && poc_mki_eq(t->on_air[i], seen->mki)))
        return;
    t->on_air[i] = seen->mki;
    t->on_air_count += i == t->on_air_count;
    line(t, rec, seen, KEY, "on air now: MSK %08x, MTK %u", seen->mki.msk_id, seen->mki.mtk_id);
}

static void see_unreadable(timeline *t, const record *rec, const world_seen *seen)
{
    if (!t->hears[seen->client])
        return;
    t->hears[seen->client] = false;
    line(t, rec, seen, BAD, "hears nothing: cannot open MSK %08x, MTK %u", seen->mki.msk_id, seen->mki.mtk_id);
}

static void see_sent(timeline *t, const record *rec, const world_seen *seen)
{
    if (t->talker != seen->client || seen->at_us - t->last_sent_us > SILENCE_US)
        line(t, rec, seen, PLAIN, "talks");
    t->talker = seen->client;
    t->last_sent_us = seen->at_us;
}

static const struct {
    world_what what;
    const char *colour;
    const char *text;
    enum { BARE, STATUS, MSK } detail;
} texts[] = {
    { WORLD_BOOTSTRAPPED, PLAIN, "has bootstrapped", BARE },
    { WORLD_JOINING, PLAIN, "joins", BARE },
    { WORLD_IN, GOOD, "is in the session", BARE },
    { WORLD_REFUSED, BAD, "is refused with", STATUS },
    { WORLD_OUT, PLAIN, "has left", BARE },
    { WORLD_BYED, BAD, "got a BYE", BARE },
    { WORLD_OFFERED, PLAIN, "answered an offer of the PF with", STATUS },
    { WORLD_ON_GROUP, PLAIN, "listens to the group", BARE },
    { WORLD_OFF_GROUP, PLAIN, "turned away from the group", BARE },
    { WORLD_KEY, KEY, "holds MSK", MSK },
    { WORLD_REGISTERING, PLAIN, "registers", BARE },
    { WORLD_REGISTERED, GOOD, "is registered", BARE },
    { WORLD_DEREGISTERED, PLAIN, "has deregistered", BARE },
    { WORLD_GRANTED, PLAIN, "will be pushed MSK", MSK },
    { WORLD_DENIED, BAD, "is denied with", STATUS },
    { WORLD_BOOTSTRAP_NEEDED, PLAIN, "has to bootstrap first", BARE },
    { WORLD_SERVICE_LEFT, BAD, "gives the service up", BARE },
    { WORLD_COVERED, PLAIN, "in coverage:", STATUS },
    { WORLD_MOVED, PLAIN, "has another address", BARE },
    { WORLD_EXPELLED, BAD, "is expelled", BARE },
    { WORLD_SESSION_OVER, BAD, "the CF ends the session", BARE },
    { WORLD_PF_CRASHED, BAD, "the PF crashed", BARE },
    { WORLD_PF_BACK, GOOD, "the PF is back", BARE },
    { WORLD_REKEY_ASKED, PLAIN, "the operator orders a rekey", BARE },
    { WORLD_PROVISIONED, PLAIN, "has keys from the KMS", BARE },
    { WORLD_UPLOADING, PLAIN, "brings a CSK", BARE },
    { WORLD_AUTHORISED, GOOD, "is authorised", BARE },
    { WORLD_LOGGED_OFF, PLAIN, "has logged off", BARE },
    { WORLD_LISTENS, PLAIN, "reports that it hears the bearer:", STATUS },
    { WORLD_CSK, KEY, "has CSK", MSK },
    { WORLD_ALGORITHM, KEY, "protects signalling with AES-GCM and a key of octets:", STATUS },
    { WORLD_REVOKED, KEY, "is not to use key", MSK },
    { WORLD_CLEAR_ON_AIR, BAD, "UNPROTECTED on the group", BARE },
};

static void see_other(const timeline *t, const record *rec, const world_seen *seen)
{
    for (size_t i = 0; i < POC_COUNT(texts); i++) {
        if (texts[i].what != seen->what)
            continue;
        if (texts[i].detail == STATUS)
            line(t, rec, seen, texts[i].colour, "%s %d", texts[i].text, seen->status);
        else if (texts[i].detail == MSK)
            line(t, rec, seen, texts[i].colour, "%s %08x", texts[i].text, seen->mki.msk_id);
        else
            line(t, rec, seen, texts[i].colour, "%s", texts[i].text);
    }
}

void timeline_see(void *user, const record *rec, const world_seen *seen)
{
    timeline *t = user;
    switch (seen->what) {
    case WORLD_PLAYED:
        see_played(t, rec, seen);
        break;
    case WORLD_SENT:
        see_sent(t, rec, seen);
        break;
    case WORLD_ON_AIR:
    case WORLD_FLOOR_ON_AIR:
        if (seen->what == WORLD_ON_AIR || seen->channel > 0)
            see_on_air(t, rec, seen);
        break;
    case WORLD_UNREADABLE:
        see_unreadable(t, rec, seen);
        break;
    case WORLD_NOTE:
        if (seen->text[0] != '\0')
            line(t, rec, seen, PLAIN, "%s", seen->text);
        break;
    default:
        see_other(t, rec, seen);
        break;
    }
}
