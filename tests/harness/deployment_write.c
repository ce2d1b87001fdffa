/* The configuration of a daemon on loopback for the channels of a script. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/deployment.h"
#include "tests/support/ports.h"

enum { PORT_SIP, PORT_CF, PORT_UB, PORT_KEYMAN, PORT_KMS, PORTS };
enum { VOUCHED_MAX = 8 };
enum { ADMIN_DIR_MAX = 90 /* a longer one leaves no room in the address of a unix socket */ };

#define SUBSCRIBERS POC_SOURCE_DIR "/tests/scenarios/subscribers.cfg"

void deployment_loopback(char out[64], unsigned n)
{
    unsigned process = (unsigned)getpid();
    snprintf(out, 64, "127.%u.%u.%u", 64 + (process >> 8) % 64, process & 255, n % 254 + 1);
}

/* The core that vouches for clients is the clients' own word for it: they are trusted like the CF. */
static void trusted_write(FILE *f, const world_pf *pf, uint16_t cf_port)
{
    fprintf(f, "  trusted_peers = [ \"127.0.0.1:%u\"", cf_port);
    for (unsigned n = 0; pf->trusts_core && n < VOUCHED_MAX; n++) {
        char address[64];
        deployment_loopback(address, n);
        fprintf(f, ", \"%s\"", address);
    }
    fprintf(f, "%s ]; };\n", pf->trusts_core ? ", \"127.0.0.1\"" : "");
}

/* Users of a script go by name, those of a configuration by their SIP URI. */
static void users_write(FILE *f, const world_channel *c)
{
    deployment d = { .subscribers_path = SUBSCRIBERS };
    const char *comma = "";
    fprintf(f, "users = [");
    for (size_t i = 0; i < WORLD_USERS_MAX; i++) {
        deployment_subscriber subscriber;
        if (c->users[i][0] == '\0' || deployment_find(&d, c->users[i], &subscriber) != POC_OK)
            continue;
        fprintf(f, "%s \"%s\"", comma, subscriber.impu);
        poc_wipe(&subscriber, sizeof(subscriber));
        comma = ",";
    }
    fprintf(f, " ]; ");
}

static const char *delivery_of(const world_channel *c)
{
    if (strcmp(c->delivery, "both") == 0)
        return "\"sip\", \"push\"";
    return strcmp(c->delivery, "push") == 0 ? "\"push\"" : "\"sip\"";
}

/* So that tests beside each other do not hear each other. */
void deployment_air_write(FILE *f, const world_channel *c, size_t number)
{
    unsigned own = (unsigned)getpid() * DEPLOYMENT_CHANNELS_MAX + (unsigned)number;
    unsigned port = 10004u + own % 1000 * 10;
    fprintf(f, "address = \"239.%u.%u.%u\"; port = %u; ttl = 1;\n    source = \"%s\"; ", 192u + (own >> 16) % 16,
            own >> 8 & 255, own & 255, port,
            c->enabler_works ? "127.0.0.1" : "192.0.2.1" /* not ours: nothing can be sent from it */);
}

void deployment_rekey_write(FILE *f, const world_channel *c)
{
    fprintf(f,
            "on_leave = \"%s\"; leave_batch_ms = %u; on_join = %s; interval_s = %u; deadline_ms = %u; gate = \"%s\"; ",
            c->on_leave, c->leave_batch_ms, c->on_join ? "true" : "false", c->interval_s, c->deadline_ms, c->gate);
}

static void channel_write(FILE *f, const world_channel *c, size_t i, uint16_t feed)
{
    fprintf(f, "  { id = \"%s\"; ", c->id);
    deployment_air_write(f, c, i);
    if (c->group_uri[0] != '\0')
        fprintf(f, "\n    group = \"%s\";", c->group_uri);
    else
        fprintf(f, "\n    feed = { listen = \"udp:127.0.0.1:%u\"; source = [ \"127.0.0.1\" ]; };", feed);
    fprintf(f, "\n    key_domain_id = \"00f110\"; key_group = %u;\n", 0x1001u + (unsigned)i);
    fprintf(f, "    mbms = { admit = \"%s\"; ", c->admit);
    if (strcmp(c->admit, "listed") == 0)
        users_write(f, c);
    fprintf(f, "};\n    rekey = { ");
    deployment_rekey_write(f, c);
    fprintf(f, "max_mtk = %u; on_refusal = \"%s\"; delivery = [ %s ]; };\n  }", c->max_mtk, c->on_refusal,
            delivery_of(c));
}

/* Those under a MuSiK stand in a list of their own. */
static poc_err channels_write(FILE *f, const deployment_cast *cast)
{
    uint16_t feed[DEPLOYMENT_CHANNELS_MAX];
    const char *comma = "";
    if (!test_free_ports(feed, cast->channel_count))
        return POC_E_IO;
    fprintf(f, "channels = (\n");
    for (size_t i = 0; i < cast->channel_count; i++) {
        if (cast->channels[i].musik.is_one)
            continue;
        fprintf(f, "%s", comma);
        channel_write(f, &cast->channels[i], i, feed[i]);
        comma = ",\n";
    }
    fprintf(f, "\n);\n");
    return POC_OK;
}

static void number_write(FILE *f, const char *name, uint32_t value)
{
    if (value != 0)
        fprintf(f, "  %s = %u;\n", name, value);
}

static void mbms_write(FILE *f, const world_pf *pf, uint16_t port)
{
    fprintf(f, "mbms = { key_management_listen = [ \"127.0.0.1:%u\" ]; push_listen = [ \"127.0.0.1:%u\" ];\n", port,
            port);
    if (pf->pushes_to_peer)
        fprintf(f, "  push_address = \"sip-contact\";\n");
    number_write(f, "push_tries", pf->push_tries);
    number_write(f, "retransmission_ms", pf->push_first_ms);
    number_write(f, "retransmission_cap_ms", pf->push_cap_ms);
    number_write(f, "solicit_per_s", pf->solicit_per_s);
    number_write(f, "muk_renew_s", pf->muk_renew_s);
    fprintf(f, "};\n");
}

static void settings_write(FILE *f, const char *dir, const world_pf *pf, const uint16_t port[PORTS])
{
    fprintf(f,
            "# Written by pocsim for one run.\n"
            "sip = { listen = [\"udp:127.0.0.1:%u\", \"tcp:127.0.0.1:%u\"]; domain = \"pf1.poc.example.org\";\n"
            "  next_hop = \"sip:127.0.0.1:%u;transport=tcp\";\n",
            port[PORT_SIP], port[PORT_SIP], port[PORT_CF]);
    trusted_write(f, pf, port[PORT_CF]);
    fprintf(f,
            "gba = { naf_fqdn = \"pf1.poc.example.org\"; bsf_fqdn = \"bsf.mnc001.mcc001.pub.3gppnetwork.org\";\n"
            "  subscribers = \"%s\"; ub_listen = \"127.0.0.1:%u\"; sip_auth = \"%s\";\n",
            SUBSCRIBERS, port[PORT_UB], pf->trusts_core ? "registered" : "digest");
    number_write(f, "key_lifetime_s", pf->muk_lifetime_s);
    unsigned media = 20000 + (unsigned)getpid() % 60 * 200; /* below the ports that the kernel gives away */
    fprintf(f,
            "};\nmedia = { address = \"127.0.0.1\"; port_min = %u; port_max = %u; };\n"
            "store = { path = \"store.db\"; key_file = \"store.key\"; };\n%s",
            media, media + 198, strlen(dir) < ADMIN_DIR_MAX ? "admin = { socket = \"admin.sock\"; };\n" : "");
    mbms_write(f, pf, port[PORT_KEYMAN]);
}

poc_err deployment_write(char config_path[DEPLOYMENT_PATH_MAX], const char *dir, const deployment_cast *cast)
{
    uint16_t port[PORTS];
    if (!test_free_ports(port, PORTS))
        return POC_E_IO;
    snprintf(config_path, DEPLOYMENT_PATH_MAX, "%s/pocpfd.cfg", dir);
    FILE *f = fopen(config_path, "we");
    if (f == NULL)
        return POC_E_IO;
    settings_write(f, dir, cast->pf, port);
    poc_err err = channels_write(f, cast);
    if (err == POC_OK)
        err = deployment_mcx_write(f, dir, cast, port[PORT_KMS]);
    return fclose(f) == 0 ? err : POC_E_IO;
}
