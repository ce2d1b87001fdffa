#include "pf/io/mcx_notices.h"

#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/text.h"

/* ---- states ---- */

typedef enum state { NOTHING, IN_LINE, SENT, PAUSED, LAPSED, STATES, GONE = STATES } state;

typedef enum event {
    NEWS,      /* there is more to tell him */
    COMES,     /* he registers */
    OUTDATED,  /* what is on its way to him is not so any more */
    GOES,      /* sent */
    TAKEN,     /* answered, and there is more */
    TOLD,      /* that was all */
    MISSED,    /* not answered, or not even sent */
    IN_VAIN,   /* not for the last time that is tried */
    DUE,       /* time is over */
    FORGOTTEN, /* nobody knows him any more */
    EVENTS
} event;

/* An empty cell changes nothing: the answer to something that was replaced comes late, for example. */
static const uint8_t next_of[STATES][EVENTS] = {
    [IN_LINE] = { [GOES] = SENT, [TOLD] = GONE, [MISSED] = PAUSED, [IN_VAIN] = LAPSED },
    [SENT] = { [OUTDATED] = IN_LINE, [TAKEN] = IN_LINE, [TOLD] = GONE, [MISSED] = PAUSED, [IN_VAIN] = LAPSED },
    [PAUSED] = { [NEWS] = IN_LINE, [COMES] = IN_LINE, [TOLD] = GONE, [DUE] = IN_LINE },
    [LAPSED] = { [NEWS] = IN_LINE, [COMES] = IN_LINE, [TOLD] = GONE, [DUE] = LAPSED, [FORGOTTEN] = GONE },
};

/* After so many announcements in a row that were not answered. After the last of them he is let be until he comes; that he
 * never comes again is looked for once a day, which is as long as a registration lasts. */
static const int64_t pauses_ms[] = { 2000, 8000, 32000, 128000, 86400000 };

enum { TRIES = POC_COUNT(pauses_ms) };

/* ---- listeners ---- */

typedef struct notice {
    struct notice *next;
    mcx_bulletin *bulletin;
} notice;

typedef struct listener {
    struct listener *next, *prev; /* in the queue of its state */
    state state;
    unsigned tries;
    int64_t due_ms;
    notice *first; /* what he is told next, or is being told */
    char who[];
} listener;

typedef struct queue {
    listener *first, *last;
} queue;

struct mcx_notices {
    mcx_notices_rules rules;
    poc_table listeners; /* by who they are */
    queue line;
    queue pauses[TRIES]; /* each in the order in which they end, since all in it are as long */
    uint32_t open;
};

/* Of who pauses, and so has missed something. */
static size_t pause_of(const listener *l)
{
    return l->tries == 0 ? 0 : l->tries < TRIES ? l->tries - 1 : TRIES - 1;
}

static queue *queue_of(mcx_notices *n, const listener *l)
{
    return l->state == IN_LINE ? &n->line : l->state == SENT ? NULL : &n->pauses[pause_of(l)];
}

static void enqueue(queue *q, listener *l)
{
    if (q == NULL)
        return;
    l->next = NULL;
    l->prev = q->last;
    if (q->last != NULL)
        q->last->next = l;
    else
        q->first = l;
    q->last = l;
}

static void dequeue(queue *q, const listener *l)
{
    if (q == NULL)
        return;
    if (l->prev != NULL)
        l->prev->next = l->next;
    else
        q->first = l->next;
    if (l->next != NULL)
        l->next->prev = l->prev;
    else
        q->last = l->prev;
}

void mcx_bulletin_unref(mcx_bulletin *b)
{
    if (b != NULL && --b->refs == 0)
        free(b);
}

static void notice_remove(notice **at)
{
    notice *x = *at;
    *at = x->next;
    mcx_bulletin_unref(x->bulletin);
    free(x);
}

static void listener_free(listener *l)
{
    while (l->first != NULL)
        notice_remove(&l->first);
    free(l);
}

static listener *listener_of(const mcx_notices *n, const char *who)
{
    return poc_table_get(&n->listeners, poc_span_str(who));
}

static listener *listener_new(mcx_notices *n, const char *who)
{
    const size_t len = strlen(who) + 1;
    listener *l = calloc(1, sizeof(*l) + len);
    if (l == NULL)
        return NULL;
    l->state = IN_LINE;
    memcpy(l->who, who, len);
    if (poc_table_put(&n->listeners, poc_span_str(l->who), l) != POC_OK) {
        free(l);
        return NULL;
    }
    enqueue(&n->line, l);
    return l;
}

/* `l` may be gone then. */
static void step(mcx_notices *n, listener *l, event ev, int64_t now_ms)
{
    const state next = (state)next_of[l->state][ev];
    if (next == NOTHING)
        return;
    dequeue(queue_of(n, l), l);
    n->open += (uint32_t)(next == SENT) - (uint32_t)(l->state == SENT);
    l->state = next;
    if (next == GONE) {
        (void)poc_table_remove(&n->listeners, poc_span_str(l->who));
        listener_free(l);
        return;
    }
    if (ev == MISSED || ev == IN_VAIN)
        l->tries++;
    else if (ev != DUE && ev != GOES)
        l->tries = 0;
    if (next == PAUSED || next == LAPSED)
        l->due_ms = now_ms + pauses_ms[pause_of(l)];
    enqueue(queue_of(n, l), l);
}

/* ---- life ---- */

poc_err mcx_notices_new(mcx_notices **out, const mcx_notices_rules *rules)
{
    mcx_notices *n = *out = calloc(1, sizeof(*n));
    if (n == NULL)
        return POC_E_NOMEM;
    n->rules = *rules;
    poc_table_init(&n->listeners, rules->seed);
    return POC_OK;
}

void mcx_notices_free(mcx_notices *n)
{
    size_t at = 0;
    if (n == NULL)
        return;
    for (listener *l; (l = poc_table_next(&n->listeners, &at)) != NULL;)
        listener_free(l);
    poc_table_done(&n->listeners);
    free(n);
}

uint32_t mcx_notices_open(const mcx_notices *n)
{
    return n->open;
}

size_t mcx_notices_waiting(const mcx_notices *n)
{
    return n->listeners.count;
}

/* ---- what there is to tell ---- */

static bool same_bearer(const mcx_bulletin *a, const mcx_bulletin *b)
{
    return a->service == b->service && memcmp(a->bearer.tmgi, b->bearer.tmgi, sizeof(a->bearer.tmgi)) == 0;
}

static bool is_no_more(const mcx_bulletin *b)
{
    return b->bearer.area_count == 0;
}

/* Of this bearer; NULL: of all, but for what is no more. */
static void remove_notices(mcx_notices *n, listener *l, const mcx_bulletin *bearer)
{
    bool is_outdated = false;
    for (notice **at = &l->first; *at != NULL;) {
        const mcx_bulletin *b = (*at)->bulletin;
        if (bearer != NULL ? !same_bearer(b, bearer) : is_no_more(b)) {
            at = &(*at)->next;
            continue;
        }
        is_outdated |= at == &l->first;
        notice_remove(at);
    }
    if (is_outdated)
        step(n, l, OUTDATED, 0);
}

static void append(listener *l, notice *x)
{
    notice **at = &l->first;
    while (*at != NULL)
        at = &(*at)->next;
    x->next = NULL;
    *at = x;
}

poc_err mcx_notices_put(mcx_notices *n, const char *who, mcx_bulletin *b)
{
    notice *x = malloc(sizeof(*x));
    listener *l = listener_of(n, who);
    if (x == NULL || (l == NULL && (l = listener_new(n, who)) == NULL)) {
        free(x);
        return POC_E_NOMEM;
    }
    x->bulletin = b;
    b->refs++;
    remove_notices(n, l, b);
    append(l, x);
    step(n, l, NEWS, 0);
    return POC_OK;
}

void mcx_notices_drop(mcx_notices *n, const char *who)
{
    listener *l = listener_of(n, who);
    if (l == NULL)
        return;
    remove_notices(n, l, NULL);
    if (l->first == NULL)
        step(n, l, TOLD, 0);
}

void mcx_notices_comes(mcx_notices *n, const char *who)
{
    listener *l = listener_of(n, who);
    if (l != NULL)
        step(n, l, COMES, 0);
}

/* ---- telling ---- */

static void told(mcx_notices *n, listener *l, int64_t now_ms)
{
    notice_remove(&l->first);
    step(n, l, l->first != NULL ? TAKEN : TOLD, now_ms);
}

/* What he refuses does not keep the rest from him. */
static void missed(mcx_notices *n, listener *l, int64_t now_ms)
{
    notice *x = l->first;
    l->first = x->next;
    append(l, x);
    step(n, l, l->tries + 1 < TRIES ? MISSED : IN_VAIN, now_ms);
}

void mcx_notices_answered(mcx_notices *n, int64_t now_ms, const char *who, bool ok)
{
    listener *l = listener_of(n, who);
    if (l == NULL || l->state != SENT)
        return;
    if (ok)
        told(n, l, now_ms);
    else
        missed(n, l, now_ms);
}

static void tell(mcx_notices *n, listener *l, int64_t now_ms)
{
    const poc_err err = n->rules.send(n->rules.user, l->who, l->first->bulletin);
    if (err == POC_OK)
        step(n, l, GOES, now_ms);
    else if (err == POC_E_STATE)
        told(n, l, now_ms);
    else
        missed(n, l, now_ms);
}

static void due(mcx_notices *n, listener *l, int64_t now_ms)
{
    const bool is_gone = l->state == LAPSED && !n->rules.knows(n->rules.user, l->who);
    step(n, l, is_gone ? FORGOTTEN : DUE, now_ms);
}

void mcx_notices_pump(mcx_notices *n, int64_t now_ms)
{
    for (size_t i = 0; i < TRIES; i++)
        while (n->pauses[i].first != NULL && n->pauses[i].first->due_ms <= now_ms)
            due(n, n->pauses[i].first, now_ms);
    while (n->line.first != NULL && n->open < n->rules.open_max)
        tell(n, n->line.first, now_ms);
}

int64_t mcx_notices_deadline_ms(const mcx_notices *n)
{
    int64_t first_ms = INT64_MAX;
    for (size_t i = 0; i < TRIES; i++)
        if (n->pauses[i].first != NULL && n->pauses[i].first->due_ms < first_ms)
            first_ms = n->pauses[i].first->due_ms;
    return first_ms;
}
