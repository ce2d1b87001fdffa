/* The simulated world: the whole system in one process on a clock turned by hand. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/sim.h"

#define MUK_LIFETIME_S 3600

/* ---- seeing ---- */

int64_t sim_now_ms(const sim *s)
{
    return SIM_START_MS + s->now_us / 1000;
}

void sim_see(sim *s, world_seen *seen)
{
    seen->at_us = s->now_us;
    s->news++;
    s->seen(s->user, seen);
}

void sim_tell(sim *s, world_what what, int client, int status)
{
    world_seen seen = { .what = what, .client = client, .status = status };
    sim_see(s, &seen);
}

void sim_note(sim *s, int client, const char *fmt, ...)
{
    world_seen seen = { .what = WORLD_NOTE, .client = client };
    va_list args;
    va_start(args, fmt);
    vsnprintf(seen.text, sizeof(seen.text), fmt, args);
    va_end(args);
    sim_see(s, &seen);
}

int sim_channel_by_id(const sim *s, const char *id)
{
    for (int c = 0; c < s->channel_count; c++)
        if (strcmp(s->channels[c].id, id) == 0)
            return c;
    return -1;
}

int sim_client_by_user(const sim *s, const char *user)
{
    for (int c = 0; c < s->client_count; c++)
        if (strcmp(s->clients[c].impu, user) == 0)
            return c;
    return -1;
}

/* ---- operations ---- */

static sim *sim_of(world *w)
{
    return (sim *)(void *)w;
}

static bool has_client(const sim *s, int client)
{
    return client >= 0 && client < s->client_count;
}

static poc_err begin(sim *s)
{
    uint32_t lifetime_s = s->options.muk_lifetime_s > 0 ? s->options.muk_lifetime_s : MUK_LIFETIME_S;
    POC_TRY(gba_bsf_new(&s->bsf, poc_span_str(SIM_BSF_FQDN), lifetime_s, &s->rng));
    return sim_pf_start(s);
}

/* The BSF and the PF are made anew: nobody knows them yet. */
static poc_err op_configure(world *w, const world_pf *pf)
{
    sim *s = sim_of(w);
    if (s->channel_count > 0 || s->client_count > 0)
        return POC_E_STATE;
    s->options = *pf;
    sim_pf_stop(s);
    gba_bsf_free(s->bsf);
    s->bsf = NULL;
    return begin(s);
}

static poc_err op_channel(world *w, const world_channel *channel)
{
    sim *s = sim_of(w);
    if (s->channel_count == SIM_CHANNELS_MAX)
        return POC_E_LIMIT;
    if (s->pf.engine == NULL || sim_channel_by_id(s, channel->id) >= 0)
        return POC_E_STATE;
    s->channels[s->channel_count] = *channel;
    s->cf[s->channel_count] = (sim_cf_session){ .talker = -1 };
    POC_TRY(sim_pf_channel_add(s, s->channel_count));
    s->channel_count++;
    if (channel->musik.is_one)
        POC_TRY(sim_mcx_begin(s));
    if (channel->musik.is_one)
        POC_TRY(sim_mcx_channel(s, s->channel_count - 1));
    sim_pf_work(s);
    return POC_OK;
}

static poc_err op_client(world *w, const world_client *client, int *index)
{
    return sim_ue_add(sim_of(w), client, index);
}

static poc_err op_bootstrap(world *w, int client)
{
    return has_client(sim_of(w), client) ? sim_ue_bootstrap(sim_of(w), client) : POC_E_INPUT;
}

static poc_err op_join(world *w, int client, const char *channel_id)
{
    return has_client(sim_of(w), client) ? sim_ue_join(sim_of(w), client, channel_id) : POC_E_INPUT;
}

static poc_err op_leave(world *w, int client)
{
    return has_client(sim_of(w), client) ? sim_ue_leave(sim_of(w), client) : POC_E_INPUT;
}

static poc_err op_talk(world *w, int client, const uint8_t *pcmu, size_t n, bool first)
{
    if (!has_client(sim_of(w), client) || n > WORLD_PAYLOAD_MAX)
        return POC_E_INPUT;
    return sim_ue_talk(sim_of(w), client, pcmu, n, first);
}

static poc_err op_floor(world *w, int client, bool request)
{
    return has_client(sim_of(w), client) ? sim_ue_floor(sim_of(w), client, request) : POC_E_INPUT;
}

static poc_err op_enrol(world *w, int client, const char *channel_id, bool in)
{
    int channel = sim_channel_by_id(sim_of(w), channel_id);
    return has_client(sim_of(w), client) && channel >= 0 ? sim_ue_enrol(sim_of(w), client, channel, in) : POC_E_INPUT;
}

static poc_err op_pull(world *w, int client, const char *channel_id)
{
    int channel = sim_channel_by_id(sim_of(w), channel_id);
    return has_client(sim_of(w), client) && channel >= 0 ? sim_ue_pull(sim_of(w), client, channel) : POC_E_INPUT;
}

static poc_err op_coverage(world *w, int client, bool is_covered)
{
    if (!has_client(sim_of(w), client))
        return POC_E_INPUT;
    sim_ue_coverage(sim_of(w), client, is_covered);
    return POC_OK;
}

static poc_err op_move(world *w, int client)
{
    if (!has_client(sim_of(w), client))
        return POC_E_INPUT;
    sim_ue_move(sim_of(w), client);
    return POC_OK;
}

static poc_err op_feed(world *w, const char *channel_id, const uint8_t *pcmu, size_t n, bool first)
{
    sim *s = sim_of(w);
    int channel = sim_channel_by_id(s, channel_id);
    if (channel < 0 || n > WORLD_PAYLOAD_MAX)
        return POC_E_INPUT;
    return s->channels[channel].group_uri[0] == '\0' ? sim_feed(s, channel, poc_span_of(pcmu, n), first) : POC_E_STATE;
}

static poc_err op_provision(world *w, int client)
{
    return has_client(sim_of(w), client) ? sim_ue_provision(sim_of(w), client) : POC_E_INPUT;
}

static poc_err op_upload(world *w, int client, world_way way)
{
    return has_client(sim_of(w), client) ? sim_ue_upload(sim_of(w), client, way) : POC_E_INPUT;
}

static poc_err op_log_off(world *w, int client)
{
    return has_client(sim_of(w), client) ? sim_ue_log_off(sim_of(w), client) : POC_E_INPUT;
}

static poc_err op_listens(world *w, int client, const char *channel_id, bool is_listening)
{
    int channel = sim_channel_by_id(sim_of(w), channel_id);
    if (!has_client(sim_of(w), client) || channel < 0)
        return POC_E_INPUT;
    return sim_ue_listens(sim_of(w), client, channel, is_listening);
}

static poc_err op_feed_floor(world *w, const char *channel_id)
{
    sim *s = sim_of(w);
    int channel = sim_channel_by_id(s, channel_id);
    if (channel < 0)
        return POC_E_INPUT;
    return s->channels[channel].musik.is_one ? sim_mcx_feed_floor(s, channel) : POC_E_STATE;
}

static poc_err op_refer(world *w, int client, int subject)
{
    return has_client(sim_of(w), client) ? sim_ue_refer(sim_of(w), client, subject) : POC_E_INPUT;
}

static poc_err op_cf_expel(world *w, int client)
{
    return has_client(sim_of(w), client) ? sim_cf_expel(sim_of(w), client) : POC_E_INPUT;
}

static poc_err op_cf_end(world *w, const char *channel_id)
{
    int channel = sim_channel_by_id(sim_of(w), channel_id);
    return channel >= 0 ? sim_cf_end(sim_of(w), channel) : POC_E_INPUT;
}

static poc_err op_operate(world *w, const char *channel_id, int client)
{
    sim *s = sim_of(w);
    int channel = sim_channel_by_id(s, channel_id);
    if (channel < 0 || client >= s->client_count)
        return POC_E_INPUT;
    if (s->pf.engine == NULL)
        return POC_E_STATE;
    pocpf_err err;
    if (client < 0) {
        err = pocpf_rekey(s->pf.engine, sim_now_ms(s), channel_id);
    } else {
        world_seen seen = { .what = WORLD_EXPELLED, .client = client, .channel = sim_mcx_number(s, channel) };
        sim_see(s, &seen);
        err = pocpf_expel(s->pf.engine, sim_now_ms(s), channel_id, s->clients[client].impu, NULL);
    }
    sim_pf_work(s);
    return (poc_err)err;
}

static poc_err op_solicit(world *w, const char *channel_id, int client)
{
    sim *s = sim_of(w);
    if (s->pf.engine == NULL || client >= s->client_count)
        return POC_E_STATE;
    const char *user = client >= 0 ? s->clients[client].impu : NULL;
    pocpf_err err = pocpf_solicit(s->pf.engine, sim_now_ms(s), channel_id, user);
    sim_pf_work(s);
    return (poc_err)err;
}

static poc_err op_admit(world *w, const char *channel_id, int client)
{
    sim *s = sim_of(w);
    if (s->pf.engine == NULL || !has_client(s, client))
        return POC_E_STATE;
    pocpf_err err = pocpf_admit(s->pf.engine, sim_now_ms(s), channel_id, s->clients[client].impu);
    sim_pf_work(s);
    return (poc_err)err;
}

static poc_err op_net(world *w, const world_net *net)
{
    sim_of(w)->net = *net;
    return POC_OK;
}

static poc_err op_crash(world *w)
{
    sim *s = sim_of(w);
    if (s->pf.engine == NULL)
        return POC_E_STATE;
    /* A write that the crash interrupts is whole or was never made; nobody was told. */
    if (test_rng_below(&s->chance, 2) == 0)
        sim_store_commit(&s->store);
    sim_store_drop(&s->store);
    sim_pf_stop(s);
    sim_sip_crash(s);
    sim_tell(s, WORLD_PF_CRASHED, -1, 0);
    return POC_OK;
}

static poc_err op_restart(world *w)
{
    sim *s = sim_of(w);
    if (s->pf.engine != NULL)
        return POC_E_STATE;
    POC_TRY(sim_pf_start(s));
    sim_tell(s, WORLD_PF_BACK, -1, 0);
    return POC_OK;
}

/* ---- time ---- */

static int64_t next_due_us(const sim *s)
{
    int64_t at_us = sim_pf_deadline_us(s);
    if (s->queue.count > 0 && s->queue.heap[0].at_us < at_us)
        at_us = s->queue.heap[0].at_us;
    return at_us;
}

static void step(sim *s, int64_t at_us)
{
    s->now_us = at_us > s->now_us ? at_us : s->now_us;
    sim_event e;
    if (s->queue.count > 0 && s->queue.heap[0].at_us <= s->now_us && sim_queue_pop(&s->queue, &e))
        e.fn(s, e.ctx, e.arg);
    else
        sim_pf_tick(s);
}

/* The engine's next deadline must move on when it is ticked: a clock that stands still is a bug that ends the run. */
#define STEPS_AT_ONCE_MAX 200000

static poc_err op_run(world *w, int64_t until_us, bool (*stop)(void *user), void *user)
{
    sim *s = sim_of(w);
    int64_t at_us, last_us = s->now_us;
    int at_once = 0;
    while (!s->broken && (at_us = next_due_us(s)) <= until_us) {
        uint64_t news = s->news;
        step(s, at_us);
        at_once = s->now_us == last_us ? at_once + 1 : 0;
        last_us = s->now_us;
        if (at_once > STEPS_AT_ONCE_MAX)
            return POC_E_BUG;
        if (stop != NULL && s->news != news && stop(user))
            return POC_OK;
    }
    if (s->broken)
        return POC_E_NOMEM;
    s->now_us = until_us > s->now_us ? until_us : s->now_us;
    return POC_OK;
}

static poc_err op_strike(world *w, const char *channel_id)
{
    int channel = sim_channel_by_id(sim_of(w), channel_id);
    if (channel < 0)
        return POC_E_INPUT;
    sim_air_strike(sim_of(w), channel);
    sim_push_strike(sim_of(w));
    return POC_OK;
}

static poc_err op_disk(world *w, bool has_room)
{
    sim_of(w)->disk_is_full = !has_room;
    return POC_OK;
}

static int64_t op_now_us(const world *w)
{
    return ((const sim *)(const void *)w)->now_us;
}

/* ---- making ---- */

static void op_free(world *w)
{
    sim *s = sim_of(w);
    sim_pf_stop(s);
    for (int c = 0; c < s->client_count; c++) {
        pocue_free(s->clients[c].ue);
        sim_http_free(s->clients[c].http);
    }
    sim_sip_free(s);
    sim_queue_free(&s->queue);
    sim_store_free(&s->store);
    gba_bsf_free(s->bsf);
    poc_secret_free(s->store_key);
    free(s);
}

static const world_ops ops = {
    .name = "simulated",
    .free = op_free,
    .configure = op_configure,
    .channel = op_channel,
    .client = op_client,
    .bootstrap = op_bootstrap,
    .join = op_join,
    .leave = op_leave,
    .talk = op_talk,
    .floor = op_floor,
    .enrol = op_enrol,
    .pull = op_pull,
    .coverage = op_coverage,
    .move = op_move,
    .feed = op_feed,
    .provision = op_provision,
    .upload = op_upload,
    .log_off = op_log_off,
    .listens = op_listens,
    .feed_floor = op_feed_floor,
    .refer_expel = op_refer,
    .cf_expel = op_cf_expel,
    .cf_end = op_cf_end,
    .operate = op_operate,
    .solicit = op_solicit,
    .admit = op_admit,
    .net = op_net,
    .strike = op_strike,
    .disk = op_disk,
    .crash = op_crash,
    .restart = op_restart,
    .run = op_run,
    .now_us = op_now_us,
};

poc_err world_simulated(world **out, const world_settings *settings)
{
    sim *s = calloc(1, sizeof(*s));
    *out = NULL;
    if (s == NULL)
        return POC_E_NOMEM;
    s->base.ops = &ops;
    s->seen = settings->seen;
    s->user = settings->user;
    s->net = (world_net){ .delay_ms = 5, .jitter_ms = 2 };
    s->rng = test_rng_of(&s->key_chance, settings->seed ^ UINT64_C(0x706F6366));
    s->chance.state = settings->seed;
    poc_err err = poc_secret_random(&s->store_key, 32, &s->rng);
    if (err == POC_OK)
        err = begin(s);
    if (err != POC_OK) {
        op_free(&s->base);
        return err;
    }
    *out = &s->base;
    return POC_OK;
}
