#include "tests/bench/sip_pf.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "pf/io/shell_private.h"
#include "tests/bench/bench.h"
#include "tests/support/ports.h"

#define CHANNEL "bench"
#define BSF     "bsf.mnc001.mcc001.pub.3gppnetwork.org"

enum { FILES_BESIDE = 200 /* that are open beside those of sessions */, FILES_OF_A_SESSION = 4, PATH_ROOM = 320 };

struct sip_pf {
    shell *shell;
    size_t members;
    uint16_t port;
    int silence;
    char folder[256];
};

static const uint8_t sim_k[16] = { 0x46, 0x5b }, sim_opc[16] = { 0xcd, 0x63 }, sim_amf[2] = { 0x80, 0x00 };

/* ---- files ---- */

static const char config_text[] =
    "sip = { listen = [ \"udp:127.0.0.1:%u\" ]; domain = \"" SIP_CROWD_DOMAIN "\";\n"
    "  next_hop = \"sip:127.0.0.2:%u;transport=udp\"; trusted_peers = [ \"127.0.0.2\" ]; };\n"
    "gba = { naf_fqdn = \"" SIP_CROWD_DOMAIN "\"; bsf_fqdn = \"" BSF "\"; subscribers = \"subscribers.cfg\";\n"
    "  ub_listen = \"127.0.0.1:%u\"; };\n"
    "media = { address = \"127.0.0.1\"; port_min = 1024; port_max = 65534; };\n"
    "store = { path = \"store.db\"; key_file = \"store.key\"; };\n"
    "limits = { sessions_max = 100000; members_max = 100000; requests_per_source_s = 0; };\n"
    "channels = ( { id = \"" CHANNEL "\"; group = \"" SIP_CROWD_GROUP "\"; address = \"" SIP_CROWD_ADDRESS
    "\"; port = %d;\n"
    "  ttl = 1; source = \"127.0.0.1\"; key_domain_id = \"00f110\"; key_group = 4097;\n"
    "  rekey = { delivery = [ \"sip\" ]; deadline_ms = 32000; }; } );\n";

/* There has to be one in the file; the members are added to the BSF itself. */
static const char subscribers_text[] =
    "subscribers = ( { impi = \"nobody@home.example\"; k = \"00112233445566778899aabbccddeeff\";\n"
    "  opc = \"ffeeddccbbaa99887766554433221100\"; amf = \"8000\"; impus = [ \"sip:nobody@home.example\" ]; } );\n";

static FILE *file_open(const sip_pf *p, const char *name)
{
    char path[PATH_ROOM];
    (void)snprintf(path, sizeof(path), "%s/%s", p->folder, name);
    return fopen(path, "we");
}

static bool files_write(sip_pf *p, const sip_crowd *c)
{
    uint16_t ports[2];
    const char *where = getenv("TMPDIR");
    (void)snprintf(p->folder, sizeof(p->folder), "%s/pocbench-XXXXXX", where != NULL ? where : "/tmp");
    if (!test_free_ports(ports, POC_COUNT(ports)) || mkdtemp(p->folder) == NULL)
        return false;
    p->port = ports[0];
    FILE *config_file = file_open(p, "pocpfd.cfg"), *subscribers = file_open(p, "subscribers.cfg");
    if (config_file != NULL)
        fprintf(config_file, config_text, ports[0], sip_crowd_cf_port(c), ports[1], SIP_CROWD_PORT);
    if (subscribers != NULL)
        fputs(subscribers_text, subscribers);
    bool good = config_file != NULL && fclose(config_file) == 0;
    return subscribers != NULL && fclose(subscribers) == 0 && good;
}

static void files_remove(const sip_pf *p)
{
    static const char *const files[] = { "pocpfd.cfg",   "subscribers.cfg", "store.db",
                                         "store.db-wal", "store.db-shm",    "store.key" };
    char path[PATH_ROOM];
    for (size_t i = 0; i < POC_COUNT(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", p->folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(p->folder);
}

/* Each session has four media sockets. */
static bool files_suffice(size_t members)
{
    struct rlimit files;
    const rlim_t need = members * FILES_OF_A_SESSION + FILES_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return false;
    if (files.rlim_cur < need) {
        files.rlim_cur = files.rlim_max < need ? files.rlim_max : need;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (files.rlim_cur < need)
        fprintf(stderr, "pocbench: %zu members have %zu media sockets, and this process may open %zu files\n", members,
                members * FILES_OF_A_SESSION, (size_t)files.rlim_cur);
    return files.rlim_cur >= need;
}

/* ---- members ---- */

static bool subscriber_add(gba_bsf *bsf, poc_span impi, const char *impu)
{
    gba_subscriber s = { .impi = impi, .impus = { poc_span_str(impu) }, .impu_count = 1, .sqn = 32 };
    memcpy(s.k, sim_k, sizeof(s.k));
    memcpy(s.opc, sim_opc, sizeof(s.opc));
    memcpy(s.amf, sim_amf, sizeof(s.amf));
    return gba_bsf_add(bsf, &s) == POC_OK;
}

static bool ub_exchange(gba_bsf *bsf, gba_ub_client *client, gba_bootstrap *out)
{
    static gba_http_answer answer;
    gba_ub_next next = GBA_UB_AGAIN;
    while (next == GBA_UB_AGAIN) {
        char authorization[GBA_HEADER_MAX];
        poc_wr wr = poc_wr_into(authorization, sizeof(authorization));
        if (gba_ub_client_request(client, &wr) != POC_OK || poc_wr_done(&wr) != POC_OK)
            return false;
        (void)gba_bsf_ub(bsf, time(NULL), poc_span_str("GET"), poc_span_str("/"), poc_span_of(authorization, wr.len),
                         &answer);
        if (gba_ub_client_answer(client, answer.status, poc_span_str(answer.www_authenticate),
                                 poc_span_str(answer.authentication_info), poc_span_of(answer.body, answer.body_len),
                                 &next, out) != POC_OK)
            return false;
    }
    return true;
}

static bool keys_give(sip_crowd *c, size_t i, const shell *s, poc_span impi, const gba_bootstrap *b)
{
    gba_mbms_keys keys = { 0 };
    poc_secret *ks_naf = NULL;
    bool good = gba_ks_naf(&ks_naf, GBA_KS_NAF, b->ks, b->rand, impi, gba_naf_naf_id(s->naf)) == POC_OK &&
                gba_mbms_keys_make(&keys, ks_naf, NULL) == POC_OK &&
                sip_crowd_bootstrapped(c, i, b->btid, keys.mrk, keys.muk);
    gba_mbms_keys_done(&keys);
    poc_secret_free(ks_naf);
    return good;
}

static bool bootstrap(sip_crowd *c, size_t i, shell *s)
{
    char impi[48], impu[64];
    gba_usim usim;
    gba_bootstrap b = { .ks = NULL };
    (void)snprintf(impi, sizeof(impi), SIP_CROWD_USER, i);
    (void)snprintf(impu, sizeof(impu), "sip:%s", impi);
    POC_OWNED(gba_ub_client, client, gba_ub_client_free);
    if (!subscriber_add(s->bsf, poc_span_str(impi), impu) || gba_usim_init(&usim, sim_k, sim_opc, 0, sim_amf) != POC_OK)
        return false;
    const bool good =
        gba_ub_client_new(&client, poc_span_str(impi), poc_span_str(BSF), &usim, &poc_rng_system) == POC_OK &&
        ub_exchange(s->bsf, client, &b) && keys_give(c, i, s, poc_span_str(impi), &b);
    gba_bootstrap_done(&b);
    gba_usim_done(&usim);
    return good;
}

static bool bootstrap_all(sip_crowd *c, shell *s)
{
    for (size_t i = 0; i < sip_crowd_size(c); i++) {
        if (!bootstrap(c, i, s)) {
            fputs("pocbench: a member could not be bootstrapped\n", stderr);
            return false;
        }
    }
    return true;
}

/* ---- the door ---- */

static bool shell_make(sip_pf *p, su_root_t *root)
{
    char path[PATH_ROOM], why[CONFIG_WHY_MAX] = "";
    config *c = NULL;
    (void)snprintf(path, sizeof(path), "%s/pocpfd.cfg", p->folder);
    if (config_load(&c, path, why) == POC_OK && shell_new(&p->shell, root, c, why) == POC_OK)
        return true;
    fprintf(stderr, "pocbench: %s\n", why);
    return false;
}

sip_pf *sip_pf_new(su_root_t *root, sip_crowd *c)
{
    sip_pf *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return NULL;
    p->members = sip_crowd_size(c);
    p->silence = open("/dev/null", O_WRONLY | O_CLOEXEC);
    log_to(p->silence); /* written, but not shown */
    if (!files_suffice(p->members) || !files_write(p, c) || !shell_make(p, root) || !bootstrap_all(c, p->shell)) {
        sip_pf_free(p);
        return NULL;
    }
    return p;
}

void sip_pf_free(sip_pf *p)
{
    if (p == NULL)
        return;
    shell_free(p->shell);
    log_to(STDERR_FILENO);
    if (p->silence >= 0)
        (void)close(p->silence);
    if (p->folder[0] != '\0')
        files_remove(p);
    free(p);
}

uint16_t sip_pf_port(const sip_pf *p)
{
    return p->port;
}

bool sip_pf_is_settled(const sip_pf *p)
{
    shell_channel_status status = { .engine = { .size = sizeof(status.engine) } };
    return shell_channel_look(p->shell, CHANNEL, &status) && strcmp(status.engine.state, "active") == 0 &&
           status.engine.next_msk_id == 0 && status.engine.confirmed == p->members;
}

bool sip_pf_rekey(sip_pf *p)
{
    return shell_rekey(p->shell, CHANNEL) == POC_OK;
}
