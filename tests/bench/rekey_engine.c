#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "pf/io/crew.h"
#include "pf/io/push.h"
#include "pocpf/pocpf.h"
#include "tests/bench/rekey.h"

enum {
    EPOCH_MS = 1800000000, /* what the engine takes for 1970 plus so many milliseconds: any time does */
    ANSWER_OCTETS = 1024,  /* that an answer takes in a receive buffer, headers and all, at most */
    PATIENCE_S = 60,       /* for a rekey, repetitions included */
    MEMBERS_AT_ONCE = 64,  /* registered before effects and answers are looked after */
    LIFETIME_MS = 86400000 /* of a MUK */
};

static const char channel[] = "bench";

struct rekey_engine {
    crowd *crowd;
    pocpf *pf;
    pocpf_secret *store_key;
    push *push;
    crew *crew;
    bool is_alone;                   /* the crew looks on */
    size_t in_a_row;                 /* answers to so many pushes find room in the receive buffer */
    size_t pushed, again, confirmed; /* since a rekey began; `pushed` for the first time */
    double started_s, last_out_s, last_confirmed_s;
    double octets;
};

static int64_t now_ms(void)
{
    return (int64_t)EPOCH_MS * 1000 + (int64_t)(crowd_now_s() * 1e3);
}

static int host_random(void *user, uint8_t *out, size_t n)
{
    (void)user;
    return poc_rng_system.fill(poc_rng_system.ctx, out, n) == POC_OK ? 0 : -1;
}

static void host_spread(void *user, void (*work)(void *ctx, size_t slice), void *ctx, size_t slices)
{
    rekey_engine *e = user;
    if (!e->is_alone) {
        crew_spread(e->crew, work, ctx, slices);
        return;
    }
    for (size_t i = 0; i < slices; i++)
        work(ctx, i);
}

/* ---- the loop that a daemon has ---- */

static void on_heard(void *user, push_datagram *datagrams, size_t n)
{
    rekey_engine *e = user;
    pocpf_datagram heard[PUSH_BATCH];
    for (size_t i = 0; i < n; i++)
        heard[i] = (pocpf_datagram){ .address = datagrams[i].address,
                                     .address_len = datagrams[i].address_len,
                                     .octets = datagrams[i].octets.p,
                                     .len = datagrams[i].octets.n };
    const size_t good = pocpf_push_heard(e->pf, now_ms(), heard, n);
    if (good > 0)
        e->last_confirmed_s = crowd_now_s();
    e->confirmed += good;
}

static void carry_out(rekey_engine *e, const pocpf_effect *effect)
{
    switch (effect->type) {
    case POCPF_DO_PERSIST: /* the store is not what is measured */
        (void)pocpf_persisted(e->pf, now_ms(), true);
        break;
    case POCPF_DO_ENABLER_START:
        (void)pocpf_enabler_changed(e->pf, now_ms(), channel, POCPF_ENABLER_STARTED);
        break;
    case POCPF_DO_PUSH:
        (void)push_send(e->push, effect->u.push.address, effect->u.push.address_len,
                        poc_span_of(effect->u.push.mikey, effect->u.push.mikey_len));
        e->pushed += !effect->u.push.again;
        e->again += effect->u.push.again;
        break;
    default:
        break;
    }
}

/* Until there is nothing to do, or so many answers may have come that they should be read. */
static bool effects_carry_out(rekey_engine *e)
{
    pocpf_effect effect;
    const size_t before = e->pushed, sent = e->pushed + e->again;
    while (e->pushed + e->again - sent < e->in_a_row && pocpf_poll(e->pf, &effect))
        carry_out(e, &effect);
    (void)push_flush(e->push);
    if (e->pushed > before)
        e->last_out_s = crowd_now_s();
    return e->pushed + e->again - sent == e->in_a_row;
}

static void wait_for_answers(rekey_engine *e)
{
    struct pollfd readable = { .fd = push_fd(e->push, AF_INET), .events = POLLIN };
    const int64_t left_ms = pocpf_deadline_ms(e->pf) - now_ms();
    if (poll(&readable, 1, left_ms < 0 ? 0 : left_ms > 100 ? 100 : (int)left_ms) == 0)
        pocpf_tick(e->pf, now_ms());
}

static void turn(rekey_engine *e)
{
    const bool more = effects_carry_out(e);
    size_t heard = 0;
    while (push_hear(e->push) == PUSH_BATCH)
        heard += PUSH_BATCH;
    if (!more && heard == 0)
        wait_for_answers(e);
}

/* True when everybody holds the MSK and nothing is under way. */
static bool is_settled(const rekey_engine *e)
{
    pocpf_channel_status status = { .size = sizeof(status) };
    return pocpf_channel_look(e->pf, channel, &status) == POCPF_OK && strcmp(status.state, "active") == 0 &&
           status.next_msk_id == 0 && status.confirmed == crowd_size(e->crowd);
}

static bool settle(rekey_engine *e)
{
    const double start = crowd_now_s();
    do {
        turn(e);
    } while ((e->confirmed < crowd_size(e->crowd) || !is_settled(e)) && crowd_now_s() - start < PATIENCE_S);
    (void)effects_carry_out(e);
    return is_settled(e);
}

/* ---- set-up ---- */

static bool member_register(rekey_engine *e, size_t i)
{
    char user[48], btid[128];
    uint8_t address[PUSH_ADDRESS_MAX];
    size_t address_len;
    const struct sockaddr_in at = crowd_address(e->crowd, i);
    const poc_span text = crowd_btid(e->crowd, i);
    (void)snprintf(user, sizeof(user), "sip:user%07zu@home.example", i);
    (void)snprintf(btid, sizeof(btid), "%.*s", (int)text.n, (const char *)text.p);
    const pocpf_credential credential = { .size = sizeof(credential),
                                          .user = user,
                                          .btid = btid,
                                          .muk = crowd_muk(e->crowd, i),
                                          .expires_ms = now_ms() + LIFETIME_MS };
    if (push_address_pack(address, &address_len, (const struct sockaddr *)&at) != POC_OK ||
        pocpf_authenticated(e->pf, now_ms(), &credential) != POCPF_OK)
        return false;
    const pocpf_registration registration = {
        .size = sizeof(registration), .channel = channel, .user = user, .address = address, .address_len = address_len
    };
    return pocpf_registered(e->pf, now_ms(), &registration) == POCPF_OK;
}

static size_t heap_used(void)
{
    const struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static bool members_register(rekey_engine *e)
{
    const size_t n = crowd_size(e->crowd), before = heap_used();
    for (size_t i = 0; i < n; i++) {
        if (!member_register(e, i))
            return false;
        if (i % MEMBERS_AT_ONCE == 0)
            turn(e);
    }
    if (!settle(e))
        return false;
    e->octets = (double)(heap_used() - before) / (double)n;
    return true;
}

static bool pf_make(rekey_engine *e)
{
    static const char naf_id[] = "pf1.poc.example.org\x01\x00\x00\x00\x01";
    const uint8_t store_key[32] = { 1 };
    const pocpf_host host = { .size = sizeof(host), .user = e, .random = host_random, .spread = host_spread };
    e->store_key = pocpf_secret_new(store_key, sizeof(store_key));
    const pocpf_settings settings = { .size = sizeof(settings),
                                      .naf_id = (const uint8_t *)naf_id,
                                      .naf_id_len = sizeof(naf_id) - 1,
                                      .store_key = e->store_key,
                                      .members_max = (uint32_t)crowd_size(e->crowd),
                                      .require_verification = true };
    const pocpf_channel service = { .size = sizeof(service),
                                    .id = channel,
                                    .key_domain = { 0x00, 0xf1, 0x10 },
                                    .key_group = 0x1001,
                                    .rekey = { .deadline_ms = 32000, .delivery = POCPF_BY_PUSH } };
    return e->store_key != NULL && pocpf_new(&e->pf, &host, &settings) == POCPF_OK &&
           pocpf_restored(e->pf, now_ms()) == POCPF_OK && pocpf_channel_add(e->pf, now_ms(), &service) == POCPF_OK;
}

static bool push_make(rekey_engine *e)
{
    const push_events events = { .heard = on_heard };
    int octets;
    socklen_t n = sizeof(octets);
    push_settings settings = { .listen_count = 1 };
    struct sockaddr_in *at = (struct sockaddr_in *)&settings.listen[0];
    *at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    if (push_new(&e->push, NULL, &settings, &events, e) != POC_OK ||
        getsockopt(push_fd(e->push, AF_INET), SOL_SOCKET, SO_RCVBUF, &octets, &n) != 0)
        return false;
    e->in_a_row = (size_t)octets / ANSWER_OCTETS;
    return true;
}

rekey_engine *rekey_engine_new(crowd *c)
{
    rekey_engine *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->crowd = c;
    if (crew_new(&e->crew, 0) != POC_OK || !push_make(e) || !pf_make(e) || !members_register(e)) {
        rekey_engine_free(e);
        return NULL;
    }
    return e;
}

void rekey_engine_free(rekey_engine *e)
{
    if (e == NULL)
        return;
    pocpf_free(e->pf);
    pocpf_secret_free(e->store_key);
    push_free(e->push);
    crew_free(e->crew);
    free(e);
}

double rekey_engine_octets(const rekey_engine *e)
{
    return e->octets;
}

/* ---- the rekey ---- */

static bool rekey(rekey_times *out, const rekey_stage *s)
{
    rekey_engine *e = s->engine;
    e->pushed = e->again = e->confirmed = 0;
    e->started_s = crowd_now_s();
    if (pocpf_rekey(e->pf, now_ms(), channel) != POCPF_OK || !settle(e))
        return false;
    *out = (rekey_times){ .last_out_s = e->last_out_s - e->started_s,
                          .last_confirmed_s = e->last_confirmed_s - e->started_s,
                          .confirmed = e->confirmed - (e->again < e->confirmed ? e->again : e->confirmed) };
    return e->pushed >= crowd_size(e->crowd);
}

bool rekey_by_engine(rekey_times *out, const rekey_stage *s)
{
    s->engine->is_alone = false;
    return rekey(out, s);
}

bool rekey_by_engine_alone(rekey_times *out, const rekey_stage *s)
{
    s->engine->is_alone = true;
    return rekey(out, s);
}
