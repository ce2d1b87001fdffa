#include "tests/harness/deployment.h"

#include <errno.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "gba/gba.h"
#include "mikey/mikey.h"

/* ---- reading ---- */

static void text_of(const config_t *cfg, const char *path, const char *otherwise, char *out, size_t cap)
{
    const char *text = otherwise;
    (void)config_lookup_string(cfg, path, &text);
    snprintf(out, cap, "%s", text);
}

static uint16_t number_of(const config_t *cfg, const char *path)
{
    int number = 0;
    (void)config_lookup_int(cfg, path, &number);
    return (uint16_t)number;
}

/* Relative paths in a configuration count from its own folder. */
void deployment_path(char *out, size_t cap, const char *config_path, const char *path)
{
    const char *slash = strrchr(config_path, '/');
    bool is_whole = path[0] == '/' || slash == NULL;
    poc_wr wr = poc_wr_into(out, cap);
    poc_wr_put(&wr, config_path, is_whole ? 0 : (size_t)(slash + 1 - config_path));
    poc_wr_put(&wr, path, strlen(path));
    if (poc_wr_text(&wr) != POC_OK)
        out[0] = '\0';
}

/* "udp:ADDRESS:PORT" to the SIP URI of a client's outbound proxy; tcp where there is one, since offers are large. */
static poc_err pf_uri_of(deployment *d, const config_t *cfg)
{
    const config_setting_t *list = config_lookup(cfg, "sip.listen");
    const char *chosen = NULL;
    for (int i = 0; list != NULL && i < config_setting_length(list); i++) {
        const char *listen = config_setting_get_string_elem(list, i);
        if (listen != NULL && (chosen == NULL || strncmp(listen, "tcp:", 4) == 0))
            chosen = listen;
    }
    if (chosen == NULL || strlen(chosen) < 5)
        return POC_E_INPUT;
    snprintf(d->pf_uri, sizeof(d->pf_uri), "sip:%s;transport=%.3s", chosen + 4, chosen);
    return POC_OK;
}

/* "HOST:PORT", "[HOST]:PORT". */
static poc_err host_port(poc_span text, poc_span *host, uint16_t *port)
{
    uint64_t number;
    size_t colon = text.n;
    while (colon > 0 && text.p[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return POC_E_INPUT;
    *host = poc_span_of(text.p, colon - 1);
    if (host->p[0] == '[' && host->n > 2)
        *host = poc_span_of(host->p + 1, host->n - 2);
    POC_TRY(poc_u64_get(&number, UINT16_MAX, poc_span_of(text.p + colon, text.n - colon)));
    *port = (uint16_t)number;
    return POC_OK;
}

poc_err deployment_socket(struct sockaddr_storage *out, const char *text)
{
    poc_span host;
    uint16_t port;
    POC_TRY(host_port(poc_span_str(text), &host, &port));
    return poc_addr_parse(out, host, port);
}

/* "sip:HOST:PORT;transport=tcp" to where the CF has to listen. */
static poc_err cf_of(deployment *d, const config_t *cfg)
{
    const char *uri = NULL;
    poc_span host;
    if (!config_lookup_string(cfg, "sip.next_hop", &uri) || strncmp(uri, "sip:", 4) != 0)
        return POC_E_INPUT;
    poc_span rest = poc_span_str(uri + 4);
    POC_TRY(host_port(poc_split(&rest, ';'), &host, &d->cf_port));
    if (host.n >= sizeof(d->cf_host))
        return POC_E_LIMIT;
    snprintf(d->cf_host, sizeof(d->cf_host), "%.*s", (int)host.n, (const char *)host.p);
    return POC_OK;
}

static void mbms_of(deployment *d, const config_t *cfg)
{
    const config_setting_t *list = config_lookup(cfg, "mbms.key_management_listen");
    const char *listen = list != NULL ? config_setting_get_string_elem(list, 0) : NULL;
    const char *certificate = NULL;
    list = config_lookup(cfg, "mbms.push_listen");
    const char *push = list != NULL ? config_setting_get_string_elem(list, 0) : NULL;
    if (push != NULL && deployment_socket(&d->push_listen, push) != POC_OK)
        d->push_listen = (struct sockaddr_storage){ 0 };
    (void)config_lookup_string(cfg, "mbms.tls_certificate", &certificate);
    if (listen != NULL)
        snprintf(d->keyman_url, sizeof(d->keyman_url), "%s://%.100s", certificate != NULL ? "https" : "http", listen);
    text_of(cfg, "mbms.path", "/keymanagement", d->keyman_path, sizeof(d->keyman_path));
    d->push_port = number_of(cfg, "mbms.push_port");
    if (d->push_port == 0)
        d->push_port = MIKEY_UDP_PORT;
}

static uint16_t port_of(const config_setting_t *channel, const char *name, int otherwise)
{
    int port = 0;
    (void)config_setting_lookup_int(channel, name, &port);
    return (uint16_t)(port != 0 ? port : otherwise);
}

static const char *text_at(const config_setting_t *in, const char *name, const char *otherwise)
{
    const char *text;
    return in != NULL && config_setting_lookup_string(in, name, &text) ? text : otherwise;
}

static poc_err service_read(deployment_channel *out, const config_setting_t *channel)
{
    const config_setting_t *mbms = config_setting_get_member(channel, "mbms");
    const char *feed = text_at(config_setting_get_member(channel, "feed"), "listen", "");
    char urn[80];
    snprintf(urn, sizeof(urn), "urn:pocpf:%s", out->air.id);
    bool has_group = out->group_uri[0] != '\0';
    snprintf(out->service_id, sizeof(out->service_id), "%s",
             text_at(mbms, "service", has_group ? out->group_uri : urn));
    out->admits_sessions = strcmp(text_at(mbms, "admit", has_group ? "session" : "listed"), "session") == 0;
    out->key_group = port_of(channel, "key_group", 0);
    if (!out->is_musik)
        POC_TRY(poc_hex_get_exact(out->air.key_domain.b, sizeof(out->air.key_domain.b),
                                  poc_span_str(text_at(channel, "key_domain_id", ""))));
    return strncmp(feed, "udp:", 4) == 0 ? deployment_socket(&out->feed, feed + 4) : POC_OK;
}

poc_err deployment_channel_read(deployment_channel *out, const config_setting_t *channel)
{
    const char *id, *address, *source = NULL;
    int ttl = 1;
    if (!config_setting_lookup_string(channel, "id", &id) ||
        !config_setting_lookup_string(channel, "address", &address))
        return POC_E_INPUT;
    snprintf(out->air.id, sizeof(out->air.id), "%s", id);
    snprintf(out->group_uri, sizeof(out->group_uri), "%s", text_at(channel, "group", ""));
    POC_TRY(service_read(out, channel));
    POC_TRY(poc_addr_parse(&out->air.group, poc_span_str(address), 0));
    if (config_setting_lookup_string(channel, "source", &source))
        POC_TRY(poc_addr_parse(&out->air.source, poc_span_str(source), 0));
    (void)config_setting_lookup_int(channel, "ttl", &ttl);
    out->air.ttl = (uint8_t)ttl;
    uint16_t port = port_of(channel, "port", 0);
    out->air.port[BCAST_FLOW_RTP] = port;
    out->air.port[BCAST_FLOW_FLOOR] = port_of(channel, "floor_port", port + 2);
    out->air.port[BCAST_FLOW_STKM] = port_of(channel, "stkm_port", port + 4);
    return POC_OK;
}

static poc_err channels_read(deployment *d, const config_t *cfg)
{
    const config_setting_t *list = config_lookup(cfg, "channels");
    for (int i = 0; list != NULL && i < config_setting_length(list); i++) {
        if (d->channel_count == DEPLOYMENT_CHANNELS_MAX)
            return POC_E_LIMIT;
        POC_TRY(deployment_channel_read(&d->channels[d->channel_count++], config_setting_get_elem(list, (unsigned)i)));
    }
    return POC_OK;
}

static poc_err settings_read(deployment *d, const config_t *cfg)
{
    char text[DEPLOYMENT_PATH_MAX];
    text_of(cfg, "gba.ub_listen", "127.0.0.1:8080", text, sizeof(text));
    snprintf(d->bsf_url, sizeof(d->bsf_url), "http://%.100s/", text);
    text_of(cfg, "gba.naf_fqdn", "", d->naf_fqdn, sizeof(d->naf_fqdn));
    text_of(cfg, "gba.bsf_fqdn", d->naf_fqdn, d->bsf_fqdn, sizeof(d->bsf_fqdn));
    if (d->bsf_fqdn[0] == '\0')
        memcpy(d->bsf_fqdn, d->naf_fqdn, sizeof(d->bsf_fqdn));
    text_of(cfg, "gba.ua_security_protocol_id", "0100000001", text, sizeof(text));
    POC_TRY(poc_hex_get_exact(d->ua_id, sizeof(d->ua_id), poc_span_str(text)));
    text_of(cfg, "gba.subscribers", "", text, sizeof(text));
    deployment_path(d->subscribers_path, sizeof(d->subscribers_path), d->config_path, text);
    text_of(cfg, "media.address", "", d->media_host, sizeof(d->media_host));
    d->media_port_min = number_of(cfg, "media.port_min");
    d->media_port_max = number_of(cfg, "media.port_max");
    text_of(cfg, "admin.socket", "", text, sizeof(text));
    if (text[0] != '\0')
        deployment_path(d->admin_path, sizeof(d->admin_path), d->config_path, text);
    mbms_of(d, cfg);
    POC_TRY(pf_uri_of(d, cfg));
    POC_TRY(cf_of(d, cfg));
    POC_TRY(channels_read(d, cfg));
    POC_TRY(deployment_mcx_read(d, cfg));
    return d->channel_count > 0 ? POC_OK : POC_E_INPUT;
}

poc_err deployment_read(deployment *out, const char *config_path, char why[160])
{
    config_t cfg;
    *out = (deployment){ 0 };
    snprintf(out->config_path, sizeof(out->config_path), "%s", config_path);
    config_init(&cfg);
    poc_err err = POC_E_INPUT;
    if (config_read_file(&cfg, config_path) != CONFIG_TRUE)
        snprintf(why, 160, "line %d: %s", config_error_line(&cfg), config_error_text(&cfg));
    else if ((err = settings_read(out, &cfg)) != POC_OK)
        snprintf(why, 160, "sip.listen, sip.next_hop, gba or channels cannot be understood by the harness");
    config_destroy(&cfg);
    return err;
}

/* ---- subscribers ---- */

static poc_err hex_of(const config_setting_t *at, const char *name, uint8_t *out, size_t n)
{
    const char *text;
    return config_setting_lookup_string(at, name, &text) ? poc_hex_get_exact(out, n, poc_span_str(text)) : POC_E_INPUT;
}

static poc_err subscriber_read(deployment_subscriber *out, const config_setting_t *at, const char *impu)
{
    const char *impi;
    uint8_t op[16], sqn[6] = { 0 };
    if (!config_setting_lookup_string(at, "impi", &impi))
        return POC_E_INPUT;
    snprintf(out->impi, sizeof(out->impi), "%s", impi);
    snprintf(out->impu, sizeof(out->impu), "%s", impu);
    POC_TRY(hex_of(at, "k", out->k, sizeof(out->k)));
    (void)hex_of(at, "amf", out->amf, sizeof(out->amf));
    (void)hex_of(at, "sqn", sqn, sizeof(sqn));
    for (size_t i = 0; i < sizeof(sqn); i++)
        out->sqn = out->sqn << 8 | sqn[i];
    if (hex_of(at, "opc", out->opc, sizeof(out->opc)) == POC_OK)
        return POC_OK;
    POC_TRY(hex_of(at, "op", op, sizeof(op)));
    return gba_opc(out->opc, out->k, op);
}

static const char *first_impu(const config_setting_t *at)
{
    const config_setting_t *impus = config_setting_get_member(at, "impus");
    return impus == NULL ? NULL : config_setting_get_string_elem(impus, 0);
}

poc_err deployment_find(const deployment *d, const char *name, deployment_subscriber *out)
{
    config_t cfg;
    char prefix[WORLD_NAME_MAX + 8];
    poc_err err = POC_E_STATE;
    *out = (deployment_subscriber){ .amf = { 0x80, 0 } };
    snprintf(prefix, sizeof(prefix), "sip:%.*s@", (int)WORLD_NAME_MAX, name);
    config_init(&cfg);
    if (config_read_file(&cfg, d->subscribers_path) == CONFIG_TRUE) {
        const config_setting_t *list = config_lookup(&cfg, "subscribers");
        for (int i = 0; err == POC_E_STATE && list != NULL && i < config_setting_length(list); i++) {
            const config_setting_t *at = config_setting_get_elem(list, (unsigned)i);
            const char *impu = first_impu(at);
            if (impu != NULL && strncmp(impu, prefix, strlen(prefix)) == 0)
                err = subscriber_read(out, at, impu);
        }
    }
    config_destroy(&cfg);
    return err;
}
