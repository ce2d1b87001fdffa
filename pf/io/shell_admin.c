/* The engine as an operator sees it and works on it. What he orders goes the way of every other event. */
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

poc_err shell_expel(shell *s, const char *id, const char *user)
{
    pocpf_err err = pocpf_member_departed(s->pf, io_now_ms(), id, user, POCPF_EXPELLED);
    if (err == POCPF_OK)
        log_event(LOG_LEVEL_INFO, "operator_expels", LOG_TEXT("channel", id), LOG_TEXT("user", user));
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

poc_err shell_admit(shell *s, const char *id, const char *user)
{
    pocpf_err err = pocpf_admit(s->pf, io_now_ms(), id, user);
    if (err == POCPF_OK)
        log_event(LOG_LEVEL_INFO, "operator_admits", LOG_TEXT("channel", id), LOG_TEXT("user", user));
    shell_pump(s);
    return (poc_err)err;
}

/* ---- reloading ---- */

void shell_told(const shell *s, const char *what, const char *subject, const char *reason)
{
    if (s->told != NULL)
        s->told(s->told_user, what, subject, reason);
}
