#include "tests/harness/expect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct expect_pending {
    bool waits;
    expect_kind kind;
    int who;
    int64_t since_us, until_us;
};

/* What a judge looks at. */
typedef struct trial {
    const record *rec;
    const measure *m;
    const expect_pending *p;
    expect_row *row;
} trial;

void expect_init(expect *e)
{
    memset(e, 0, sizeof(*e));
    e->patience = 1;
}

void expect_done(expect *e)
{
    free(e->rows);
    free(e->pending);
    memset(e, 0, sizeof(*e));
}

static bool make_room(expect *e)
{
    if (e->count < e->cap)
        return true;
    size_t cap = e->cap == 0 ? 16 : e->cap * 2;
    expect_row *rows = realloc(e->rows, cap * sizeof(*rows));
    if (rows != NULL)
        e->rows = rows;
    expect_pending *pending = realloc(e->pending, cap * sizeof(*pending));
    if (pending != NULL)
        e->pending = pending;
    e->overflow = e->overflow || rows == NULL || pending == NULL;
    if (rows == NULL || pending == NULL)
        return false;
    e->cap = cap;
    return true;
}

/* ---- judges ---- */

static int64_t ms_between(int64_t from_us, int64_t to_us)
{
    return (to_us - from_us) / 1000;
}

static void at_most(expect_row *row, int64_t value)
{
    row->has_value = true;
    row->value = value;
    row->ok = value <= row->limit;
}

static void not_met(expect_row *row, const char *note)
{
    row->ok = false;
    snprintf(row->note, sizeof(row->note), "%s", note);
}

static const measure_client *client_of(const trial *t)
{
    return &t->m->clients[t->p->who];
}

static void judge_exposure(const trial *t)
{
    const measure_client *c = client_of(t);
    if (c->expelled_us == MEASURE_NEVER) {
        not_met(t->row, "was never expelled");
        return;
    }
    at_most(t->row, ms_between(0, c->exposure_us));
}

static void judge_gap(const trial *t)
{
    at_most(t->row, client_of(t)->gap_packets);
}

/* Silence proves nothing: something must have been on air that the expelled one could have opened. */
static void judge_after_switch(const trial *t)
{
    const measure_client *c = client_of(t);
    at_most(t->row, c->opened_after_switch);
    if (c->expelled_us == MEASURE_NEVER)
        not_met(t->row, "was never expelled");
    else if (c->switch_us == MEASURE_NEVER)
        not_met(t->row, "no switch to another MSK followed");
    else if (c->on_air_after_switch == 0)
        not_met(t->row, "nothing was on air after the switch");
}

static void judge_first(const trial *t, int64_t first_us)
{
    const measure_client *c = client_of(t);
    if (c->joining_us == MEASURE_NEVER)
        not_met(t->row, "never joined");
    else if (first_us == MEASURE_NEVER)
        not_met(t->row, "heard nothing");
    else
        at_most(t->row, ms_between(c->joining_us, first_us));
}

static void judge_first_audio(const trial *t)
{
    judge_first(t, client_of(t)->first_multicast_us);
}

static void judge_first_any(const trial *t)
{
    judge_first(t, client_of(t)->first_any_us);
}

static void judge_played(const trial *t)
{
    t->row->has_value = true;
    t->row->value = client_of(t)->packets_played;
    t->row->ok = t->row->value >= t->row->limit;
}

static void judge_not_played(const trial *t)
{
    at_most(t->row, client_of(t)->packets_played);
}

static void judge_rekeys(const trial *t)
{
    int64_t count = 0;
    for (size_t i = 0; i < t->m->rekey_count; i++)
        count += t->m->rekeys[i].channel == t->p->who && t->m->rekeys[i].switch_us >= t->p->since_us &&
                 t->m->rekeys[i].switch_us <= t->p->until_us;
    t->row->has_value = true;
    t->row->value = count;
    t->row->ok = count == t->row->limit;
}

static void judge_confirmed(const trial *t)
{
    const measure_rekey *last = NULL;
    for (size_t i = 0; i < t->m->rekey_count; i++)
        if (t->m->rekeys[i].channel == t->p->who && t->m->rekeys[i].switch_us <= t->p->until_us)
            last = &t->m->rekeys[i];
    if (last == NULL) {
        not_met(t->row, "no switch to another MSK so far");
        return;
    }
    t->row->has_value = true;
    t->row->value = last->confirmed;
    t->row->ok = t->row->value == t->row->limit;
}

static void judge_no_rekey(const trial *t)
{
    at_most(t->row, measure_new_msks(t->rec, t->p->who, t->p->since_us, t->p->until_us));
}

static void judge_nothing_clear(const trial *t)
{
    at_most(t->row, t->m->in_clear);
}

typedef struct kind_row {
    const char *text;
    const char *unit;
    void (*judge)(const trial *t);
    bool of_channel;
} kind_row;

static const kind_row kinds[EXPECT_KINDS] = {
    [EXPECT_EXPOSURE] = { "exposure after the expulsion of %s", "ms", judge_exposure, false },
    [EXPECT_GAP] = { "gap of %s", "packets", judge_gap, false },
    [EXPECT_AFTER_SWITCH] = { "packets opened by %s after the switch", "packets", judge_after_switch, false },
    [EXPECT_FIRST_AUDIO] = { "from the join of %s to the first packet by multicast", "ms", judge_first_audio, false },
    [EXPECT_FIRST_ANY] = { "from the join of %s to the first packet", "ms", judge_first_any, false },
    [EXPECT_PLAYED] = { "packets played by %s, at least", "packets", judge_played, false },
    [EXPECT_NOT_PLAYED] = { "packets played by %s, at most", "packets", judge_not_played, false },
    [EXPECT_REKEYS] = { "rekeys of %s, exactly", "rekeys", judge_rekeys, true },
    [EXPECT_CONFIRMED] = { "members of %s with the new MSK at the switch, exactly", "members", judge_confirmed, true },
    [EXPECT_NO_REKEY] = { "new MSKs of %s", "MSKs", judge_no_rekey, true },
    [EXPECT_NOTHING_CLEAR] = { "unprotected datagrams on the group", "packets", judge_nothing_clear, false },
};

/* ---- door ---- */

static void name_it(expect_row *row, const record *rec, expect_kind kind, int who)
{
    const kind_row *k = &kinds[kind];
    const char *name = "";
    if (who >= 0)
        name = k->of_channel ? rec->channels[who].made.id : rec->clients[who].made.name;
    const char *mark = strstr(k->text, "%s");
    int head = mark != NULL ? (int)(mark - k->text) : (int)strlen(k->text);
    snprintf(row->what, sizeof(row->what), "%.*s%s%s", head, k->text, mark != NULL ? name : "",
             mark != NULL ? mark + 2 : "");
}

void expect_later(expect *e, const record *rec, expect_kind kind, int who, int64_t limit, int64_t since_us,
                  int64_t until_us)
{
    if (!make_room(e))
        return;
    const bool is_time = strcmp(kinds[kind].unit, "ms") == 0;
    expect_row row = { .limit = is_time ? limit * e->patience : limit, .unit = kinds[kind].unit };
    name_it(&row, rec, kind, who);
    e->rows[e->count] = row;
    e->pending[e->count++] = (expect_pending){ true, kind, who, since_us, until_us };
}

void expect_now(expect *e, const char *what, bool ok, const char *note)
{
    if (!make_room(e))
        return;
    expect_row row = { .ok = ok, .unit = "" };
    snprintf(row.what, sizeof(row.what), "%s", what);
    snprintf(row.note, sizeof(row.note), "%s", ok || note == NULL ? "" : note);
    e->rows[e->count] = row;
    e->pending[e->count++] = (expect_pending){ 0 };
}

void expect_judge(expect *e, const record *rec, const measure *m)
{
    for (size_t i = 0; i < e->count; i++) {
        if (!e->pending[i].waits)
            continue;
        trial t = { rec, m, &e->pending[i], &e->rows[i] };
        kinds[e->pending[i].kind].judge(&t);
        e->pending[i].waits = false;
    }
}

bool expect_all_met(const expect *e)
{
    for (size_t i = 0; i < e->count; i++)
        if (!e->rows[i].ok)
            return false;
    return !e->overflow;
}
