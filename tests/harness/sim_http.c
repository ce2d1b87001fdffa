/* HTTP between a client and the key management service: one request at a time, over TCP. Nothing of it is lost, but what has to
 * be sent again comes later, and a PF that is down lets it come to nothing. */
#include <stdlib.h>

#include "tests/harness/sim.h"

#define TIMEOUT_US  10000000 /* a client waits so long for an answer */
#define RTO_US      200000   /* TCP sends again after so long, then twice as long ... */
#define REPEATS_MAX 5u       /* ... but not for ever */
#define ROUND_TRIPS 2        /* the handshake, then the request */

struct sim_http {
    bool is_busy;
    uint32_t number; /* of the exchange under way: an event of an earlier one means nothing */
    uint8_t from[SIM_ADDRESS_LEN];
    pocue_http request;
    wire_keyman_answer answer;
};

static int64_t way_us(sim *s)
{
    int64_t us = sim_net_steady_us(s), wait_us = RTO_US;
    for (unsigned i = 0; i < REPEATS_MAX && sim_net_happens(s, s->net.loss); i++, wait_us *= 2)
        us += wait_us;
    return us;
}

static uint64_t ticket(const sim_http *h, int client)
{
    return (uint64_t)h->number << 32 | (uint64_t)client;
}

/* The exchange that an event is about, NULL when it is over. */
static sim_http *under_way(sim *s, uint64_t ticket_of, int *client)
{
    *client = (int)(ticket_of & 0xFFFFFFFFu);
    sim_http *h = s->clients[*client].http;
    return h->is_busy && h->number == ticket_of >> 32 ? h : NULL;
}

static void finish(sim *s, int client, int status)
{
    sim_client *c = &s->clients[client];
    const wire_keyman_answer *a = &c->http->answer;
    const poc_span nothing = { 0 };
    c->http->is_busy = false;
    if (status == 0)
        (void)pocue_http_answer(c->ue, sim_now_ms(s), 0, nothing, nothing, nothing, nothing);
    else
        (void)pocue_http_answer(
            c->ue, sim_now_ms(s), status, poc_span_str(a->www_authenticate), poc_span_str(a->authentication_info),
            poc_span_str(a->content_type != NULL ? a->content_type : ""), poc_span_of(a->body, a->body_len));
    sim_ue_poll(s, client);
}

static void give_up(sim *s, void *ctx, uint64_t ticket_of)
{
    (void)ctx;
    int client;
    if (under_way(s, ticket_of, &client) != NULL)
        finish(s, client, 0);
}

static void at_client(sim *s, void *ctx, uint64_t ticket_of)
{
    (void)ctx;
    int client;
    sim_http *h = under_way(s, ticket_of, &client);
    if (h != NULL)
        finish(s, client, h->answer.status);
}

static void at_pf(sim *s, void *ctx, uint64_t ticket_of)
{
    (void)ctx;
    int client;
    sim_http *h = under_way(s, ticket_of, &client);
    if (h == NULL || s->pf.engine == NULL)
        return;
    sim_keyman_request(s, h->from, &h->request, &h->answer);
    sim_after(s, way_us(s), at_client, NULL, ticket_of);
}

static bool has_room(sim *s, sim_client *c)
{
    if (c->http == NULL)
        c->http = calloc(1, sizeof(*c->http));
    s->broken = s->broken || c->http == NULL;
    return c->http != NULL;
}

static void alarm_rings(sim *s, void *ctx, uint64_t client)
{
    (void)ctx;
    s->clients[client].alarm_us = 0;
    pocue_tick(s->clients[client].ue, sim_now_ms(s));
    sim_ue_poll(s, (int)client);
}

/* One alarm is set for each client; one that is to ring earlier is set beside it. */
void sim_ue_alarm(sim *s, int client)
{
    sim_client *c = &s->clients[client];
    int64_t at_ms = pocue_deadline_ms(c->ue);
    if (at_ms == INT64_MAX)
        return;
    int64_t at_us = (at_ms - SIM_START_MS) * 1000;
    at_us = at_us > s->now_us ? at_us : s->now_us + 1000;
    if (c->alarm_us != 0 && c->alarm_us <= at_us)
        return;
    c->alarm_us = at_us;
    sim_after(s, at_us - s->now_us, alarm_rings, NULL, (uint64_t)client);
}

void sim_http_next(sim *s, int client)
{
    sim_client *c = &s->clients[client];
    if (c->knows == 0 || !has_room(s, c))
        return;
    sim_http *h = c->http;
    if (!h->is_busy && pocue_http_next(c->ue, sim_now_ms(s), &h->request)) {
        h->is_busy = true;
        h->number++;
        sim_push_address(s, client, h->from);
        sim_after(s, way_us(s) * ROUND_TRIPS, at_pf, NULL, ticket(h, client));
        sim_after(s, TIMEOUT_US, give_up, NULL, ticket(h, client));
    }
    sim_ue_alarm(s, client);
}

void sim_http_free(sim_http *h)
{
    free(h);
}
