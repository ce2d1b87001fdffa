/* Channels come with the configuration and change with a reload. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/io/config_private.h"
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
    return out;
}

static void forget(shell *s, shell_channel *ch)
{
    (void)poc_table_remove(&s->channels, poc_span_str(ch->air.id));
    (void)poc_table_remove(&s->groups, poc_span_str(ch->group));
    free(ch);
}

static poc_err describe(shell *s, shell_channel *ch, const config_channel *c)
{
    ch->air = c->air;
    ch->is_kept = true;
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
        (void)poc_table_remove(&s->groups, poc_span_str(ch->group));
    if (err != POC_OK)
        free(ch);
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
        (void)poc_table_remove(&s->groups, poc_span_str(ch->group));
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
    return POC_OK;
}

/* ---- reload ---- */

static bool same_on_air(const shell_channel *ch, const config_channel *c)
{
    char group[POC_URI_MAX];
    return poc_uri_canonical(group, poc_span_str(c->group)) == POC_OK && strcmp(group, ch->group) == 0 &&
           memcmp(&ch->air, &c->air, sizeof(c->air)) == 0; /* both were zeroed before they were filled */
}

static bool same_policy(const config *running, const config_channel *c)
{
    for (size_t i = 0; i < running->channel_count; i++)
        if (strcmp(running->channels[i].id, c->id) == 0)
            return memcmp(&running->channels[i].rekey, &c->rekey, sizeof(c->rekey)) == 0; /* zeroed before filled */
    return false;
}

static void change(shell *s, shell_channel *ch, const config_channel *c)
{
    static const char fixed[] = "group, addresses, ports and key domain of a channel that exists stay as they are";
    ch->is_kept = true;
    if (!same_on_air(ch, c)) {
        log_event(LOG_LEVEL_WARNING, "reload_needs_restart", LOG_TEXT("channel", c->id), LOG_TEXT("reason", fixed));
        shell_told(s, "reload_needs_restart", c->id, fixed);
        return;
    }
    pocpf_channel engine = engine_channel(c, ch->group);
    pocpf_err err = pocpf_channel_change(s->pf, io_now_ms(), &engine);
    if (err != POCPF_OK) {
        log_event(LOG_LEVEL_WARNING, "channel_not_changed", LOG_TEXT("channel", c->id),
                  LOG_TEXT("reason", pocpf_err_name(err)));
        shell_told(s, "channel_not_changed", c->id, pocpf_err_name(err));
    } else if (!same_policy(s->current, c)) {
        log_event(LOG_LEVEL_INFO, "channel_changed", LOG_TEXT("channel", c->id));
        shell_told(s, "channel_changed", c->id, NULL);
    }
}

static void add_new(shell *s, const config_channel *c)
{
    shell_channel *closed = shell_channel_of(s, c->id);
    poc_err err = closed == NULL ? add(s, c) : bring_back(s, closed, c);
    if (err == POC_OK) {
        log_event(LOG_LEVEL_INFO, "channel_added", LOG_TEXT("channel", c->id));
        shell_told(s, "channel_added", c->id, NULL);
    } else {
        log_event(LOG_LEVEL_ERROR, "channel_not_added", LOG_TEXT("channel", c->id),
                  LOG_TEXT("reason", poc_err_name(err)));
        shell_told(s, "channel_not_added", c->id, poc_err_name(err));
    }
}

/** Off air and withdrawn from its members. Its entry stays: effects and sessions still name it. */
static void close_channel(shell *s, shell_channel *ch)
{
    ch->is_closed = true;
    (void)poc_table_remove(&s->groups, poc_span_str(ch->group));
    (void)pocpf_channel_stop(s->pf, io_now_ms(), ch->air.id);
    shell_pump(s);
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
        free(ch);
    poc_table_done(&s->channels);
    poc_table_done(&s->groups);
}
