/* The yardsticks of `pocbench rekey`: nothing of the engine is in them. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mikey/mikey.h"
#include "tests/bench/peers_mikey.h"
#include "tests/bench/rekey.h"

enum { BATCH = 64, SLOT = 256, SILENCE_MS = 2000, BUFFER_OCTETS = 64 * 1024 * 1024, SECRET_TAIL = 47 };

static const char idi[] = "pf1.poc.example.org\x01\x00\x00\x00\x01";

typedef struct outbox {
    const crowd *crowd;
    int fd;
    mikey_msk_params params;
    poc_secret *msk;
    mikey_msk_job *jobs;
    uint8_t *octets; /* SLOT for each member */
} outbox;

static void widen(int fd, int forced, int asked)
{
    const int octets = BUFFER_OCTETS;
    if (setsockopt(fd, SOL_SOCKET, forced, &octets, sizeof(octets)) != 0)
        (void)setsockopt(fd, SOL_SOCKET, asked, &octets, sizeof(octets));
}

static bool socket_make(outbox *o)
{
    const struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const int whole = IP_PMTUDISC_DO;
    o->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (o->fd < 0)
        return false;
    (void)setsockopt(o->fd, IPPROTO_IP, IP_MTU_DISCOVER, &whole, sizeof(whole)); /* as the push socket has it */
    widen(o->fd, SO_SNDBUFFORCE, SO_SNDBUF);
    widen(o->fd, SO_RCVBUFFORCE, SO_RCVBUF);
    return bind(o->fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
}

static bool outbox_make(outbox *o, const crowd *c)
{
    const size_t n = crowd_size(c);
    *o = (outbox){ .crowd = c,
                   .fd = -1,
                   .params = { .key_domain = { { 0x00, 0xf1, 0x10 } },
                               .msk_id = 0x10010001,
                               .rand = { 0xa0, 0xa1, 0xa2 },
                               .seq_high = 0xffff,
                               .wants_verification = true,
                               .idi_type = MIKEY_ID_URI,
                               .idi = poc_span_of(idi, sizeof(idi) - 1),
                               .idr_type = MIKEY_ID_NAI } };
    o->jobs = calloc(n, sizeof(*o->jobs));
    o->octets = calloc(n, SLOT);
    if (o->jobs == NULL || o->octets == NULL || !socket_make(o) ||
        poc_secret_random(&o->msk, POC_MSK_LEN, &poc_rng_system) != POC_OK)
        return false;
    for (size_t i = 0; i < n; i++)
        o->jobs[i] = (mikey_msk_job){
            .muk = crowd_muk(c, i), .idr = crowd_btid(c, i), .counter = 1, .out = o->octets + i * SLOT, .cap = SLOT
        };
    return mikey_msk_seal(&o->params, o->msk, o->jobs, n) == POC_OK;
}

static void outbox_done(outbox *o)
{
    if (o->fd >= 0)
        (void)close(o->fd);
    poc_secret_free(o->msk);
    free(o->jobs);
    free(o->octets);
}

/* Reads answers until there is one from everybody, or a silence. */
static void answers_read(outbox *o, rekey_times *out, double start)
{
    static uint8_t octets[BATCH][SLOT];
    struct mmsghdr msg[BATCH];
    struct iovec iov[BATCH];
    struct pollfd readable = { .fd = o->fd, .events = POLLIN };
    for (size_t i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){ octets[i], SLOT };
        msg[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
    }
    while (out->confirmed < crowd_size(o->crowd) && poll(&readable, 1, SILENCE_MS) > 0) {
        const int n = recvmmsg(o->fd, msg, BATCH, MSG_DONTWAIT, NULL);
        out->confirmed += n > 0 ? (size_t)n : 0;
        out->last_confirmed_s = crowd_now_s() - start;
    }
}

/* Sends the messages from `first` on; as many as one system call takes. */
static bool batch_send(const outbox *o, size_t first, size_t n)
{
    struct mmsghdr msg[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_in to[BATCH];
    for (size_t i = 0; i < n; i++) {
        const mikey_msk_job *job = &o->jobs[first + i];
        to[i] = crowd_address(o->crowd, first + i);
        iov[i] = (struct iovec){ job->out, job->len };
        msg[i] = (struct mmsghdr){
            .msg_hdr = { .msg_name = &to[i], .msg_namelen = sizeof(to[i]), .msg_iov = &iov[i], .msg_iovlen = 1 }
        };
    }
    return sendmmsg(o->fd, msg, (unsigned)n, 0) == (int)n;
}

static bool batches_send(const outbox *o)
{
    const size_t members = crowd_size(o->crowd);
    for (size_t first = 0; first < members; first += BATCH) {
        if (!batch_send(o, first, members - first < BATCH ? members - first : BATCH))
            return false;
    }
    return true;
}

/* The message is there but for what depends on the key, which is computed again. */
static bool one_by_one(const outbox *o, evp_mikey *evp, poc_span plain)
{
    for (size_t i = 0; i < crowd_size(o->crowd); i++) {
        const mikey_msk_job *job = &o->jobs[i];
        const struct sockaddr_in to = crowd_address(o->crowd, i);
        memset(job->out + job->len - SECRET_TAIL, 0, SECRET_TAIL);
        if (!evp_mikey_seal(evp, job->out, job->len, poc_secret_span(job->muk), job->counter, plain) ||
            sendto(o->fd, job->out, job->len, 0, (const struct sockaddr *)&to, sizeof(to)) != (ssize_t)job->len)
            return false;
    }
    return true;
}

static bool naive_send(const outbox *o)
{
    uint8_t plain[26];
    evp_mikey *evp = evp_mikey_new(false, (mikey_context){ 0, poc_span_of(o->params.rand, MIKEY_RAND_LEN) });
    poc_wr wr = poc_wr_into(plain, sizeof(plain));
    poc_wr_u32(&wr, 0x00020010);
    poc_wr_span(&wr, poc_secret_span(o->msk));
    poc_wr_put(&wr, "\x02\x00\x00\x02\xff\xff", 6);
    const bool good = evp != NULL && one_by_one(o, evp, poc_span_of(plain, wr.len));
    poc_wipe(plain, sizeof(plain));
    if (evp != NULL)
        evp_mikey_free(evp);
    return good;
}

static bool timed(rekey_times *out, const crowd *c, bool (*send)(const outbox *o))
{
    outbox o;
    *out = (rekey_times){ .last_out_s = 0 };
    bool good = outbox_make(&o, c);
    const double start = crowd_now_s();
    good = good && send(&o);
    out->last_out_s = crowd_now_s() - start;
    if (good)
        answers_read(&o, out, start);
    outbox_done(&o);
    return good && out->confirmed > 0;
}

bool rekey_floor(rekey_times *out, const rekey_stage *s)
{
    return timed(out, s->crowd, batches_send);
}

bool rekey_naive(rekey_times *out, const rekey_stage *s)
{
    return timed(out, s->crowd, naive_send);
}
