/* Channels come with the configuration and change with a reload. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/io/config_private.h"
#include "pf/io/mcx_notices.h"
#include "pf/io/shell_private.h"

shell_channel *shell_channel_of(const shell *s, const char *id)
{
    return (shell_channel *)poc_table_get(&s->channels, poc_span_str(id));
}

static uint32_t delivery_of(uint32_t words)
{
    return ((words >> CONFIG_DELIVERY_SIP & 1u) != 0 ? POCPF_BY_SIP : 0u) |
           ((words >> CONFIG_DELIVERY_PUSH & 1u) != 0 ? POCPF_BY_PUSH : 0u);
}

static void make_musik(pocpf_channel *out, const config_musik *m)
{
    out->kind = POCPF_KIND_MUSIK;
    out->group_uri = NULL;
    out->musik = (pocpf_musik){ .groups = (const char *const *)m->groups.item,
                                .group_count = m->groups.count,
                                .text = m->text[0] != '\0' ? m->text : NULL,
                                .service = (uint8_t)m->service,
                                .lifetime_s = m->lifetime_s,
                                .without_revocation = !m->revoke };
}

static pocpf_channel engine_channel(const config_channel *c, const char *group)
{
    const config_rekey *r = &c->rekey;
    pocpf_channel out = { .size = sizeof(out),
                          .id = c->id,
                          .group_uri = group,
                          .key_group = (uint16_t)c->key_group,
                          .rekey = { .on_leave = (pocpf_on_leave)r->on_leave,
                                     .leave_batch_ms = r->leave_batch_ms,
                                     .on_join = r->on_join,
                                     .interval_s = r->interval_s,
                                     .max_mtk = r->max_mtk,
                                     .deadline_ms = r->deadline_ms,
                                     .gate = (pocpf_gate)r->gate,
                                     .on_refusal = (pocpf_on_refusal)r->on_refusal,
                                     .delivery = delivery_of(r->delivery) } };
    memcpy(out.key_domain, c->key_domain_id, sizeof(out.key_domain));
    if (c->kind == CONFIG_MUSIK)
        make_musik(&out, &c->musik);
    return out;
}

static void channel_free(shell_channel *ch)
{
    shell_content_close(ch);
    mcx_bulletin_unref(ch->bulletin);
    poc_table_done(&ch->users);
    free(ch);
}

static void leave_group(shell *s, const shell_channel *ch)
{
    if (ch->group[0] != '\0')
        (void)poc_table_remove(&s->groups, poc_span_str(ch->group));
}

static void forget(shell *s, shell_channel *ch)
{
    (void)poc_table_remove(&s->channels, poc_span_str(ch->air.id));
    leave_group(s, ch);
    channel_free(ch);
}

static poc_err describe(shell *s, shell_channel *ch, const config_channel *c)
{
    ch->air = c->air;
    ch->key_group = (uint16_t)c->key_group;
    ch->kind = c->kind;
    ch->musik_service = c->musik.service;
    ch->is_kept = true;
    if (c->group[0] == '\0')
        return POC_OK;
    POC_TRY(poc_uri_canonical(ch->group, poc_span_str(c->group)));
    return poc_table_put(&s->groups, poc_span_str(ch->group), ch);
}

static poc_err remember(shell *s, const config_channel *c)
{
    shell_channel *ch = (shell_channel *)calloc(1, sizeof(*ch));
    if (ch == NULL)
        return POC_E_NOMEM;
    poc_err err = describe(s, ch, c);
    if (err == POC_OK && (err = poc_table_put(&s->channels, poc_span_str(ch->air.id), ch)) != POC_OK)
        leave_group(s, ch);
    if (err != POC_OK)
        channel_free(ch);
    return err;
}

static poc_err add_to_engine(shell *s, const config_channel *c)
{
    pocpf_channel engine = engine_channel(c, shell_channel_of(s, c->id)->group);
    return (poc_err)pocpf_channel_add(s->pf, io_now_ms(), &engine);
}

static poc_err add(shell *s, const config_channel *c)
{
    POC_TRY(remember(s, c));
    poc_err err = add_to_engine(s, c);
    if (err != POC_OK)
        forget(s, shell_channel_of(s, c->id));
    return err;
}

/** A channel that an earlier reload took away is configured again: who is still in its session is a member again. */
static poc_err bring_back(shell *s, shell_channel *ch, const config_channel *c)
{
    POC_TRY(describe(s, ch, c));
    poc_err err = add_to_engine(s, c);
    if (err != POC_OK)
        leave_group(s, ch);
    ch->is_closed = err != POC_OK;
    return err;
}

poc_err shell_channels_add(shell *s, const config *c, char why[CONFIG_WHY_MAX])
{
    for (size_t i = 0; i < c->channel_count; i++) {
        poc_err err = add(s, &c->channels[i]);
        if (err != POC_OK) {
            (void)config_fail(why, "channels", 0, "the engine refuses channel \"%s\": %s", c->channels[i].id,
                              poc_err_name(err));
            return err;
        }
    }
    return shell_services_load(s, c);
}

/* ---- reload ---- */

static bool same_on_air(const shell_channel *ch, const config_channel *c)
{
    char group[POC_URI_MAX] = "";
    if (c->group[0] != '\0' && poc_uri_canonical(group, poc_span_str(c->group)) != POC_OK)
        return false;
    return strcmp(group, ch->group) == 0 &&
           memcmp(&ch->air, &c->air, sizeof(c->air)) == 0; /* both were zeroed before they were filled */
}

static const config_channel *running_channel(const shell *s, const char *id)
{
    for (size_t i = 0; i < s->current->channel_count; i++)
        if (strcmp(s->current->channels[i].id, id) == 0)
            return &s->current->channels[i];
    return NULL;
}

static bool same_policy(const config_channel *a, const config_channel *b)
{
    return a != NULL && memcmp(&a->rekey, &b->rekey, sizeof(a->rekey)) == 0; /* zeroed before filled */
}

static bool same_service(const config_channel *a, const config_channel *b)
{
    if (a != NULL && a->kind == CONFIG_MUSIK)
        return a->musik.admit == b->musik.admit && config_same_texts(&a->musik.users, &b->musik.users) &&
               strcmp(a->musik.tmgi_text, b->musik.tmgi_text) == 0 && a->musik.qci == b->musik.qci &&
               config_same_texts(&a->musik.areas, &b->musik.areas);
    return a != NULL && strcmp(a->mbms.service, b->mbms.service) == 0 && a->mbms.admit == b->mbms.admit &&
           config_same_texts(&a->mbms.users, &b->mbms.users);
}

/** What a reload wants of a channel that only a restart can bring; NULL: nothing. */
static const char *needs_restart(const shell *s, const config_channel *c)
{
    bool pushes = (c->rekey.delivery >> CONFIG_DELIVERY_PUSH & 1u) != 0;
    if (c->kind == CONFIG_MUSIK)
        return s->mcx == NULL ? "mcx.psi is read at the start" : NULL;
    return pushes && s->push == NULL ? "delivery by push needs mbms.push_listen, which is opened at the start" : NULL;
}

static bool same_musik(const config_channel *a, const config_channel *b)
{
    return a->kind == b->kind && a->musik.service == b->musik.service && a->musik.lifetime_s == b->musik.lifetime_s &&
           a->musik.revoke == b->musik.revoke &&
           (a->kind != CONFIG_MUSIK || strcmp(a->musik.text, b->musik.text) == 0) &&
           config_same_texts(&a->musik.groups, &b->musik.groups);
}

/* Also when an earlier reload has wanted something else, which is then the configuration that runs. */
bool shell_channel_is(const shell_channel *ch, const config_channel *c)
{
    return ch->kind == c->kind && (ch->kind != CONFIG_MUSIK || ch->musik_service == c->musik.service);
}

static const char *cannot_change(const shell *s, const shell_channel *ch, const config_channel *c)
{
    const config_channel *before = running_channel(s, c->id);
    if (!shell_channel_is(ch, c) || (before != NULL && !same_musik(before, c)))
        return "service, groups, text, lifetime and revocation of a MuSiK that exists stay as they are";
    if (!same_on_air(ch, c) || !shell_content_same(ch, c))
        return "group, addresses, ports, key domain and feed of a channel that exists stay as they are";
    return needs_restart(s, c);
}

static void change(shell *s, shell_channel *ch, const config_channel *c)
{
    const config_channel *before = running_channel(s, c->id);
    const char *why = cannot_change(s, ch, c);
    ch->is_kept = true;
    if (why != NULL) {
        log_event(LOG_LEVEL_WARNING, "reload_needs_restart", LOG_TEXT("channel", c->id), LOG_TEXT("reason", why));
        shell_told(s, "reload_needs_restart", c->id, why);
        return;
    }
    pocpf_channel engine = engine_channel(c, ch->group);
    pocpf_err err = pocpf_channel_change(s->pf, io_now_ms(), &engine);
    if (err != POCPF_OK) {
        log_event(LOG_LEVEL_WARNING, "channel_not_changed", LOG_TEXT("channel", c->id),
                  LOG_TEXT("reason", pocpf_err_name(err)));
        shell_told(s, "channel_not_changed", c->id, pocpf_err_name(err));
    } else if (!same_policy(before, c) || !same_service(before, c)) {
        log_event(LOG_LEVEL_INFO, "channel_changed", LOG_TEXT("channel", c->id));
        shell_told(s, "channel_changed", c->id, NULL);
    }
}

/** Off air and withdrawn from its members. Its entry stays: effects and sessions still name it. */
static void close_channel(shell *s, shell_channel *ch)
{
    ch->is_closed = true;
    leave_group(s, ch);
    shell_content_close(ch);
    (void)pocpf_channel_stop(s->pf, io_now_ms(), ch->air.id);
    shell_pump(s);
}

static void tell_not_added(const shell *s, const char *id, const char *why)
{
    log_event(LOG_LEVEL_ERROR, "channel_not_added", LOG_TEXT("channel", id), LOG_TEXT("reason", why));
    shell_told(s, "channel_not_added", id, why);
}

static poc_err open_new(shell *s, const config_channel *c)
{
    shell_channel *closed = shell_channel_of(s, c->id);
    POC_TRY(closed == NULL ? add(s, c) : bring_back(s, closed, c));
    shell_channel *ch = shell_channel_of(s, c->id);
    poc_err err = shell_content_open(s, ch, c);
    if (err != POC_OK)
        close_channel(s, ch);
    return err;
}

static void add_new(shell *s, const config_channel *c)
{
    const char *why = needs_restart(s, c);
    poc_err err = why == NULL ? open_new(s, c) : POC_E_STATE;
    if (err != POC_OK) {
        tell_not_added(s, c->id, why == NULL ? poc_err_name(err) : why);
        return;
    }
    log_event(LOG_LEVEL_INFO, "channel_added", LOG_TEXT("channel", c->id));
    shell_told(s, "channel_added", c->id, NULL);
}

static void close_others(shell *s)
{
    shell_channel *ch;
    for (size_t at = 0; (ch = (shell_channel *)poc_table_next(&s->channels, &at)) != NULL;) {
        if (ch->is_kept || ch->is_closed)
            continue;
        log_event(LOG_LEVEL_INFO, "channel_removed", LOG_TEXT("channel", ch->air.id));
        shell_told(s, "channel_removed", ch->air.id, NULL);
        close_channel(s, ch);
    }
}

static bool is_open(const shell *s, const char *id)
{
    const shell_channel *ch = shell_channel_of(s, id);
    return ch != NULL && !ch->is_closed;
}

void shell_channels_reload(shell *s, const config *c)
{
    shell_channel *ch;
    for (size_t at = 0; (ch = (shell_channel *)poc_table_next(&s->channels, &at)) != NULL;)
        ch->is_kept = false;
    for (size_t i = 0; i < c->channel_count; i++)
        if (is_open(s, c->channels[i].id))
            change(s, shell_channel_of(s, c->channels[i].id), &c->channels[i]);
    close_others(s);
    for (size_t i = 0; i < c->channel_count; i++)
        if (!is_open(s, c->channels[i].id))
            add_new(s, &c->channels[i]);
    if (shell_services_load(s, c) != POC_OK)
        log_event(LOG_LEVEL_ERROR, "services_not_loaded", LOG_TEXT("reason", "out of memory"));
    if (shell_mcx_load(s, c) != POC_OK)
        log_event(LOG_LEVEL_ERROR, "musiks_not_loaded", LOG_TEXT("reason", "out of memory"));
    shell_pump(s);
}

void shell_channels_stop(shell *s)
{
    shell_channel *ch;
    for (size_t at = 0; (ch = (shell_channel *)poc_table_next(&s->channels, &at)) != NULL;)
        if (!ch->is_closed)
            close_channel(s, ch);
}

void shell_channels_free(shell *s)
{
    shell_channel *ch;
    for (size_t at = 0; (ch = (shell_channel *)poc_table_next(&s->channels, &at)) != NULL;)
        channel_free(ch);
    poc_table_done(&s->channels);
    poc_table_done(&s->groups);
}
