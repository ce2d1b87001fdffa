/* Channels under a MuSiK: who may be in them, which the desk knows, and where their bearers are heard, which clients are told by
 * MESSAGE (TS 24.379 14.2.2). */
#include "pf/io/shell_mcx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPEN_MAX = 100, BODY_ROOM = 12288, TIMEOUT_MS = 32000 };

/** What is said of a bearer; many are told the same. */
struct shell_mcx_bulletin {
    size_t refs;
    mcx_service service;
    wire_mbms_announcement bearer;
    uint8_t sdp[WIRE_MCX_SDP_MAX];
    size_t sdp_len; /* 0: withdrawn */
};

/* ---- bulletins ---- */

static void bulletin_unref(shell_mcx_bulletin *b)
{
    if (b != NULL && --b->refs == 0)
        free(b);
}

/** NULL: no memory. Owned by the caller. An announcement without areas withdraws the bearer. */
static shell_mcx_bulletin *bulletin_new(const shell_channel *ch, bool is_withdrawn)
{
    const config_musik *m = ch->musik;
    shell_mcx_bulletin *b = (shell_mcx_bulletin *)calloc(1, sizeof(*b));
    if (b == NULL)
        return NULL;
    *b = (shell_mcx_bulletin){ .refs = 1, .service = (mcx_service)m->service };
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

/* ---- notices: who is to be told what ---- */

static void notice_free(shell_mcx_notice *n)
{
    bulletin_unref(n->bulletin);
    free(n);
}

void shell_mcx_notices_free(shell_mcx *x)
{
    for (shell_mcx_notice *n = x->first, *next; n != NULL; n = next) {
        next = n->next;
        notice_free(n);
    }
    x->first = NULL;
    x->last = &x->first;
}

static void notice_put(shell_mcx *x, shell_mcx_bulletin *b, const char *user)
{
    const size_t n = strlen(user) + 1;
    shell_mcx_notice *notice = (shell_mcx_notice *)malloc(sizeof(*notice) + n);
    if (notice == NULL)
        return; /* he is told with his next key */
    notice->next = NULL;
    notice->bulletin = b;
    b->refs++;
    memcpy(notice->user, user, n);
    *x->last = notice;
    x->last = &notice->next;
}

/** What he is about to be told anew: he may come again faster than anybody can be told. */
static void notices_remove(shell_mcx *x, const char *user)
{
    for (shell_mcx_notice **at = &x->first, *n; (n = *at) != NULL;) {
        if (n->bulletin->sdp_len == 0 || strcmp(n->user, user) != 0) {
            at = &n->next;
            continue;
        }
        *at = n->next;
        if (*at == NULL)
            x->last = at;
        notice_free(n);
    }
}

static poc_err send_notice(shell_mcx *x, const shell_mcx_notice *n)
{
    uint8_t room[BODY_ROOM];
    char content_type[WIRE_MCX_CONTENT_TYPE_MAX];
    wire_mcx_user who;
    const shell_mcx_bulletin *b = n->bulletin;
    poc_wr body = poc_wr_into(room, sizeof(room));
    if (!wire_mcx_desk_look_for(x->desk, n->user, b->service, &who))
        return POC_E_STATE; /* gone meanwhile */
    POC_TRY(wire_mcx_announcement_write(&body, content_type, b->service, who.mc_id, &b->bearer,
                                        poc_span_of(b->sdp, b->sdp_len), &poc_rng_system));
    const sip_mcx_message message = { .impu = who.impu,
                                      .where = who.where,
                                      .subject = n->user,
                                      .service = b->service,
                                      .content_type = content_type,
                                      .body = poc_span_of(room, body.len),
                                      .timeout_ms = TIMEOUT_MS };
    return sip_mcx_send(x->shell->sip, &message);
}

static void pump(shell_mcx *x)
{
    while (x->first != NULL && x->notices_open < OPEN_MAX) {
        shell_mcx_notice *n = x->first;
        x->first = n->next;
        if (x->first == NULL)
            x->last = &x->first;
        const poc_err err = send_notice(x, n);
        if (err == POC_OK) {
            x->notices_open++;
            x->counts.announcements++;
        } else if (err != POC_E_STATE) {
            log_refusal("announcement_not_sent", poc_err_name(err), n->user, "a bearer cannot be announced");
        }
        notice_free(n);
    }
}

void shell_mcx_announced(shell_mcx *x, const char *subject, int status)
{
    char kind[16];
    x->notices_open--;
    if (status >= 300) {
        (void)snprintf(kind, sizeof(kind), "%d", status);
        log_refusal("announcement_not_taken", kind, subject, "a client does not take an announcement, or is not there");
    }
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

void shell_mcx_announce_to(shell_mcx *x, const char *user)
{
    const shell_channel *ch;
    wire_mcx_user who;
    notices_remove(x, user);
    for (size_t at = 0; (ch = (const shell_channel *)poc_table_next(&x->shell->channels, &at)) != NULL;) {
        shell_mcx_bulletin *b = NULL;
        if (ch->musik != NULL && !ch->is_closed && is_announced(ch->musik) &&
            wire_mcx_desk_look_for(x->desk, user, (mcx_service)ch->musik->service, &who) && may_hear(ch, &who))
            b = bulletin_new(ch, false);
        if (b != NULL)
            notice_put(x, b, user);
        bulletin_unref(b);
    }
    pump(x);
}

static void announce_to_all(shell_mcx *x, const shell_channel *ch, bool is_withdrawn)
{
    wire_mcx_user who;
    shell_mcx_bulletin *b = is_announced(ch->musik) ? bulletin_new(ch, is_withdrawn) : NULL;
    for (size_t at = 0; b != NULL && wire_mcx_desk_next(x->desk, &at, &who);)
        if (may_hear(ch, &who))
            notice_put(x, b, who.impu);
    bulletin_unref(b);
    pump(x);
}

void shell_mcx_announce_all(shell_mcx *x)
{
    const shell_channel *ch;
    for (size_t at = 0; (ch = (const shell_channel *)poc_table_next(&x->shell->channels, &at)) != NULL;)
        if (ch->musik != NULL && !ch->is_closed)
            announce_to_all(x, ch, false);
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
        announce_to_all(x, ch, true);
    ch->musik = m;
    POC_TRY(shell_users_list(ch, &m->users));
    POC_TRY(tell_desk(x, ch));
    if (is_other)
        announce_to_all(x, ch, false);
    return POC_OK;
}

static void unload_channel(shell_mcx *x, shell_channel *ch)
{
    announce_to_all(x, ch, true);
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
