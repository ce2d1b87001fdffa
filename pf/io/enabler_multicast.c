#include "pf/io/enabler_multicast.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/table.h"
#include "pf/io/group_socket.h"
#include "pf/io/now.h"
#include "pf/io/protection.h"
#include "pf/io/wake.h"

/** What is told from the loop later on: at most one of each per channel, in this order. */
enum {
    NEWS_STARTED = 1u << BCAST_STARTED,
    NEWS_FAILED = 1u << BCAST_FAILED,
    NEWS_DOWN = 1u << BCAST_DOWN,
    NEWS_UP = 1u << BCAST_UP,
    NEWS_STOPPED = 1u << BCAST_STOPPED
};

typedef struct air {
    enabler_multicast *enabler;
    bcast_channel channel; /* without its groups, which the protection has taken */
    protection *protection;
    int fd;
    bool is_down; /* the last datagram could not be sent */
    unsigned news;
    int why; /* errno of the failure */
    uint32_t mtks_told;
    poc_msk_id msk_told;
    wake *timer; /* of the protection */
} air;

struct enabler_multicast {
    su_root_t *root;
    protection_settings settings;
    char interface[IF_NAMESIZE];
    poc_rng rng;
    bcast_event_fn *event;
    enabler_mtk_fn *mtk;
    void *user;
    poc_table channels; /* on air, by id */
    air **ending;       /* off air, not told yet */
    size_t ending_count, ending_room;
    wake *teller;
    enabler_multicast_counts counts;
};

/* ---- news ---- */

static void tell_later(air *a, unsigned news)
{
    a->news |= news;
    wake_soon(a->enabler->teller);
}

static const char *why_of(const air *a, bcast_event event)
{
    switch (event) {
    case BCAST_FAILED:
    case BCAST_DOWN:
        return strerrordesc_np(a->why);
    case BCAST_STARTED:
    case BCAST_UP:
    case BCAST_STOPPED:
        break;
    }
    return "";
}

static void tell_mtks(air *a)
{
    poc_msk_id msk_id;
    const uint32_t mtks = protection_mtks(a->protection, &msk_id);
    if (mtks == 0 || (mtks == a->mtks_told && msk_id == a->msk_told))
        return;
    a->mtks_told = mtks;
    a->msk_told = msk_id;
    a->enabler->mtk(a->enabler->user, a->channel.id, msk_id, mtks);
}

/** Tells what is new of one channel. The listener may stop the channel meanwhile: then it is among the ending ones. */
static void tell_air(air *a)
{
    bcast_event events[] = { BCAST_STARTED, BCAST_FAILED, BCAST_DOWN, BCAST_UP, BCAST_STOPPED };
    for (size_t i = 0; i < POC_COUNT(events); i++) {
        unsigned bit = 1u << events[i];
        if ((a->news & bit) == 0)
            continue;
        a->news &= ~bit;
        a->enabler->event(a->enabler->user, a->channel.id, events[i], why_of(a, events[i]));
    }
}

static void air_free(air *a)
{
    if (a == NULL)
        return;
    protection_free(a->protection);
    wake_free(a->timer);
    if (a->fd >= 0)
        (void)close(a->fd);
    free(a);
}

static void tell(void *user)
{
    enabler_multicast *e = (enabler_multicast *)user;
    air *a;
    for (size_t at = 0; (a = (air *)poc_table_next(&e->channels, &at)) != NULL;) {
        if (a->news == 0)
            continue;
        tell_air(a);
        at = 0; /* what was told may have changed the table */
    }
    while (e->ending_count > 0) {
        a = e->ending[--e->ending_count];
        tell_air(a);
        air_free(a);
    }
    for (size_t at = 0; (a = (air *)poc_table_next(&e->channels, &at)) != NULL;)
        tell_mtks(a);
}

/* ---- sending ---- */

/** Down with the first datagram that cannot leave, up with the next that can; each is told once. A full queue is loss, as
 *  on any network, not an outage. */
static void note_result(air *a, bool sent, int why)
{
    enabler_multicast *e = a->enabler;
    if (sent)
        e->counts.datagrams++;
    else
        e->counts.send_errors++;
    if (!sent && (why == EAGAIN || why == ENOBUFS || why == EMSGSIZE))
        return;
    if (sent == !a->is_down)
        return;
    a->is_down = !sent;
    a->why = why;
    unsigned opposite = sent ? NEWS_DOWN : NEWS_UP;
    if ((a->news & opposite) != 0)
        a->news &= ~opposite; /* not told yet: nothing has happened */
    else
        tell_later(a, sent ? NEWS_UP : NEWS_DOWN);
}

static void carrier_send(void *ctx, bcast_flow flow, const uint8_t *datagram, size_t n)
{
    air *a = (air *)ctx;
    const int why = group_socket_send(a->fd, &a->channel, flow, poc_span_of(datagram, n));
    note_result(a, why == 0, why);
}

/** After every operation: the next deadline of the protection, and whether it made MTKs. */
static void settle(air *a)
{
    poc_msk_id msk_id;
    const uint32_t mtks = protection_mtks(a->protection, &msk_id);
    if (mtks != a->mtks_told || msk_id != a->msk_told)
        tell_later(a, 0);
    wake_at(a->timer, protection_deadline(a->protection));
}

static void on_timer(void *user)
{
    air *a = (air *)user;
    protection_tick(a->protection, io_now_ms());
    settle(a);
}

/* ---- the adapter ---- */

static air *air_of(enabler_multicast *e, const char *id)
{
    return (air *)poc_table_get(&e->channels, poc_span_str(id));
}

/** Room among the ending ones is made when the channel starts, so that stopping cannot fail. */
static poc_err reserve_end(enabler_multicast *e)
{
    size_t wanted = e->channels.count + e->ending_count + 1;
    if (wanted <= e->ending_room)
        return POC_OK;
    air **more = (air **)realloc(e->ending, 2 * wanted * sizeof(air *));
    if (more == NULL)
        return POC_E_NOMEM;
    e->ending = more;
    e->ending_room = 2 * wanted;
    return POC_OK;
}

/** Off air: keys wiped and socket closed now, told later. */
static void end(air *a, unsigned news)
{
    enabler_multicast *e = a->enabler;
    (void)poc_table_remove(&e->channels, poc_span_str(a->channel.id));
    protection_free(a->protection);
    a->protection = NULL;
    wake_at(a->timer, INT64_MAX);
    e->ending[e->ending_count++] = a;
    a->news = 0; /* what was not told yet is history */
    tell_later(a, news);
}

static poc_err air_new(air **out, enabler_multicast *e, const bcast_channel *channel, const bcast_msk *key)
{
    air *a = (air *)calloc(1, sizeof(*a));
    if (a == NULL)
        return POC_E_NOMEM;
    *a = (air){ .enabler = e, .channel = *channel, .fd = -1 };
    a->channel.groups = NULL;
    a->channel.group_count = 0;
    bcast_carrier carrier = { carrier_send, a };
    poc_err err = protection_new(&a->protection, &e->settings, channel, key, carrier, &e->rng);
    if (err == POC_OK)
        err = wake_new(&a->timer, e->root, on_timer, a);
    if (err == POC_OK)
        err = reserve_end(e);
    if (err == POC_OK)
        err = poc_table_put(&e->channels, poc_span_str(a->channel.id), a);
    if (err != POC_OK) {
        air_free(a);
        return err;
    }
    *out = a;
    return POC_OK;
}

static poc_err op_start(void *ctx, int64_t now_ms, const bcast_channel *channel, const bcast_msk *msk)
{
    enabler_multicast *e = (enabler_multicast *)ctx;
    air *a = NULL;
    POC_TRY(air_new(&a, e, channel, msk)); /* POC_E_STATE: on air already */
    if (group_socket_open(&a->fd, channel, e->interface) != POC_OK) {
        a->why = errno;
        end(a, NEWS_FAILED);
        return POC_OK;
    }
    poc_err err = protection_set_key(a->protection, now_ms, msk);
    if (err != POC_OK) {
        (void)poc_table_remove(&e->channels, poc_span_str(a->channel.id));
        air_free(a);
        return err;
    }
    /* The first STKM or mapping has shown whether anything can leave: a channel that cannot send has not started. */
    if (a->is_down) {
        end(a, NEWS_FAILED);
        return POC_OK;
    }
    tell_later(a, NEWS_STARTED);
    settle(a);
    return POC_OK;
}

static poc_err op_update_msk(void *ctx, int64_t now_ms, const char *channel_id, const bcast_msk *msk)
{
    air *a = air_of((enabler_multicast *)ctx, channel_id);
    if (a == NULL)
        return POC_E_STATE;
    POC_TRY(protection_set_key(a->protection, now_ms, msk));
    settle(a);
    return POC_OK;
}

static void op_gate(void *ctx, int64_t now_ms, const char *channel_id, bool hold)
{
    air *a = air_of((enabler_multicast *)ctx, channel_id);
    if (a == NULL)
        return;
    protection_gate(a->protection, now_ms, hold);
    settle(a);
}

static void op_announce(void *ctx, int64_t now_ms, const char *channel_id)
{
    air *a = air_of((enabler_multicast *)ctx, channel_id);
    if (a == NULL)
        return;
    protection_announce(a->protection, now_ms);
    settle(a);
}

static poc_err op_send(void *ctx, int64_t now_ms, const char *channel_id, bcast_flow flow, poc_span packet)
{
    air *a = air_of((enabler_multicast *)ctx, channel_id);
    if (a == NULL)
        return POC_E_STATE;
    poc_err err = protection_send(a->protection, now_ms, flow, packet);
    settle(a);
    return err;
}

static void op_stop(void *ctx, int64_t now_ms, const char *channel_id)
{
    air *a = air_of((enabler_multicast *)ctx, channel_id);
    if (a == NULL)
        return;
    protection_end(a->protection, now_ms);
    end(a, NEWS_STOPPED);
}

static const bcast_enabler_ops adapter_ops = {
    .start = op_start,
    .update_msk = op_update_msk,
    .gate = op_gate,
    .announce = op_announce,
    .send = op_send,
    .stop = op_stop,
};

bcast_enabler enabler_multicast_adapter(enabler_multicast *e)
{
    return (bcast_enabler){ &adapter_ops, e };
}

/* ---- the enabler ---- */

poc_err enabler_multicast_new(enabler_multicast **out, su_root_t *root, const enabler_multicast_settings *settings,
                              const poc_rng *rng, bcast_event_fn *event, enabler_mtk_fn *mtk, void *user)
{
    uint64_t seed;
    *out = NULL;
    if (strlen(settings->interface) >= IF_NAMESIZE)
        return POC_E_INPUT;
    POC_TRY(rng->fill(rng->ctx, &seed, sizeof(seed)));
    enabler_multicast *e = (enabler_multicast *)calloc(1, sizeof(*e));
    if (e == NULL)
        return POC_E_NOMEM;
    e->root = root;
    e->settings = (protection_settings){ settings->protector, wire_mcx_air_defaults };
    e->settings.musik.hold_packets_max = settings->protector.hold_packets_max;
    memcpy(e->interface, settings->interface, strlen(settings->interface));
    e->rng = *rng;
    e->event = event;
    e->mtk = mtk;
    e->user = user;
    poc_table_init(&e->channels, seed);
    bcast_prepare();
    poc_err err = wake_new(&e->teller, root, tell, e);
    if (err != POC_OK) {
        enabler_multicast_free(e);
        return err;
    }
    *out = e;
    return POC_OK;
}

void enabler_multicast_free(enabler_multicast *e)
{
    if (e == NULL)
        return;
    air *a;
    for (size_t at = 0; (a = (air *)poc_table_next(&e->channels, &at)) != NULL;)
        air_free(a);
    poc_table_done(&e->channels);
    while (e->ending_count > 0)
        air_free(e->ending[--e->ending_count]);
    free(e->ending);
    wake_free(e->teller);
    free(e);
}

enabler_multicast_counts enabler_multicast_look(const enabler_multicast *e)
{
    enabler_multicast_counts counts = e->counts;
    counts.channels = (uint32_t)e->channels.count;
    return counts;
}
