/* Sealing MSK messages side by side. */
#include <string.h>

#include "mikey/lanes.h"
#include "mikey/seal.h"

_Static_assert(MIKEY_PLAIN_MAX <= POC_LANES_KEYSTREAM, "the keystream covers all key data");

/* Those of a batch that have room and a key, up to sixteen. */
typedef struct wave {
    const mikey_msk_template *m;
    mikey_msk_job *job[POC_LANES];
    mikey_lanes lanes;
} wave;

static size_t covered(const mikey_msk_job *job)
{
    return job->len - POC_SHA1_LEN;
}

static void wave_add(wave *w, mikey_msk_job *job)
{
    const size_t lane = w->lanes.used++;
    w->job[lane] = job;
    w->lanes.psk[lane] = job->muk;
    w->lanes.counter[lane] = job->counter;
    w->lanes.text[lane] = poc_span_of(job->out, covered(job));
}

static void encrypt(wave *w)
{
    const mikey_msk_template *m = w->m;
    if (m->plain_len == 0)
        return;
    mikey_lanes_encrypt(&w->lanes);
    for (size_t lane = 0; lane < w->lanes.used; lane++) {
        uint8_t *stream = w->lanes.stream[lane];
        for (size_t i = 0; i < MIKEY_PLAIN_MAX; i++) /* as wide as the processor can: not only as much as is used */
            stream[i] ^= m->plain[i];
        memcpy(w->job[lane]->out + covered(w->job[lane]) - 1 - m->plain_len, stream, m->plain_len);
    }
}

static void wave_seal(wave *w)
{
    if (w->lanes.used == 0)
        return;
    mikey_lanes_derive(&w->lanes, 0, MIKEY_USE_COUNT - 1);
    encrypt(w);
    mikey_lanes_mac(&w->lanes);
    for (size_t lane = 0; lane < w->lanes.used; lane++)
        memcpy(w->job[lane]->out + covered(w->job[lane]), w->lanes.mac[lane], POC_SHA1_LEN);
    w->lanes.used = 0;
}

void mikey_msk_seal_lanes(const mikey_msk_template *m, const poc_lanes_kernel *k, mikey_msk_job *jobs, size_t n)
{
    wave w;
    w.m = m;
    mikey_lanes_init(&w.lanes, k, n);
    mikey_lanes_context(&w.lanes, &m->transport, m->csb_id);
    for (size_t i = 0; i < n; i++) {
        jobs[i].err = mikey_msk_lay_out(m, &jobs[i]);
        if (jobs[i].err == POC_OK)
            wave_add(&w, &jobs[i]);
        if (w.lanes.used == POC_LANES)
            wave_seal(&w);
    }
    wave_seal(&w);
    mikey_lanes_done(&w.lanes);
}
