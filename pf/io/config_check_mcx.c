/* The group mcx and its MuSiKs: options that must fit each other. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/io/config_private.h"

#define FAIL(k, line, ...) config_fail((k)->why, (k)->name, line, __VA_ARGS__)

/* ---- the KMS ---- */

/** Without an identity of its own the server is what its public service identity says. */
static poc_err fill_identities(config_checker *k)
{
    config_texts *ids = &k->c->mcx.identities;
    for (size_t i = 0; i < ids->count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(ids->item[i], ids->item[j]) == 0)
                return FAIL(k, 0, "mcx.identities has \"%s\" twice", ids->item[i]);
    if (ids->count > 0)
        return POC_OK;
    char **items = (char **)realloc(ids->item, 2 * sizeof(char *));
    if (items == NULL)
        return POC_E_NOMEM;
    ids->item = items;
    if ((items[0] = strdup(k->c->mcx.psi)) == NULL)
        return POC_E_NOMEM;
    items[1] = NULL;
    ids->count = 1;
    return POC_OK;
}

static poc_err resolve_neighbours(config_checker *k)
{
    config_texts *files = &k->c->mcx.neighbours;
    for (size_t i = 0; i < files->count; i++) {
        char *path = config_beside(k->name, files->item[i]);
        if (path == NULL)
            return POC_E_NOMEM;
        free(files->item[i]);
        files->item[i] = path;
    }
    return POC_OK;
}

static bool is_loopback(const char *address)
{
    struct sockaddr_storage at = { 0 };
    if (config_address(&at, address) != POC_OK)
        return false;
    if (at.ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)&at)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&at)->sin6_addr);
}

static poc_err check_client(config_checker *k)
{
    const config *c = k->c;
    if (c->mcx.kms_url[0] == '\0' || c->mcx.kms_uri[0] == '\0')
        return FAIL(k, 0, "mcx.%s is missing: mcx.kms = \"client\" asks the KMS there",
                    c->mcx.kms_url[0] == '\0' ? "kms_url" : "kms_uri");
    if (c->mcx.kms_listen.count > 0)
        return FAIL(k, 0, "mcx.kms_listen is that of the embedded KMS, and mcx.kms = \"client\"");
    return POC_OK;
}

static poc_err check_embedded(config_checker *k)
{
    const config *c = k->c;
    const bool has_tls = c->mcx.kms_tls_certificate[0] != '\0';
    if (c->mcx.kms_secrets[0] == '\0')
        return FAIL(k, 0,
                    "mcx.kms_secrets is missing: mcx.kms = \"embedded\" issues keys with them "
                    "(pocpfctl mcx kms-init makes some)");
    if (has_tls != (c->mcx.kms_tls_key[0] != '\0'))
        return FAIL(k, 0, "mcx.kms_tls_certificate and mcx.kms_tls_key go together: one of them is missing");
    for (size_t i = 0; i < c->mcx.kms_listen.count; i++)
        if (!has_tls && !is_loopback(c->mcx.kms_listen.item[i]))
            return FAIL(k, 0,
                        "mcx.kms_listen = \"%s\" would show keys to the network: mcx.kms_tls_certificate is missing",
                        c->mcx.kms_listen.item[i]);
    return POC_OK;
}

/* ---- tokens, algorithms, times ---- */

static poc_err check_tokens(config_checker *k)
{
    const config *c = k->c;
    const bool has_key = c->mcx.token_key[0] != '\0';
    if (c->mcx.users[0] == '\0' && !has_key)
        return FAIL(k, 0, "mcx.users and mcx.token_key are both missing: nobody could be authorised");
    if (!has_key &&
        (c->mcx.token_issuer[0] != '\0' || c->mcx.token_audience[0] != '\0' || c->mcx.token_scopes.count > 0))
        return FAIL(k, 0, "mcx.token_issuer, token_audience and token_scopes say nothing without mcx.token_key");
    return POC_OK;
}

static poc_err check_choices(config_checker *k)
{
    const config *c = k->c;
    if (c->mcx.forced_algorithm > 0 && (c->mcx.algorithms >> (c->mcx.forced_algorithm - 1) & 1u) == 0)
        return FAIL(k, 0, "mcx.forced_algorithm is not among mcx.algorithms");
    if (c->mcx.expires_min_s > c->mcx.expires_s)
        return FAIL(k, 0, "mcx.expires_min_s = %u is more than mcx.expires_s = %u", c->mcx.expires_min_s,
                    c->mcx.expires_s);
    return POC_OK;
}

poc_err config_check_mcx(config_checker *k)
{
    if (k->c->mcx.psi[0] == '\0')
        return POC_OK;
    POC_TRY(fill_identities(k));
    POC_TRY(resolve_neighbours(k));
    POC_TRY(k->c->mcx.kms == CONFIG_KMS_EMBEDDED ? check_embedded(k) : check_client(k));
    POC_TRY(check_tokens(k));
    return check_choices(k);
}

/* ---- a MuSiK ---- */

static poc_err read_bearer(config_checker *k, config_channel *ch)
{
    config_musik *m = &ch->musik;
    m->has_tmgi = m->tmgi_text[0] != '\0';
    if (!m->has_tmgi && m->areas.count > 0)
        return FAIL(k, ch->line, "mcx.musik.areas of \"%s\" are those of a bearer: mcx.musik.tmgi is missing", ch->id);
    if (m->has_tmgi)
        POC_TRY(poc_hex_get_exact(m->tmgi, sizeof(m->tmgi), poc_span_str(m->tmgi_text)));
    if (m->areas.count > 0 && (m->area_ids = (uint16_t *)calloc(m->areas.count, sizeof(uint16_t))) == NULL)
        return POC_E_NOMEM;
    for (size_t i = 0; i < m->areas.count; i++) {
        uint8_t octets[2] = { 0, 0 };
        POC_TRY(poc_hex_get_exact(octets, sizeof(octets), poc_span_str(m->areas.item[i])));
        m->area_ids[i] = (uint16_t)(octets[0] << 8 | octets[1]);
    }
    return POC_OK;
}

poc_err config_check_musik(config_checker *k, config_channel *ch)
{
    const config_musik *m = &ch->musik;
    if (k->c->mcx.psi[0] == '\0')
        return FAIL(k, ch->line, "mcx.psi is missing, and with it all mission critical services");
    if (m->admit == CONFIG_MCX_ADMIT_LISTED && m->users.count == 0)
        return FAIL(k, ch->line, "mcx.musik.users of \"%s\" is empty: nobody would get the MuSiK", ch->id);
    if (m->admit != CONFIG_MCX_ADMIT_LISTED && m->users.count > 0)
        return FAIL(k, ch->line, "mcx.musik.users of \"%s\" bind nobody: admit = \"listed\" is missing", ch->id);
    if (m->lifetime_s != 0 && (ch->rekey.interval_s == 0 || m->lifetime_s <= ch->rekey.interval_s))
        return FAIL(
            k, ch->line,
            "mcx.musik.lifetime_s = %u of \"%s\" must be longer than rekey.interval_s, which brings the next one",
            m->lifetime_s, ch->id);
    return read_bearer(k, ch);
}

static bool share_a_group(const config_musik *a, const config_musik *b)
{
    for (size_t i = 0; i < a->groups.count; i++)
        for (size_t j = 0; j < b->groups.count; j++)
            if (strcmp(a->groups.item[i], b->groups.item[j]) == 0)
                return true;
    return false;
}

static bool is_default(const config_musik *m)
{
    return m->groups.count == 0 && !m->has_tmgi;
}

poc_err config_check_musik_against(config_checker *k, const config_channel *ch, const config_channel *other)
{
    const config_musik *a = &ch->musik, *b = &other->musik;
    if (a->has_tmgi && b->has_tmgi && memcmp(a->tmgi, b->tmgi, sizeof(a->tmgi)) == 0)
        return FAIL(k, ch->line, "mcx.musik.tmgi = \"%s\" is that of line %d", a->tmgi_text, other->line);
    if (a->service != b->service)
        return POC_OK;
    if (share_a_group(a, b))
        return FAIL(k, ch->line, "a group of mcx.musik \"%s\" has a MuSiK already in line %d", ch->id, other->line);
    if (is_default(a) && is_default(b))
        return FAIL(k, ch->line, "mcx.musik \"%s\": the default MuSiK stands already in line %d", ch->id, other->line);
    return POC_OK;
}
