/* Mission critical services in the configuration of a daemon on loopback: a KMS inside it, users with tokens, MuSiKs. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crypto.h"
#include "base/text.h"
#include "mcx/mcx.h"
#include "tests/harness/deployment.h"
#include "tests/support/ports.h"

#define PSI         "sip:mcx@pf1.poc.example.org"
#define KMS_URI     "kms.poc.example.org"
#define KMS_PATH    "/keymanagement/identity/v1"
#define PERIOD_S    2592000u
#define SECRETS     "kms.secret"
#define USERS       "mcx-users.cfg"
#define SUBSCRIBERS POC_SOURCE_DIR "/tests/scenarios/subscribers.cfg"

void deployment_mc_id(char out[WORLD_NAME_MAX + 64], const char *name)
{
    snprintf(out, WORLD_NAME_MAX + 64, "sip:%s@mcx.poc.example.org", name);
}

void deployment_token(char out[WORLD_NAME_MAX + 16], const char *name)
{
    snprintf(out, WORLD_NAME_MAX + 16, "token-of-%s", name);
}

/* ---- writing ---- */

static FILE *private_file(const char *dir, const char *name)
{
    char path[2 * DEPLOYMENT_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    if (f != NULL && fchmod(fileno(f), 0600) == 0)
        return f;
    if (f != NULL)
        (void)fclose(f);
    return NULL;
}

static poc_err secrets_write(const char *dir)
{
    char text[1024];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    mcx_kms_master master = { .kms_uri = KMS_URI, .period_s = PERIOD_S };
    poc_err err = mcx_kms_secrets(&master.z, &master.ksak, &poc_rng_system);
    if (err == POC_OK)
        err = mcx_kms_master_put(&wr, &master);
    mcx_kms_master_done(&master);
    FILE *f = err == POC_OK ? private_file(dir, SECRETS) : NULL;
    if (f != NULL)
        (void)fwrite(text, 1, wr.len, f);
    poc_wipe(text, sizeof(text));
    return f != NULL && fclose(f) == 0 ? POC_OK : POC_E_IO;
}

static void user_write(FILE *f, const world_client *c, const char *impu)
{
    char mc_id[WORLD_NAME_MAX + 64], token[WORLD_NAME_MAX + 16], hex[2 * POC_SHA256_LEN + 1];
    uint8_t digest[POC_SHA256_LEN];
    poc_wr wr = poc_wr_into(hex, sizeof(hex));
    deployment_mc_id(mc_id, c->name);
    deployment_token(token, c->name);
    if (poc_sha256(digest, poc_span_str(token)) != POC_OK)
        return;
    poc_hex_put(&wr, poc_span_of(digest, sizeof(digest)));
    if (poc_wr_text(&wr) == POC_OK)
        fprintf(f, "  { id = \"%s\"; impus = [ \"%s\" ]; services = [ \"%s\" ]; token_sha256 = \"%s\"; }", mc_id, impu,
                c->mcx.is_video ? "mcvideo" : "mcptt", hex);
}

static poc_err users_write(const char *dir, const deployment_cast *cast)
{
    const deployment d = { .subscribers_path = SUBSCRIBERS };
    const char *comma = "";
    FILE *f = private_file(dir, USERS);
    if (f == NULL)
        return POC_E_IO;
    fprintf(f, "users = (\n");
    for (size_t i = 0; i < cast->client_count; i++) {
        deployment_subscriber subscriber;
        if (!cast->clients[i]->mcx.is_user || deployment_find(&d, cast->clients[i]->name, &subscriber) != POC_OK)
            continue;
        fprintf(f, "%s", comma);
        user_write(f, cast->clients[i], subscriber.impu);
        poc_wipe(&subscriber, sizeof(subscriber));
        comma = ",\n";
    }
    fprintf(f, "\n);\n");
    return fclose(f) == 0 ? POC_OK : POC_E_IO;
}

static void listed_write(FILE *f, const world_channel *c)
{
    char mc_id[WORLD_NAME_MAX + 64];
    fprintf(f, "    users = [");
    for (size_t i = 0; i < WORLD_USERS_MAX && c->users[i][0] != '\0'; i++) {
        deployment_mc_id(mc_id, c->users[i]);
        fprintf(f, "%s \"%s\"", i > 0 ? "," : "", mc_id);
    }
    fprintf(f, " ];\n");
}

static void groups_write(FILE *f, const world_musik *m)
{
    fprintf(f, "    groups = [");
    for (size_t i = 0; i < WORLD_GROUPS_MAX && m->groups[i][0] != '\0'; i++)
        fprintf(f, "%s \"%s\"", i > 0 ? "," : "", m->groups[i]);
    fprintf(f, " ];\n");
}

static void musik_write(FILE *f, const world_channel *c, size_t number, const uint16_t feed[2])
{
    const bool is_default = !c->musik.is_region && c->musik.groups[0][0] == '\0';
    fprintf(f, "  { id = \"%s\"; text = \"%s\"; service = \"%s\"; admit = \"%s\"; lifetime_s = %u; revoke = %s;\n    ",
            c->id, c->id, c->musik.is_video ? "mcvideo" : "mcptt", c->admit, c->musik.lifetime_s,
            c->musik.revokes ? "true" : "false");
    deployment_air_write(f, c, number);
    fprintf(f, "\n");
    if (!is_default)
        fprintf(f, "    tmgi = \"%06x62f210\"; areas = [ \"%04x\" ];\n", (unsigned)number + 1, (unsigned)number + 1);
    groups_write(f, &c->musik);
    if (strcmp(c->admit, "listed") == 0)
        listed_write(f, c);
    fprintf(f, "    rekey = { ");
    deployment_rekey_write(f, c);
    fprintf(
        f,
        "};\n    feed = { listen = \"udp:127.0.0.1:%u\"; floor_listen = \"udp:127.0.0.1:%u\"; source = [ \"127.0.0.1\" "
        "]; }; }",
        feed[0], feed[1]);
}

static bool has_mcx(const deployment_cast *cast)
{
    for (size_t i = 0; i < cast->client_count; i++)
        if (cast->clients[i]->mcx.is_user)
            return true;
    for (size_t i = 0; i < cast->channel_count; i++)
        if (cast->channels[i].musik.is_one)
            return true;
    return false;
}

static void options_write(FILE *f, const world_pf *pf, uint16_t kms_port)
{
    const uint8_t allowed = pf->mcx_algorithms != 0 ? pf->mcx_algorithms : 16u | 32u;
    fprintf(f,
            "mcx = { psi = \"" PSI "\"; kms = \"embedded\"; kms_secrets = \"" SECRETS
            "\"; kms_listen = [ \"127.0.0.1:%u\" ];\n"
            "  users = \"" USERS
            "\"; kms_requests_per_source_s = 0; algorithms = [ %s%s%s ]; forced_algorithm = \"%s\";\n"
            "  download = \"%s\";\n",
            kms_port, (allowed & 16u) != 0 ? "\"aes-128-gcm\"" : "", allowed == (16u | 32u) ? ", " : "",
            (allowed & 32u) != 0 ? "\"aes-256-gcm\"" : "",
            pf->mcx_forced == 0 ? "none" : (pf->mcx_forced == 16 ? "aes-128-gcm" : "aes-256-gcm"),
            pf->mcx_by_notify ? "notify" : "message");
    if (pf->mcx_expires_s != 0)
        fprintf(f, "  expires_s = %u;\n", pf->mcx_expires_s);
}

poc_err deployment_mcx_write(FILE *f, const char *dir, const deployment_cast *cast, uint16_t kms_port)
{
    uint16_t feed[2 * DEPLOYMENT_CHANNELS_MAX];
    const char *comma = "";
    if (!has_mcx(cast))
        return POC_OK;
    if (!test_free_ports(feed, 2 * cast->channel_count))
        return POC_E_IO;
    POC_TRY(secrets_write(dir));
    POC_TRY(users_write(dir, cast));
    options_write(f, cast->pf, kms_port);
    fprintf(f, "  musik = (\n");
    for (size_t i = 0; i < cast->channel_count; i++) {
        if (!cast->channels[i].musik.is_one)
            continue;
        fprintf(f, "%s", comma);
        musik_write(f, &cast->channels[i], i, &feed[2 * i]);
        comma = ",\n";
    }
    fprintf(f, "\n  );\n};\n");
    return POC_OK;
}

/* ---- reading ---- */

static poc_err musik_read(deployment_channel *out, const config_setting_t *musik)
{
    const config_setting_t *feed = config_setting_get_member(musik, "feed");
    const char *text = NULL;
    if (config_setting_lookup_string(musik, "tmgi", &text) && text[0] != '\0') {
        POC_TRY(poc_hex_get_exact(out->air.tmgi, sizeof(out->air.tmgi), poc_span_str(text)));
        out->air.has_tmgi = true;
    }
    if (feed != NULL && config_setting_lookup_string(feed, "floor_listen", &text) && strncmp(text, "udp:", 4) == 0)
        POC_TRY(deployment_socket(&out->floor_feed, text + 4));
    return POC_OK;
}

static void text_of(const config_t *cfg, const char *path, const char *otherwise, char *out, size_t cap)
{
    const char *text = otherwise;
    (void)config_lookup_string(cfg, path, &text);
    snprintf(out, cap, "%s", text);
}

poc_err deployment_mcx_read(deployment *d, const config_t *cfg)
{
    char text[DEPLOYMENT_PATH_MAX];
    const config_setting_t *list = config_lookup(cfg, "mcx.kms_listen");
    const char *listen = list != NULL ? config_setting_get_string_elem(list, 0) : NULL;
    text_of(cfg, "mcx.psi", "", d->psi, sizeof(d->psi));
    text_of(cfg, "mcx.kms_uri", KMS_URI, d->kms_uri, sizeof(d->kms_uri));
    text_of(cfg, "mcx.kms_secrets", "", text, sizeof(text));
    if (text[0] != '\0')
        deployment_path(d->kms_secrets_path, sizeof(d->kms_secrets_path), d->config_path, text);
    if (listen != NULL)
        snprintf(d->kms_url, sizeof(d->kms_url), "http://%.100s", listen);
    list = config_lookup(cfg, "mcx.musik");
    for (int i = 0; list != NULL && i < config_setting_length(list); i++) {
        if (d->channel_count == DEPLOYMENT_CHANNELS_MAX)
            return POC_E_LIMIT;
        const config_setting_t *musik = config_setting_get_elem(list, (unsigned)i);
        deployment_channel *out = &d->channels[d->channel_count++];
        out->is_musik = true;
        POC_TRY(deployment_channel_read(out, musik));
        POC_TRY(musik_read(out, musik));
    }
    return POC_OK;
}
