/* Channels under a MuSiK: who may be in them, which the desk knows, and where their bearers are heard, which clients are told by
 * MESSAGE (TS 24.379 14.2.2). */
#include "pf/io/shell_mcx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPEN_MAX = 100,
    BODY_ROOM = 12288,
    TIMEOUT_MS = 10000, /* then the place is another's: it is repeated anyway */
    TOPIC = 1 /* of a request: no two announcements are on their way to one user; those of downloads are larger */
};

/* ---- bulletins ---- */

/** NULL: no memory. Owned by the caller. An announcement without areas withdraws the bearer. */
static mcx_bulletin *bulletin_new(const shell_channel *ch, bool is_withdrawn)
{
    const config_musik *m = ch->musik;
    mcx_bulletin *b = (mcx_bulletin *)calloc(1, sizeof(*b));
    if (b == NULL)
        return NULL;
    *b = (mcx_bulletin){ .refs = 1, .service = (mcx_service)m->service };
    memcpy(b->bearer.tmgi, m->tmgi, sizeof(b->bearer.tmgi));
    if (is_withdrawn)
        return b;
    poc_wr sdp = poc_wr_into(b->sdp, sizeof(b->sdp));
    b->bearer.qci = m->qci;
    b->bearer.general_purpose_line = WIRE_MCX_SDP_LINE;
    for (size_t i = 0; i < m->areas.count && i < WIRE_MCX_AREAS_MAX; i++)
        b->bearer.areas[b->bearer.area_count++] = m->area_ids[i];
    if (wire_mcx_sdp_write(&sdp, b->service, &ch->air) == POC_OK)
        b->sdp_len = sdp.len;
    return b;
}

/* ---- who is told ---- */

static poc_err on_send(void *user, const char *who, const mcx_bulletin *b)
{
    uint8_t room[BODY_ROOM];
    char content_type[WIRE_MCX_CONTENT_TYPE_MAX];
    wire_mcx_user is;
    shell_mcx *x = (shell_mcx *)user;
    poc_wr body = poc_wr_into(room, sizeof(room));
    if (!wire_mcx_desk_look_for(x->desk, who, b->service, &is))
        return POC_E_STATE; /* gone meanwhile */
    poc_err err = wire_mcx_announcement_write(&body, content_type, b->service, is.mc_id, &b->bearer,
                                              poc_span_of(b->sdp, b->sdp_len), &poc_rng_system);
    const sip_mcx_message message = { .impu = is.impu,
                                      .where = is.where,
                                      .subject = who,
                                      .topic = TOPIC,
                                      .service = b->service,
                                      .content_type = content_type,
                                      .body = poc_span_of(room, body.len),
                                      .timeout_ms = TIMEOUT_MS };
    if (err == POC_OK)
        err = sip_mcx_send(x->shell->sip, &message, NULL);
    if (err == POC_OK)
        x->counts.announcements++;
    else if (err != POC_E_STATE)
        log_refusal("announcement_not_sent", poc_err_name(err), who, "a bearer cannot be announced");
    return err;
}

static bool on_knows(void *user, const char *who)
{
    wire_mcx_user is;
    return wire_mcx_desk_look(((const shell_mcx *)user)->desk, who, &is);
}

poc_err shell_mcx_notices_make(shell_mcx *x)
{
    mcx_notices_rules rules = { .open_max = OPEN_MAX, .send = on_send, .knows = on_knows, .user = x };
    POC_TRY(poc_rng_system.fill(poc_rng_system.ctx, &rules.seed, sizeof(rules.seed)));
    return mcx_notices_new(&x->notices, &rules);
}

static void pump(shell_mcx *x)
{
    mcx_notices_pump(x->notices, io_now_ms());
    shell_mcx_timer_set(x);
}

void shell_mcx_announced(shell_mcx *x, const char *subject, int status)
{
    char kind[16];
    const bool ok = status >= 200 && status < 300;
    if (!ok) {
        (void)snprintf(kind, sizeof(kind), "%d", status);
        log_refusal("announcement_not_taken", kind, subject, "a client does not take an announcement, or is not there");
    }
    mcx_notices_answered(x->notices, io_now_ms(), subject, ok);
    pump(x);
}

void shell_mcx_announce_again(shell_mcx *x, const char *user)
{
    mcx_notices_comes(x->notices, user);
    pump(x);
}

static bool is_announced(const config_musik *m)
{
    return m->has_tmgi && m->areas.count > 0;
}

static bool may_hear(const shell_channel *ch, const wire_mcx_user *who)
{
    return (who->services & WIRE_MCX_SERVICE_BIT(ch->musik->service)) != 0 &&
           (ch->musik->admit != CONFIG_MCX_ADMIT_LISTED || poc_table_get(&ch->users, poc_span_str(who->mc_id)) != NULL);
}

/** Without memory he is told with his next key. */
void shell_mcx_announce_to(shell_mcx *x, const char *user)
{
    const shell_channel *ch;
    wire_mcx_user who;
    mcx_notices_drop(x->notices, user);
    for (size_t at = 0; (ch = (const shell_channel *)poc_table_next(&x->shell->channels, &at)) != NULL;)
        if (ch->musik != NULL && !ch->is_closed && ch->bulletin != NULL &&
            wire_mcx_desk_look_for(x->desk, user, (mcx_service)ch->musik->service, &who) && may_hear(ch, &who))
            (void)mcx_notices_put(x->notices, user, ch->bulletin);
    pump(x);
}

static void tell_all(shell_mcx *x, const shell_channel *ch, mcx_bulletin *b)
{
    wire_mcx_user who;
    for (size_t at = 0; b != NULL && wire_mcx_desk_next(x->desk, &at, &who);)
        if (may_hear(ch, &who))
            (void)mcx_notices_put(x->notices, who.impu, b);
    pump(x);
}

static void withdraw(shell_mcx *x, shell_channel *ch)
{
    mcx_bulletin *b = ch->bulletin != NULL ? bulletin_new(ch, true) : NULL;
    mcx_bulletin_unref(ch->bulletin);
    ch->bulletin = NULL;
    tell_all(x, ch, b);
    mcx_bulletin_unref(b);
}

static void announce(shell_mcx *x, shell_channel *ch)
{
    mcx_bulletin_unref(ch->bulletin);
    ch->bulletin = is_announced(ch->musik) ? bulletin_new(ch, false) : NULL;
    tell_all(x, ch, ch->bulletin);
}

void shell_mcx_announce_all(shell_mcx *x)
{
    const shell_channel *ch;
    for (size_t at = 0; (ch = (const shell_channel *)poc_table_next(&x->shell->channels, &at)) != NULL;)
        if (ch->musik != NULL && !ch->is_closed)
            tell_all(x, ch, ch->bulletin);
}

/* ---- channels ---- */

/** A region is heard by who says so, all else by whoever may. */
static poc_err tell_desk(shell_mcx *x, const shell_channel *ch)
{
    const config_musik *m = ch->musik;
    wire_mcx_channel channel = { .id = ch->air.id,
                                 .service = (mcx_service)m->service,
                                 .is_open = m->admit != CONFIG_MCX_ADMIT_LISTED,
                                 .has_tmgi = m->has_tmgi && m->groups.count == 0 };
    memcpy(channel.tmgi, m->tmgi, sizeof(channel.tmgi));
    return wire_mcx_desk_channel(x->desk, io_now_ms(), &channel);
}

static bool same_tmgi(const config_musik *a, const config_musik *b)
{
    return memcmp(a->tmgi, b->tmgi, sizeof(a->tmgi)) == 0;
}

static bool same_bearer(const config_musik *a, const config_musik *b)
{
    return is_announced(a) == is_announced(b) && same_tmgi(a, b) && a->qci == b->qci &&
           config_same_texts(&a->areas, &b->areas);
}

static poc_err load_channel(shell_mcx *x, shell_channel *ch, const config_musik *m)
{
    const bool is_other = ch->musik == NULL || !same_bearer(ch->musik, m);
    const bool goes_on = is_announced(m) && ch->musik != NULL && same_tmgi(ch->musik, m);
    if (is_other && ch->musik != NULL && !goes_on)
        withdraw(x, ch);
    ch->musik = m;
    POC_TRY(shell_users_list(ch, &m->users));
    POC_TRY(tell_desk(x, ch));
    if (is_other)
        announce(x, ch);
    return POC_OK;
}

static void unload_channel(shell_mcx *x, shell_channel *ch)
{
    withdraw(x, ch);
    wire_mcx_desk_channel_remove(x->desk, io_now_ms(), ch->air.id);
    poc_table_done(&ch->users);
    ch->users = (poc_table){ 0 };
    ch->musik = NULL;
}

static poc_err load_all(shell *s, const config *c)
{
    for (size_t i = 0; i < c->channel_count; i++) {
        shell_channel *ch = c->channels[i].kind == CONFIG_MUSIK ? shell_channel_of(s, c->channels[i].id) : NULL;
        if (ch != NULL && !ch->is_closed && shell_channel_is(ch, &c->channels[i]))
            POC_TRY(load_channel(s->mcx, ch, &c->channels[i].musik));
    }
    return POC_OK;
}

/** Nobody is in a MuSiK of which the configuration says that it is something else: he would be given what is not of his
 *  service. Until a restart; and nothing here points to what was configured before. */
static bool goes_on(const shell_channel *ch, const config *c)
{
    for (size_t i = 0; i < c->channel_count; i++)
        if (strcmp(c->channels[i].id, ch->air.id) == 0)
            return !ch->is_closed && shell_channel_is(ch, &c->channels[i]);
    return false;
}

poc_err shell_mcx_load(shell *s, const config *c)
{
    shell_channel *ch;
    if (s->mcx == NULL)
        return POC_OK;
    for (size_t at = 0; (ch = (shell_channel *)poc_table_next(&s->channels, &at)) != NULL;)
        if (ch->musik != NULL && !goes_on(ch, c))
            unload_channel(s->mcx, ch);
    return load_all(s, c);
}
