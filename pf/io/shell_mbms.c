/* MSKs by UDP, and the HTTP service that clients ask for them: sockets on one side, the engine on the other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/io/config_private.h"
#include "pf/io/shell_private.h"

/* ---- pushing ---- */

static const char *why_not_sent(poc_err err)
{
    switch (err) {
    case POC_E_IO:
        return "mbms.push_listen has no address of this member's family";
    case POC_E_LIMIT:
        return "an MSK message is longer than a datagram may be";
    case POC_E_STATE:
        return "the network takes no datagrams";
    default:
        return "a push address is none";
    }
}

void shell_push(shell *s, const pocpf_effect *e)
{
    poc_err err = s->push == NULL ? POC_E_IO
                                  : push_send(s->push, e->u.push.address, e->u.push.address_len,
                                              poc_span_of(e->u.push.mikey, e->u.push.mikey_len));
    if (err != POC_OK)
        log_refusal("push_not_sent", poc_err_name(err), e->user, why_not_sent(err));
}

static bool is_the_senders_fault(pocpf_err verdict)
{
    return verdict != POCPF_OK && verdict != POCPF_E_NOMEM;
}

static void on_heard(void *user, push_datagram *datagrams, size_t n)
{
    shell *s = (shell *)user;
    pocpf_datagram heard[PUSH_BATCH];
    for (size_t i = 0; i < n; i++)
        heard[i] = (pocpf_datagram){ .address = datagrams[i].address,
                                     .address_len = datagrams[i].address_len,
                                     .octets = datagrams[i].octets.p,
                                     .len = datagrams[i].octets.n };
    (void)pocpf_push_heard(s->pf, io_now_ms(), heard, n);
    for (size_t i = 0; i < n; i++)
        datagrams[i].is_refused = is_the_senders_fault(heard[i].verdict);
    wake_soon(s->timer); /* one pump for all batches of this turn of the loop */
}

static void on_writable(void *user)
{
    shell_pump((shell *)user);
}

static poc_err make_push(shell *s, char why[CONFIG_WHY_MAX])
{
    static const push_events events = { .heard = on_heard, .writable = on_writable };
    const config_texts *listen = &s->boot->mbms.push_listen;
    push_settings settings = { .listen_count = listen->count,
                               .refused_per_source_s = s->boot->mbms.refused_per_source_s };
    if (listen->count == 0)
        return POC_OK;
    for (size_t i = 0; i < listen->count; i++)
        POC_TRY(config_address(&settings.listen[i], listen->item[i]));
    poc_err err = push_new(&s->push, s->root, &settings, &events, s);
    return err == POC_E_IO ? shell_fail_system(why, "mbms.push_listen", "an address cannot be bound") : err;
}

size_t shell_push_address(const shell *s, const sip_session *session, uint8_t out[PUSH_ADDRESS_MAX])
{
    struct sockaddr_storage contact;
    size_t len;
    if (s->push == NULL || s->boot->mbms.push_address != CONFIG_PUSH_SIP_CONTACT ||
        !sip_session_contact(session, &contact))
        return 0;
    poc_addr_set_port((struct sockaddr *)&contact, (uint16_t)s->boot->mbms.push_port);
    return push_address_pack(out, &len, (const struct sockaddr *)&contact) == POC_OK ? len : 0;
}

/* ---- the key management service ---- */

static uint64_t on_served(void *user)
{
    shell *s = (shell *)user;
    shell_pump(s);
    return shell_due(s);
}

static poc_err make_keyman(shell *s)
{
    const config *c = s->boot;
    const wire_keyman_rules rules = { .path = c->mbms.path,
                                      .muk_renew_s = c->mbms.muk_renew_s,
                                      .requests_per_btid_s = c->mbms.requests_per_btid_s,
                                      .accept_qop_auth = c->mbms.qop_auth,
                                      .strict_identities = c->sip.strict_identities,
                                      .service_of = shell_service_of,
                                      .listed = shell_service_lists,
                                      .user = s };
    return wire_keyman_new(&s->keyman, &rules, s->naf, s->pf);
}

poc_err shell_fail_listen(char why[CONFIG_WHY_MAX], const char *listen, const char *tls, const char *certificate)
{
    if (errno != EPROTO)
        return shell_fail_system(why, listen, "an address cannot be bound");
    (void)config_fail(why, certificate, 0, "%s: no PEM certificate and the private key of it", tls);
    return POC_E_IO;
}

static poc_err listen_http(shell *s, const shell_pem *p, char why[CONFIG_WHY_MAX])
{
    const config *c = s->boot;
    const config_texts *listen = &c->mbms.key_management_listen;
    keyman_http_settings settings = { .front = { .listen_count = listen->count,
                                                 .tls_certificate = p->certificate,
                                                 .tls_key = p->key,
                                                 .connections_max = c->mbms.connections_max,
                                                 .connections_per_source = c->mbms.connections_per_source,
                                                 .requests_per_source_s = c->mbms.requests_per_source_s },
                                      .push_port = (uint16_t)c->mbms.push_port };
    for (size_t i = 0; i < listen->count; i++)
        POC_TRY(config_address(&settings.front.listen[i], listen->item[i]));
    poc_err err = keyman_http_new(&s->keyman_http, s->root, &settings, s->keyman, s->naf, s->zn, on_served, s);
    return err == POC_E_IO ? shell_fail_listen(why, "mbms.key_management_listen",
                                               "mbms.tls_certificate and mbms.tls_key", c->mbms.tls_certificate)
                           : err;
}

poc_err shell_mbms_make(shell *s, char why[CONFIG_WHY_MAX])
{
    shell_pem p = { NULL, NULL };
    POC_TRY(make_push(s, why));
    if (s->boot->mbms.key_management_listen.count == 0)
        return POC_OK;
    POC_TRY(make_keyman(s));
    poc_err err = shell_pem_of_mbms(&p, s->boot, why);
    if (err == POC_OK)
        err = listen_http(s, &p, why);
    shell_pem_done(&p);
    return err;
}

void shell_mbms_reload(const shell *s, const shell_pem *tls)
{
    bool has_changed = false;
    if (s->keyman_http == NULL || tls->certificate == NULL)
        return;
    const poc_err err = keyman_http_renew(s->keyman_http, tls->certificate, tls->key, &has_changed);
    shell_tls_told(s, "mbms", err, has_changed);
}

void shell_mbms_free(shell *s)
{
    keyman_http_free(s->keyman_http);
    wire_keyman_free(s->keyman);
    push_free(s->push);
    s->keyman_http = NULL;
    s->keyman = NULL;
    s->push = NULL; /* what the others do as they end may still pump */
}
