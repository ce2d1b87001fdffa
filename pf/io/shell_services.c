/* Channels as MBMS user services: which service ID is whose, who may register, and where clear media without a PoC session
 * comes from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/io/shell_private.h"

/* ---- services ---- */

static const wire_keyman_admit admits[] = {
    [CONFIG_ADMIT_SESSION] = WIRE_ADMIT_SESSION,
    [CONFIG_ADMIT_LISTED] = WIRE_ADMIT_LISTED,
    [CONFIG_ADMIT_AUTHENTICATED] = WIRE_ADMIT_AUTHENTICATED,
};

poc_err shell_users_list(shell_channel *ch, const config_texts *users)
{
    uint64_t seed;
    POC_TRY(poc_rng_system.fill(poc_rng_system.ctx, &seed, sizeof(seed)));
    poc_table_done(&ch->users);
    poc_table_init(&ch->users, seed);
    for (size_t i = 0; i < users->count; i++) {
        poc_err err = poc_table_put(&ch->users, poc_span_str(users->item[i]), users->item[i]);
        if (err != POC_OK && err != POC_E_STATE) /* twice in the list */
            return err;
    }
    return POC_OK;
}

static poc_err serve(shell *s, shell_channel *ch, const config_mbms *mbms)
{
    POC_TRY(shell_users_list(ch, &mbms->users));
    ch->mbms = mbms;
    ch->service = (wire_keyman_service){ .channel = ch->air.id, .admit = admits[mbms->admit] };
    return poc_table_put(&s->services, poc_span_str(mbms->service), ch);
}

static void unload(shell *s)
{
    shell_channel *ch;
    for (size_t at = 0; (ch = (shell_channel *)poc_table_next(&s->services, &at)) != NULL;) {
        (void)poc_table_remove(&s->services, poc_span_str(ch->mbms->service));
        poc_table_done(&ch->users);
        ch->users = (poc_table){ 0 };
        ch->mbms = NULL;
    }
}

poc_err shell_services_load(shell *s, const config *c)
{
    unload(s);
    for (size_t i = 0; i < c->channel_count; i++) {
        shell_channel *ch = c->channels[i].kind == CONFIG_MSK ? shell_channel_of(s, c->channels[i].id) : NULL;
        if (ch != NULL && !ch->is_closed && shell_channel_is(ch, &c->channels[i]))
            POC_TRY(serve(s, ch, &c->channels[i].mbms));
    }
    return POC_OK;
}

void shell_services_free(shell *s)
{
    unload(s);
    poc_table_done(&s->services);
}

const wire_keyman_service *shell_service_of(void *user, const char *service_id)
{
    const shell *s = (const shell *)user;
    const shell_channel *ch = (const shell_channel *)poc_table_get(&s->services, poc_span_str(service_id));
    return ch == NULL || ch->is_closed ? NULL : &ch->service;
}

bool shell_service_lists(void *user, const char *channel, const char *impu)
{
    const shell_channel *ch = shell_channel_of((const shell *)user, channel);
    return ch != NULL && ch->mbms != NULL && poc_table_get(&ch->users, poc_span_str(impu)) != NULL;
}

bool shell_service_look(const shell *s, const char *id, shell_service *out)
{
    const shell_channel *ch = shell_channel_of(s, id);
    const config *c = s->boot;
    if (ch == NULL || ch->is_closed || ch->mbms == NULL || s->keyman_http == NULL)
        return false;
    *out = (shell_service){ .service = ch->mbms->service,
                            .path = c->mbms.path,
                            .key_domain = ch->air.key_domain,
                            .key_group = ch->key_group,
                            .max_back_off_s = (c->mbms.back_off_ms + 999) / 1000,
                            .push_port = c->mbms.push_port,
                            .is_tls = c->mbms.tls_certificate[0] != '\0' };
    return true;
}

/* ---- clear media ---- */

static poc_err udp_address(struct sockaddr_storage *out, const char *text)
{
    return text[0] == '\0' ? POC_OK : config_address(out, text + strlen("udp:"));
}

static poc_err source_address(struct sockaddr_storage *out, const char *text)
{
    return poc_addr_parse(out, poc_span_str(text), 0) == POC_OK ? POC_OK : config_address(out, text);
}

/** A feed as one text, owned by the caller; NULL: no memory. */
static char *feed_text(const config_feed *f)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (out == NULL)
        return NULL;
    (void)fprintf(out, "%s %s", f->listen, f->floor_listen);
    for (size_t i = 0; i < f->source.count; i++)
        (void)fprintf(out, " %s", f->source.item[i]);
    return fclose(out) == 0 ? text : NULL;
}

bool shell_content_same(const shell_channel *ch, const config_channel *c)
{
    if (ch->content == NULL || c->feed.listen[0] == '\0')
        return ch->content == NULL && c->feed.listen[0] == '\0';
    char *text = feed_text(&c->feed);
    bool is_same = text != NULL && ch->feed != NULL && strcmp(text, ch->feed) == 0;
    free(text);
    return is_same;
}

void shell_content_close(shell_channel *ch)
{
    content_free(ch->content);
    free(ch->feed);
    ch->content = NULL;
    ch->feed = NULL;
}

poc_err shell_content_open(shell *s, shell_channel *ch, const config_channel *c)
{
    content_settings settings = { .channel = c->id, .source_count = c->feed.source.count };
    if (c->feed.listen[0] == '\0')
        return POC_OK;
    POC_TRY(udp_address(&settings.listen[RELAY_AUDIO], c->feed.listen));
    POC_TRY(udp_address(&settings.listen[RELAY_FLOOR], c->feed.floor_listen));
    for (size_t i = 0; i < c->feed.source.count; i++)
        POC_TRY(source_address(&settings.source[i], c->feed.source.item[i]));
    if ((ch->feed = feed_text(&c->feed)) == NULL)
        return POC_E_NOMEM;
    return content_new(&ch->content, s->root, &settings, shell_feed, s);
}
