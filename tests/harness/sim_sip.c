/* SIP of the simulated world: requests and answers as abstract transactions over a network that loses, delays and reorders.
 * Retransmission and suppression of duplicates are those of RFC 3261 for requests other than INVITE; an INVITE adds the
 * ACK: the server repeats its 2xx until it has come. */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/sim.h"

static void send_request(sim *s, sim_txn *t);
static void send_answer(sim *s, sim_txn *t);

static bool node_lives(const sim *s, int node)
{
    return node != SIM_PF || s->pf.engine != NULL;
}

/* ---- the server's end ---- */

static void hear_request(sim *s, void *ctx, uint64_t arg)
{
    (void)arg;
    sim_txn *t = ctx;
    if (!node_lives(s, t->to))
        return;
    if (t->heard) { /* a repetition */
        if (t->status != 0)
            send_answer(s, t);
        return;
    }
    t->heard = true;
    if (t->to == SIM_PF)
        sim_pf_request(s, t);
    else if (t->to == SIM_CF)
        sim_cf_request(s, t);
    else
        sim_ue_request(s, t);
}

static void repeat_answer(sim *s, void *ctx, uint64_t arg)
{
    (void)arg;
    sim_txn *t = ctx;
    if (t->acknowledged || !t->heard || t->status == 0 || s->now_us >= t->answer_until_us)
        return;
    send_answer(s, t);
    t->answer_interval_us = t->answer_interval_us * 2 < SIM_T2_US ? t->answer_interval_us * 2 : SIM_T2_US;
    sim_after(s, t->answer_interval_us, repeat_answer, t, 0);
}

void sim_sip_answer(sim *s, sim_txn *t, int status, const char *challenge, poc_span body)
{
    t->status = status;
    t->challenge = challenge != NULL ? strdup(challenge) : NULL;
    t->answer = malloc(body.n + 1);
    if (t->answer == NULL || (challenge != NULL && t->challenge == NULL)) {
        s->broken = true;
        return;
    }
    if (body.n > 0)
        memcpy(t->answer, body.p, body.n);
    t->answer_len = body.n;
    send_answer(s, t);
    if (t->request.method != SIM_INVITE || status >= 300)
        return;
    t->answer_interval_us = SIM_T1_US;
    t->answer_until_us = s->now_us + SIM_GIVE_UP_US;
    sim_after(s, SIM_T1_US, repeat_answer, t, 0);
}

static void hear_ack(sim *s, void *ctx, uint64_t arg)
{
    (void)arg;
    sim_txn *t = ctx;
    if (t->acknowledged || !t->heard || !node_lives(s, t->to))
        return;
    t->acknowledged = true;
    if (t->to == SIM_PF)
        sim_pf_acknowledged(s, t);
}

/* ---- the client's end ---- */

static void finish(sim *s, sim_txn *t)
{
    t->done = true;
    if (t->on_done != NULL && node_lives(s, t->from))
        t->on_done(s, t, t->ctx, t->arg);
}

static void hear_answer(sim *s, void *ctx, uint64_t arg)
{
    (void)arg;
    sim_txn *t = ctx;
    int64_t delay_us;
    if (!node_lives(s, t->from) || t->status == 0)
        return;
    if (t->request.method == SIM_INVITE && t->status < 300 && sim_net_fate(s, s->net.loss, &delay_us))
        sim_after(s, delay_us, hear_ack, t, 0);
    if (!t->done)
        finish(s, t);
}

static void send_answer(sim *s, sim_txn *t)
{
    int64_t delay_us;
    if (sim_net_fate(s, s->net.loss, &delay_us))
        sim_after(s, delay_us, hear_answer, t, 0);
}

static void repeat_request(sim *s, void *ctx, uint64_t arg)
{
    (void)arg;
    sim_txn *t = ctx;
    if (t->done || !node_lives(s, t->from))
        return;
    if (s->now_us >= t->give_up_us) {
        t->status = 408;
        finish(s, t);
        return;
    }
    send_request(s, t);
}

static void send_request(sim *s, sim_txn *t)
{
    int64_t delay_us;
    if (sim_net_fate(s, s->net.loss, &delay_us))
        sim_after(s, delay_us, hear_request, t, 0);
    int64_t left_us = t->give_up_us - s->now_us;
    sim_after(s, t->interval_us < left_us ? t->interval_us : left_us, repeat_request, t, 0);
    t->interval_us = t->interval_us * 2 < SIM_T2_US ? t->interval_us * 2 : SIM_T2_US;
}

void sim_sip_send(sim *s, int from, int to, const sim_request *request, int64_t timeout_us, sim_done_fn *done,
                  void *ctx, uint64_t arg)
{
    sim_txn *t = calloc(1, sizeof(*t));
    uint8_t *body = malloc(request->body.n + 1);
    char *authorization = request->authorization != NULL ? strdup(request->authorization) : NULL;
    if (t == NULL || body == NULL || (request->authorization != NULL && authorization == NULL)) {
        free(t);
        free(body);
        free(authorization);
        s->broken = true;
        return;
    }
    if (request->body.n > 0)
        memcpy(body, request->body.p, request->body.n);
    *t = (sim_txn){ .from = from,
                    .to = to,
                    .request = *request,
                    .authorization = authorization,
                    .body = body,
                    .interval_us = SIM_T1_US,
                    .give_up_us = s->now_us + timeout_us,
                    .on_done = done,
                    .ctx = ctx,
                    .arg = arg,
                    .next = s->txns };
    t->request.body = poc_span_of(body, request->body.n);
    t->request.authorization = authorization;
    s->txns = t;
    send_request(s, t);
}

/* A request that the dead PF had heard, but not answered, is heard again as a new one when its sender repeats it. */
void sim_sip_crash(sim *s)
{
    for (sim_txn *t = s->txns; t != NULL; t = t->next) {
        if (t->from == SIM_PF)
            t->done = true;
        if (t->to == SIM_PF && !t->done && t->status == 0)
            t->heard = false;
        if (t->to == SIM_PF)
            t->acknowledged = true;
    }
}

void sim_sip_free(sim *s)
{
    while (s->txns != NULL) {
        sim_txn *t = s->txns;
        s->txns = t->next;
        free(t->authorization);
        free(t->body);
        free(t->challenge);
        free(t->answer);
        free(t);
    }
}
