/* A whole run on real sockets, recorded from outside: every octet that crossed the loopback, the log, the report and the
 * store are searched for every key that was in use. The keys are known here because the subscribers' K are: what was sent
 * in the open (RAND, the MIKEY messages) then gives the rest, which also shows that it takes a K to get there. Its
 * argument is pocsim. Recording needs CAP_NET_RAW; without it the test says so and is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "gba/gba.h"
#include "mikey/mikey.h"
#include "tests/harness/deployment.h"

enum { STREAMS_MAX = 4096, NEEDLES_MAX = 4096, KEYS_MAX = 512, PEOPLE = 3, FRAMES_MAX = 100000, CANNOT_RECORD = 77 };

static const char *pocsim;
static const char *const people[PEOPLE] = { "alice", "bob", "carol" };

/* Octets that one port sent to another, or a file. */
typedef struct heap {
    uint32_t ports;
    uint8_t protocol;
    char name[300];
    uint8_t *bytes;
    size_t n, cap;
} heap;

typedef struct datagram {
    size_t heap, at, n;
} datagram;

typedef struct needle {
    const char *what;
    char form[8];
    uint8_t bytes[128];
    size_t n;
} needle;

typedef struct known_msk {
    poc_msk_id id;
    uint32_t csb_id;
    uint8_t rand[MIKEY_RAND_LEN];
    poc_secret *key;
} known_msk;

typedef struct stage {
    char folder[64];
    int fd;
    heap heaps[STREAMS_MAX];
    size_t heap_count;
    datagram *datagrams;
    size_t datagram_count;
    needle needles[NEEDLES_MAX];
    size_t needle_count;
    deployment deployment;
    deployment_subscriber subscribers[PEOPLE];
    poc_secret *muks[KEYS_MAX];
    size_t muk_count;
    known_msk msks[KEYS_MAX];
    size_t msk_count, mtk_count, rand_count;
} stage;

/* ---- recording ---- */

static void heap_add(heap *h, const void *bytes, size_t n)
{
    if (n == 0)
        return;
    if (h->n + n > h->cap) {
        h->cap = 2 * (h->n + n) + 4096;
        h->bytes = realloc(h->bytes, h->cap);
        assert_non_null(h->bytes);
    }
    memcpy(h->bytes + h->n, bytes, n);
    h->n += n;
}

static heap *heap_of(stage *s, uint8_t protocol, uint32_t ports)
{
    for (size_t i = 0; i < s->heap_count; i++)
        if (s->heaps[i].ports == ports && s->heaps[i].protocol == protocol)
            return &s->heaps[i];
    assert_true(s->heap_count < STREAMS_MAX);
    heap *h = &s->heaps[s->heap_count++];
    h->ports = ports;
    h->protocol = protocol;
    (void)snprintf(h->name, sizeof(h->name), "%s from port %u to %u", protocol == IPPROTO_TCP ? "TCP" : "UDP",
                   ports >> 16, ports & 0xFFFF);
    return h;
}

static void packet_take(stage *s, const uint8_t *ip, size_t n)
{
    size_t head = n > 20 ? (size_t)(ip[0] & 15) * 4 : n;
    if (n < head + 20 || (ip[9] != IPPROTO_TCP && ip[9] != IPPROTO_UDP))
        return;
    const uint8_t *segment = ip + head;
    size_t own = ip[9] == IPPROTO_TCP ? (size_t)(segment[12] >> 4) * 4 : 8;
    if (n < head + own)
        return;
    uint32_t ports = (uint32_t)segment[0] << 24 | (uint32_t)segment[1] << 16 | (uint32_t)segment[2] << 8 | segment[3];
    heap *h = heap_of(s, ip[9], ports);
    if (ip[9] == IPPROTO_UDP) {
        s->datagrams = realloc(s->datagrams, (s->datagram_count + 1) * sizeof(*s->datagrams));
        assert_non_null(s->datagrams);
        s->datagrams[s->datagram_count++] = (datagram){ (size_t)(h - s->heaps), h->n, n - head - own };
    }
    heap_add(h, segment + own, n - head - own);
}

/* What others say on the loopback comes in as well, and they may never stop. */
static void hear(stage *s)
{
    static uint8_t frame[1 << 17];
    struct sockaddr_ll from;
    socklen_t len = sizeof(from);
    for (int frames = 0; frames < FRAMES_MAX; frames++) {
        ssize_t n = recvfrom(s->fd, frame, sizeof(frame), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
        if (n < 0)
            return;
        if (from.sll_pkttype != PACKET_OUTGOING)
            packet_take(s, frame, (size_t)n);
        len = sizeof(from);
    }
}

static int recorder_open(void)
{
    int size = 64 << 20, fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
    struct sockaddr_ll on = { .sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_IP),
                              .sll_ifindex = (int)if_nametoindex("lo") };
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    assert_int_equal(bind(fd, (struct sockaddr *)&on, sizeof(on)), 0);
    return fd;
}

static void run_and_record(stage *s)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl(pocsim, pocsim, "run", POC_SOURCE_DIR "/tests/scenarios/expel_while_talking.lua", "--world", "real",
                    "--report", s->folder, "--quiet", (char *)NULL);
        _exit(127);
    }
    do {
        struct pollfd p = { .fd = s->fd, .events = POLLIN };
        (void)poll(&p, 1, 50);
        hear(s);
    } while (waitpid(pid, &status, WNOHANG) == 0);
    hear(s);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void files_take(stage *s)
{
    DIR *dir = opendir(s->folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        uint8_t part[4096];
        size_t n;
        if (e->d_name[0] == '.')
            continue;
        heap *h = &s->heaps[s->heap_count++];
        (void)snprintf(h->name, sizeof(h->name), "%s", e->d_name);
        char path[400];
        (void)snprintf(path, sizeof(path), "%s/%s", s->folder, e->d_name);
        FILE *f = fopen(path, "re");
        while (f != NULL && (n = fread(part, 1, sizeof(part), f)) > 0)
            heap_add(h, part, n);
        if (f != NULL)
            (void)fclose(f);
    }
    (void)closedir(dir);
}

/* ---- the keys ---- */

static void needle_add(stage *s, const char *what, const char *form, const void *bytes, size_t n)
{
    assert_true(s->needle_count < NEEDLES_MAX && n <= sizeof(s->needles[0].bytes));
    for (size_t i = 0; i < s->needle_count; i++)
        if (s->needles[i].n == n && memcmp(s->needles[i].bytes, bytes, n) == 0)
            return;
    needle *t = &s->needles[s->needle_count++];
    *t = (needle){ .what = what, .n = n };
    (void)snprintf(t->form, sizeof(t->form), "%s", form);
    memcpy(t->bytes, bytes, n);
}

/* Raw, in hex of either case, and in base64 without its padding. */
static void key_add(stage *s, const char *what, poc_span key)
{
    char text[130];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    needle_add(s, what, "raw", key.p, key.n);
    poc_hex_put(&wr, key);
    needle_add(s, what, "hex", text, wr.len);
    for (size_t i = 0; i < wr.len; i++)
        if (text[i] >= 'a')
            text[i] = (char)(text[i] - 'a' + 'A');
    needle_add(s, what, "HEX", text, wr.len);
    wr = poc_wr_into(text, sizeof(text));
    poc_base64_put(&wr, key);
    needle_add(s, what, "base64", text, key.n * 8 / 6);
}

static void secret_add(stage *s, const char *what, const poc_secret *key)
{
    key_add(s, what, poc_span_of(poc_secret_bytes(key), poc_secret_len(key)));
}

/* What one subscriber and the BSF make of this RAND. */
static void keys_of_rand(stage *s, const deployment_subscriber *who, const uint8_t rand[16])
{
    static const uint8_t sqn[6], amf[2];
    gba_milenage m;
    uint8_t ks_bytes[32];
    poc_secret *ks, *ks_naf;
    gba_naf_id naf_id;
    gba_mbms_keys keys;
    assert_int_equal(gba_milenage_run(&m, who->k, who->opc, rand, sqn, amf), POC_OK);
    memcpy(ks_bytes, m.ck, 16);
    memcpy(ks_bytes + 16, m.ik, 16);
    key_add(s, "CK", poc_span_of(m.ck, 16));
    key_add(s, "IK", poc_span_of(m.ik, 16));
    assert_int_equal(poc_secret_from(&ks, ks_bytes, sizeof(ks_bytes)), POC_OK);
    assert_int_equal(gba_naf_id_make(&naf_id, poc_span_str(s->deployment.naf_fqdn), s->deployment.ua_id), POC_OK);
    assert_int_equal(
        gba_ks_naf(&ks_naf, GBA_KS_NAF, ks, rand, poc_span_str(who->impi), poc_span_of(naf_id.b, naf_id.n)), POC_OK);
    assert_int_equal(gba_mbms_keys_make(&keys, ks_naf, NULL), POC_OK);
    secret_add(s, "Ks_NAF", ks_naf);
    secret_add(s, "MUK", keys.muk);
    secret_add(s, "MRK", keys.mrk);
    assert_true(s->muk_count < KEYS_MAX);
    s->muks[s->muk_count++] = poc_secret_ref(keys.muk);
    gba_mbms_keys_done(&keys);
    poc_secret_free(ks_naf);
    poc_secret_free(ks);
}

/* Calls `take` with what stands behind `mark` up to one of `ends`, wherever it was sent. */
static void each_text(stage *s, const char *mark, const char *ends, void (*take)(stage *s, poc_span text))
{
    for (size_t i = 0; i < s->heap_count; i++) {
        const heap *h = &s->heaps[i];
        if (h->n == 0)
            continue;
        const uint8_t *at = h->bytes, *end = h->bytes + h->n;
        while (at != NULL && (at = memmem(at, (size_t)(end - at), mark, strlen(mark))) != NULL) {
            const uint8_t *from = at += strlen(mark);
            while (at < end && strchr(ends, *at) == NULL)
                at++;
            take(s, poc_span_of(from, (size_t)(at - from)));
        }
    }
}

/* The nonce of Ub is RAND and AUTN. */
static void rand_take(stage *s, poc_span text)
{
    uint8_t nonce[64];
    size_t n;
    if (poc_base64_get(nonce, sizeof(nonce), &n, text) != POC_OK || n != 32)
        return;
    s->rand_count++;
    for (size_t i = 0; i < PEOPLE; i++)
        keys_of_rand(s, &s->subscribers[i], nonce);
}

static void msk_take(stage *s, poc_span text)
{
    uint8_t raw[MIKEY_MESSAGE_MAX];
    size_t n;
    mikey_msg msg;
    mikey_msk msk;
    if (poc_base64_get(raw, sizeof(raw), &n, text) != POC_OK || mikey_decode(&msg, poc_span_of(raw, n), NULL) != POC_OK)
        return;
    for (size_t i = 0; i < s->muk_count; i++) {
        if (mikey_msk_open(&msk, &msg, s->muks[i], NULL) != POC_OK)
            continue;
        secret_add(s, "MSK", msk.msk);
        assert_true(s->msk_count < KEYS_MAX && msg.rand.n == MIKEY_RAND_LEN);
        known_msk *known = &s->msks[s->msk_count++];
        *known = (known_msk){ .id = msk.msk_id, .csb_id = msk.csb_id, .key = poc_secret_ref(msk.msk) };
        memcpy(known->rand, msg.rand.p, MIKEY_RAND_LEN);
        mikey_msk_done(&msk);
        return;
    }
}

static void mtk_take(stage *s, poc_span stkm)
{
    mikey_msg msg;
    if (mikey_decode(&msg, stkm, NULL) != POC_OK)
        return;
    for (size_t i = 0; i < s->msk_count; i++) {
        const known_msk *known = &s->msks[i];
        mikey_context context = { known->csb_id, poc_span_of(known->rand, MIKEY_RAND_LEN) };
        poc_secret *mtk = NULL;
        if (msg.msk_id != known->id || mikey_mtk_open(&mtk, &msg, context, known->key, NULL) != POC_OK)
            continue;
        size_t before = s->needle_count;
        key_add(s, "MTK", poc_span_of(poc_secret_bytes(mtk), 16));
        s->mtk_count += s->needle_count > before;
        poc_secret_free(mtk);
        return;
    }
}

static void collect_keys(stage *s)
{
    char why[160], config[128];
    (void)snprintf(config, sizeof(config), "%s/pocpfd.cfg", s->folder);
    assert_int_equal(deployment_read(&s->deployment, config, why), POC_OK);
    for (size_t i = 0; i < PEOPLE; i++) {
        assert_int_equal(deployment_find(&s->deployment, people[i], &s->subscribers[i]), POC_OK);
        key_add(s, "K", poc_span_of(s->subscribers[i].k, 16));
        key_add(s, "OPc", poc_span_of(s->subscribers[i].opc, 16));
    }
    each_text(s, "nonce=\"", "\"", rand_take);
    each_text(s, "a=key-mgmt:mikey ", "\r\n", msk_take);
    for (size_t i = 0; i < s->datagram_count; i++) {
        const datagram *d = &s->datagrams[i];
        if (d->n > 0)
            mtk_take(s, poc_span_of(s->heaps[d->heap].bytes + d->at, d->n));
    }
}

/* ---- the search ---- */

static const char *found_in(const stage *s, const needle *t)
{
    for (size_t i = 0; i < s->heap_count; i++)
        if (s->heaps[i].n > 0 && memmem(s->heaps[i].bytes, s->heaps[i].n, t->bytes, t->n) != NULL)
            return s->heaps[i].name;
    return NULL;
}

static bool has_file(const stage *s, const char *name)
{
    for (size_t i = 0; i < s->heap_count; i++)
        if (strcmp(s->heaps[i].name, name) == 0 && s->heaps[i].n > 0)
            return true;
    return false;
}

/* POC-6, and what every part promises: no key appears in a log, a file or on a wire in clear. */
static void no_key_of_a_run_is_on_any_wire_in_any_log_or_file(void **state)
{
    stage *s = *state;
    run_and_record(s);
    files_take(s);
    assert_true(has_file(s, "pocpfd.log") && has_file(s, "store.db") && has_file(s, "report.json"));
    collect_keys(s);
    /* The search is worth something only if all was seen: everybody bootstrapped, two MSKs, an MTK under each. */
    assert_true(s->rand_count >= PEOPLE && s->msk_count >= 2 && s->mtk_count >= 2);
    needle control = { .n = 14 };
    memcpy(control.bytes, "member_in chan", 14);
    assert_string_equal(found_in(s, &control), "pocpfd.log");
    for (size_t i = 0; i < s->needle_count; i++) {
        const char *where = found_in(s, &s->needles[i]);
        if (where != NULL)
            fail_msg("%s as %s: %s", s->needles[i].what, s->needles[i].form, where);
    }
}

/* ---- setting up ---- */

static int set_up(void **state)
{
    stage *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    (void)strcpy(s->folder, "/tmp/pocpf-secrets-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    s->fd = recorder_open();
    *state = s;
    return s->fd >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    stage *s = *state;
    char command[96];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", s->folder);
    assert_int_equal(system(command), 0);
    for (size_t i = 0; i < s->heap_count; i++)
        free(s->heaps[i].bytes);
    for (size_t i = 0; i < s->muk_count; i++)
        poc_secret_free(s->muks[i]);
    for (size_t i = 0; i < s->msk_count; i++)
        poc_secret_free(s->msks[i].key);
    free(s->datagrams);
    (void)close(s->fd);
    free(s);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_key_of_a_run_is_on_any_wire_in_any_log_or_file, set_up, tear_down),
    };
    if (argc != 2)
        return 64;
    pocsim = argv[1];
    int probe = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) {
        (void)fputs("skipped: recording the loopback needs CAP_NET_RAW\n", stderr);
        return CANNOT_RECORD;
    }
    (void)close(probe);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
