#include "bcast/srtp.h"

#include <assert.h>
#include <pthread.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

static_assert(BCAST_SRTP_ROOM >= BCAST_PACKET_MAX + SRTP_MAX_TRAILER_LEN,
              "libsrtp may write this much behind a packet");
static_assert(POC_MTK_LEN + POC_MTK_SALT_LEN == SRTP_AES_ICM_128_KEY_LEN_WSALT, "MTK || salt is libsrtp's key");

enum { REPLAY_WINDOW = 128, RTP_HEADER_LEN = 12, SRTCP_HEADER_LEN = 8, SRTCP_INDEX_LEN = 4 };

struct bcast_srtp {
    srtp_t session;
    uint8_t mki[POC_MKI_LEN];
    uint32_t ssrcs[BCAST_SRTP_SSRC_MAX]; /* receiving side: who was heard authentically */
    size_t ssrc_count;
};

/* ---- the library, once per process ---- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void stay_silent_on_event(srtp_event_data_t *data)
{
    (void)data;
}

static void stay_silent_in_log(srtp_log_level_t level, const char *text, void *data)
{
    (void)level;
    (void)text;
    (void)data;
}

/* Sessions are independent afterwards: different threads may use different ones. A second srtp_init in a process reports
 * a failure: then our host uses libsrtp too, and its handlers stand. Were the library truly unfit, srtp_create would say. */
static void start_library(void)
{
    if (srtp_init() != srtp_err_status_ok)
        return;
    srtp_install_event_handler(stay_silent_on_event);
    srtp_install_log_handler(stay_silent_in_log, NULL);
}

void bcast_prepare(void)
{
    pthread_once(&library_once, start_library);
}

static poc_err kind_of(srtp_err_status_t status)
{
    switch (status) {
    case srtp_err_status_ok:
        return POC_OK;
    case srtp_err_status_auth_fail:
    case srtp_err_status_replay_fail:
    case srtp_err_status_replay_old:
    case srtp_err_status_cant_check: /* SRTCP whose E flag says "not encrypted" */
        return POC_E_AUTH;
    case srtp_err_status_alloc_fail:
    case srtp_err_status_init_fail:
    case srtp_err_status_cipher_fail:
        return POC_E_NOMEM;
    case srtp_err_status_key_expired:
        return POC_E_LIMIT;
    default:
        return POC_E_INPUT;
    }
}

/* ---- one MTK ---- */

static poc_err open_session(srtp_t *out, bcast_srtp_side side, const poc_secret *mtk)
{
    uint8_t key[SRTP_AES_ICM_128_KEY_LEN_WSALT] = { 0 };
    srtp_policy_t policy = { 0 };
    memcpy(key, poc_secret_bytes(mtk), poc_secret_len(mtk));
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
    policy.ssrc.type = side == BCAST_SRTP_SENDS ? ssrc_any_outbound : ssrc_any_inbound;
    policy.key = key;
    policy.window_size = REPLAY_WINDOW;
    srtp_err_status_t status = srtp_create(out, &policy);
    poc_wipe(key, sizeof(key));
    return kind_of(status);
}

poc_err bcast_srtp_new(bcast_srtp **out, bcast_srtp_side side, const poc_secret *mtk, poc_mki mki)
{
    *out = NULL;
    size_t len = poc_secret_len(mtk);
    if (len != POC_MTK_LEN && len != POC_MTK_LEN + POC_MTK_SALT_LEN)
        return POC_E_INPUT;
    bcast_prepare();
    POC_OWNED(bcast_srtp, s, bcast_srtp_free);
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return POC_E_NOMEM;
    poc_mki_write(s->mki, mki);
    POC_TRY(open_session(&s->session, side, mtk));
    *out = POC_RELEASE(s);
    return POC_OK;
}

void bcast_srtp_free(bcast_srtp *s)
{
    if (s == NULL)
        return;
    if (s->session != NULL)
        (void)srtp_dealloc(s->session);
    free(s);
}

poc_mki bcast_srtp_mki(const bcast_srtp *s)
{
    return poc_mki_read(s->mki);
}

/* ---- packets ----
 * SRTP:  header || ciphertext || MKI(6) || tag(10)
 * SRTCP: header(8) || ciphertext || E, index(4) || MKI(6) || tag(10) */

poc_err bcast_srtp_protect(bcast_srtp *s, bcast_flow flow, uint8_t *buf, size_t *n)
{
    if (*n > BCAST_SRTP_CLEAR_MAX)
        return POC_E_INPUT;
    int len = (int)*n;
    if (flow == BCAST_FLOW_RTP)
        POC_TRY(kind_of(srtp_protect(s->session, buf, &len)));
    else
        POC_TRY(kind_of(srtp_protect_rtcp(s->session, buf, &len)));
    uint8_t *tag = buf + len - BCAST_SRTP_TAG_LEN;
    memmove(tag + POC_MKI_LEN, tag, BCAST_SRTP_TAG_LEN);
    memcpy(tag, s->mki, POC_MKI_LEN);
    *n = (size_t)len + POC_MKI_LEN;
    return POC_OK;
}

poc_err bcast_srtp_find_mki(poc_mki *out, bcast_flow flow, poc_span datagram)
{
    size_t least = flow == BCAST_FLOW_RTP ? RTP_HEADER_LEN : SRTCP_HEADER_LEN + SRTCP_INDEX_LEN;
    const size_t trailer = POC_MKI_LEN + BCAST_SRTP_TAG_LEN;
    *out = (poc_mki){ 0, 0 };
    if (datagram.n < least + trailer || datagram.n > BCAST_PACKET_MAX || datagram.p[0] >> 6 != 2)
        return POC_E_INPUT;
    *out = poc_mki_read(datagram.p + datagram.n - trailer);
    return POC_OK;
}

static uint32_t ssrc_of(bcast_flow flow, const uint8_t *packet)
{
    const uint8_t *at = packet + (flow == BCAST_FLOW_RTP ? 8 : 4);
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool has_heard(const bcast_srtp *s, uint32_t ssrc)
{
    for (size_t i = s->ssrc_count; i-- > 0;) {
        if (s->ssrcs[i] == ssrc)
            return true;
    }
    return false;
}

/* libsrtp makes a stream for every new authentic SSRC and keeps it. The MTK is a group key: any member could make our
 * memory grow, hence the bound. */
poc_err bcast_srtp_unprotect(bcast_srtp *s, bcast_flow flow, uint8_t *buf, size_t *n)
{
    uint32_t ssrc = ssrc_of(flow, buf);
    bool is_new = !has_heard(s, ssrc);
    if (is_new && s->ssrc_count == BCAST_SRTP_SSRC_MAX)
        return POC_E_LIMIT;
    uint8_t *tag = buf + *n - BCAST_SRTP_TAG_LEN;
    memmove(tag - POC_MKI_LEN, tag, BCAST_SRTP_TAG_LEN);
    int len = (int)(*n - POC_MKI_LEN);
    if (flow == BCAST_FLOW_RTP)
        POC_TRY(kind_of(srtp_unprotect(s->session, buf, &len)));
    else
        POC_TRY(kind_of(srtp_unprotect_rtcp(s->session, buf, &len)));
    if (is_new)
        s->ssrcs[s->ssrc_count++] = ssrc;
    *n = (size_t)len;
    return POC_OK;
}
