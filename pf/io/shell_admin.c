/* The engine as an operator sees it and works on it. What he orders goes the way of every other event. */
#include <string.h>

#include "pf/io/shell_private.h"

/* ---- looking ---- */

static bool look(const shell *s, const shell_channel *ch, shell_channel_status *out)
{
    *out = (shell_channel_status){ .id = ch->air.id,
                                   .group = ch->group,
                                   .is_musik = ch->musik != NULL,
                                   .service = ch->mbms == NULL ? NULL : ch->mbms->service,
                                   .engine = { .size = sizeof(pocpf_channel_status) } };
    return pocpf_channel_look(s->pf, ch->air.id, &out->engine) == POCPF_OK;
}

bool shell_channel_look(const shell *s, const char *id, shell_channel_status *out)
{
    const shell_channel *ch = shell_channel_of(s, id);
    return ch != NULL && !ch->is_closed && look(s, ch, out);
}

bool shell_channel_next(const shell *s, size_t *at, shell_channel_status *out)
{
    while (*at < s->current->channel_count)
        if (shell_channel_look(s, s->current->channels[(*at)++].id, out))
            return true;
    return false;
}

bool shell_member_next(const shell *s, const char *id, size_t *at, pocpf_member_status *out)
{
    *out = (pocpf_member_status){ .size = sizeof(*out) };
    return pocpf_member_next(s->pf, id, at, out);
}

static content_counts look_at_content(const shell *s)
{
    content_counts all = { 0 };
    const shell_channel *ch;
    for (size_t at = 0; (ch = (const shell_channel *)poc_table_next(&s->channels, &at)) != NULL;) {
        if (ch->content == NULL)
            continue;
        content_counts one = content_look(ch->content);
        all.packets += one.packets;
        all.foreign_dropped += one.foreign_dropped;
    }
    return all;
}

void shell_look(const shell *s, shell_status *out)
{
    shell_channel_status ignored;
    *out = (shell_status){ .up_ms = io_now_ms() - s->started_ms,
                           .sip = sip_look(s->sip),
                           .relay = relay_look(s->relay),
                           .store = store_look(s->store),
                           .content = look_at_content(s) };
    if (s->push != NULL)
        out->push = push_look(s->push);
    if (s->keyman_http != NULL)
        out->keyman = keyman_http_look(s->keyman_http);
    shell_mcx_look(s, &out->mcx);
    for (size_t at = 0; shell_channel_next(s, &at, &ignored);)
        out->channels++;
}

event_ring *shell_events(const shell *s)
{
    return s->events;
}

/* ---- ordering ---- */

enum { NAMES_MAX = 3 };

/** Under which names the engine may know him. The engine finds the service id of a MuSiK's user by his CSK; of one who has none,
 *  because he is logged off, mcx.users may tell it. */
static size_t names_of(const shell *s, const char *id, const shell_subject *who, char mc_id[WIRE_MCX_TEXT_MAX + 1],
                       const char *names[NAMES_MAX])
{
    size_t n = 0;
    names[n++] = who->user;
    if (!shell_mcx_knows(s, id, who->user, mc_id))
        return n;
    if (strcmp(who->said, who->user) != 0)
        names[n++] = who->said;
    if (mc_id[0] != '\0')
        names[n++] = mc_id;
    return n;
}

poc_err shell_expel(shell *s, const char *id, const shell_subject *who, pocpf_expulsion *done)
{
    const char *names[NAMES_MAX];
    char mc_id[WIRE_MCX_TEXT_MAX + 1];
    const size_t n = names_of(s, id, who, mc_id, names);
    pocpf_err err = POCPF_OK;
    *done = (pocpf_expulsion){ .size = sizeof(*done), .barred = true };
    for (size_t i = 0; i < n && err == POCPF_OK; i++) {
        pocpf_expulsion one = { .size = sizeof(one) };
        err = pocpf_expel(s->pf, io_now_ms(), id, names[i], &one);
        done->was_member |= one.was_member;
        done->barred &= one.barred;
        done->rekeyed |= one.rekeyed;
    }
    if (err == POCPF_OK)
        log_event(LOG_LEVEL_INFO, "operator_expels", LOG_TEXT("channel", id), LOG_TEXT("user", who->said));
    shell_pump(s);
    return (poc_err)err;
}

poc_err shell_rekey(shell *s, const char *id)
{
    pocpf_err err = pocpf_rekey(s->pf, io_now_ms(), id);
    if (err == POCPF_OK)
        log_event(LOG_LEVEL_INFO, "operator_rekeys", LOG_TEXT("channel", id));
    shell_pump(s);
    return (poc_err)err;
}

poc_err shell_solicit(shell *s, const char *id, const char *user)
{
    pocpf_err err = pocpf_solicit(s->pf, io_now_ms(), id, user);
    if (err == POCPF_OK)
        log_event(LOG_LEVEL_INFO, "operator_solicits", LOG_TEXT("channel", id), LOG_TEXT("user", user));
    shell_pump(s);
    return (poc_err)err;
}

poc_err shell_admit(shell *s, const char *id, const shell_subject *who)
{
    const char *names[NAMES_MAX];
    char mc_id[WIRE_MCX_TEXT_MAX + 1];
    const size_t n = names_of(s, id, who, mc_id, names);
    pocpf_err err = POCPF_E_STATE;
    for (size_t i = 0; i < n; i++) {
        const pocpf_err one = pocpf_admit(s->pf, io_now_ms(), id, names[i]);
        err = one == POCPF_E_STATE ? err : one;
    }
    if (err == POCPF_OK)
        log_event(LOG_LEVEL_INFO, "operator_admits", LOG_TEXT("channel", id), LOG_TEXT("user", who->said));
    shell_pump(s);
    return (poc_err)err;
}

/* ---- reloading ---- */

void shell_told(const shell *s, const char *what, const char *subject, const char *reason)
{
    if (s->told != NULL)
        s->told(s->told_user, what, subject, reason);
}
