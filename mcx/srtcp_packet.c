/* RTCP packets under AES-GCM (RFC 7714 9), with session keys of the AES-CM PRF (RFC 3711 4.3, RFC 6188):
 *   header, SSRC (8) || ciphertext || tag (16) || E, index (4) || MKI (4) */
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "mcx/mcx.h"

enum { HEADER_LEN = 8, TRAILER_LEN = 8, WINDOW = 128, STREAMS_FIRST = 4 };

#define E_FLAG     0x80000000u
#define LABEL_KEY  3u /* RFC 3711 4.3.1 */
#define LABEL_SALT 5u
#define LABEL_AT   7u /* its octet in the 14 of the salt: the index behind it is 0 without key derivation rate */

/* Who sends under the key: this side, or one that was heard authentically. */
typedef struct stream {
    uint32_t ssrc;
    bool is_ours;
    uint32_t index;             /* the next one to send; or the highest that was heard */
    uint64_t seen[WINDOW / 64]; /* bit 0 of the first: `index` itself */
} stream;

struct mcx_srtcp {
    poc_secret *keys; /* session key || session salt */
    size_t key_len;
    uint32_t key_id;
    stream *streams; /* the newest last */
    size_t stream_count, stream_room;
};

/* ---- keys ---- */

static poc_err session_key(uint8_t *out, size_t n, const poc_secret *master, size_t key_len, uint8_t label)
{
    const uint8_t zeros[32] = { 0 };
    const uint8_t *key = poc_secret_bytes(master);
    uint8_t iv[POC_AES_LEN] = { 0 };
    memcpy(iv, key + key_len, MCX_SRTP_SALT_LEN);
    iv[LABEL_AT] ^= label;
    const poc_err err = key_len == 16 ? poc_aes128_ctr(out, key, iv, poc_span_of(zeros, n))
                                      : poc_aes256_ctr(out, key, iv, poc_span_of(zeros, n));
    poc_wipe(iv, sizeof(iv));
    return err;
}

static bool is_supported(const mcx_algorithm *a)
{
    return a->encr == mcx_aes128_gcm.encr && (a->key_len == 16 || a->key_len == 32) &&
           a->salt_len == MCX_SRTP_SALT_LEN && a->tag_len == POC_GCM_TAG_LEN;
}

poc_err mcx_srtcp_new(mcx_srtcp **out, const poc_secret *key, const mcx_srtp_context *context,
                      const mcx_algorithm *algorithm)
{
    POC_OWNED(mcx_srtcp, s, mcx_srtcp_free);
    POC_OWNED(poc_secret, master, poc_secret_free);
    const size_t key_len = algorithm->key_len;
    *out = NULL;
    if (!is_supported(algorithm))
        return POC_E_INPUT;
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return POC_E_NOMEM;
    s->key_len = key_len;
    s->key_id = context->csb_id;
    POC_TRY(mcx_srtp_master(&master, key, context, key_len)); // NOLINT(clang-analyzer-unix.Malloc): POC_OWNED frees it
    POC_TRY(poc_secret_new(&s->keys, key_len + MCX_SRTP_SALT_LEN));
    uint8_t *keys = poc_secret_edit(s->keys);
    POC_TRY(session_key(keys, key_len, master, key_len, LABEL_KEY));
    POC_TRY(session_key(keys + key_len, MCX_SRTP_SALT_LEN, master, key_len, LABEL_SALT));
    *out = POC_RELEASE(s);
    return POC_OK;
}

void mcx_srtcp_free(mcx_srtcp *s)
{
    if (s == NULL)
        return;
    poc_secret_free(s->keys);
    free(s->streams);
    free(s);
}

uint32_t mcx_srtcp_key_id(const mcx_srtcp *s)
{
    return s->key_id;
}

/* IV = (0000 || SSRC || 0000 || index) XOR salt (RFC 7714 9.1). As secret as the salt. */
static void iv_make(uint8_t iv[POC_GCM_NONCE_LEN], const mcx_srtcp *s, uint32_t ssrc, uint32_t index)
{
    const uint8_t *salt = poc_secret_bytes(s->keys) + s->key_len;
    poc_wr wr = poc_wr_into(iv, POC_GCM_NONCE_LEN);
    poc_wr_u16(&wr, 0);
    poc_wr_u32(&wr, ssrc);
    poc_wr_u16(&wr, 0);
    poc_wr_u32(&wr, index);
    for (size_t i = 0; i < POC_GCM_NONCE_LEN; i++)
        iv[i] ^= salt[i];
}

static poc_span session_key_of(const mcx_srtcp *s)
{
    return poc_span_of(poc_secret_bytes(s->keys), s->key_len);
}

/* First eight octets || E flag and index. */
static void aad_make(uint8_t aad[HEADER_LEN + 4], const uint8_t *header, uint32_t word)
{
    poc_wr wr = poc_wr_into(aad, HEADER_LEN + 4);
    poc_wr_put(&wr, header, HEADER_LEN);
    poc_wr_u32(&wr, word);
}

/* ---- the shape of a packet ---- */

static uint32_t u32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool is_rtcp(poc_span packet)
{
    return packet.n >= HEADER_LEN && packet.p[0] >> 6 == 2 && packet.p[1] >= 192 && packet.p[1] <= 223;
}

static size_t length_at(poc_span packet, size_t at)
{
    return 4u * (1u + ((size_t)packet.p[at + 2] << 8 | packet.p[at + 3]));
}

/* The lengths in the headers of a compound packet add up to its own. */
static bool is_whole(poc_span packet)
{
    size_t at = 0;
    while (packet.n - at >= 4 && packet.p[at] >> 6 == 2 && length_at(packet, at) <= packet.n - at)
        at += length_at(packet, at);
    return at == packet.n;
}

poc_err mcx_srtcp_look(mcx_srtcp_view *out, poc_span packet)
{
    if (!is_rtcp(packet) || packet.n > MCX_SRTCP_MAX)
        return POC_E_INPUT;
    /* Never true of a protected packet: what its header says leaves out what was added. A compound packet in clear is found
     * out by its flag or by its tag. */
    if (length_at(packet, 0) == packet.n)
        return POC_E_AUTH;
    if (packet.n < MCX_SRTCP_CLEAR_MIN + MCX_SRTCP_OVERHEAD)
        return POC_E_INPUT;
    const uint32_t word = u32_at(packet.p + packet.n - TRAILER_LEN);
    if ((word & E_FLAG) == 0)
        return POC_E_AUTH;
    *out = (mcx_srtcp_view){ .ssrc = u32_at(packet.p + 4),
                             .index = word & MCX_SRTCP_INDEX_MAX,
                             .key_id = u32_at(packet.p + packet.n - 4) };
    return POC_OK;
}

/* ---- streams ---- */

static stream *stream_find(const mcx_srtcp *s, uint32_t ssrc)
{
    for (size_t i = s->stream_count; i > 0; i--) {
        if (s->streams[i - 1].ssrc == ssrc)
            return &s->streams[i - 1];
    }
    return NULL;
}

static poc_err stream_room(mcx_srtcp *s)
{
    if (s->stream_count < s->stream_room)
        return POC_OK;
    if (s->stream_count == MCX_SRTCP_SSRC_MAX)
        return POC_E_LIMIT;
    const size_t room = s->stream_room == 0 ? STREAMS_FIRST : 2 * s->stream_room;
    stream *more = realloc(s->streams, room * sizeof(*more));
    if (more == NULL)
        return POC_E_NOMEM;
    s->streams = more;
    s->stream_room = room;
    return POC_OK;
}

static poc_err stream_add(stream **out, mcx_srtcp *s, uint32_t ssrc, bool is_ours, uint32_t index)
{
    POC_TRY(stream_room(s));
    *out = &s->streams[s->stream_count++];
    **out = (stream){ .ssrc = ssrc, .is_ours = is_ours, .index = index };
    return POC_OK;
}

/* ---- sending ---- */

static poc_err sender_get(stream **out, mcx_srtcp *s, uint32_t ssrc)
{
    *out = stream_find(s, ssrc);
    if (*out == NULL)
        POC_TRY(stream_add(out, s, ssrc, true, 0));
    return (*out)->is_ours ? POC_OK : POC_E_STATE;
}

uint32_t mcx_srtcp_next_index(const mcx_srtcp *s, uint32_t ssrc)
{
    const stream *sender = stream_find(s, ssrc);
    return sender == NULL || !sender->is_ours ? 0 : sender->index;
}

poc_err mcx_srtcp_start(mcx_srtcp *s, uint32_t ssrc, uint32_t index)
{
    stream *sender;
    if (index > MCX_SRTCP_INDEX_MAX)
        return POC_E_LIMIT;
    POC_TRY(sender_get(&sender, s, ssrc));
    if (index > sender->index)
        sender->index = index;
    return POC_OK;
}

poc_err mcx_srtcp_protect(mcx_srtcp *s, poc_wr *out, poc_span clear)
{
    uint8_t iv[POC_GCM_NONCE_LEN], aad[HEADER_LEN + 4];
    stream *sender;
    if (!is_rtcp(clear) || !is_whole(clear))
        return POC_E_INPUT;
    if (clear.n > MCX_SRTCP_MAX - MCX_SRTCP_OVERHEAD)
        return POC_E_LIMIT;
    POC_TRY(sender_get(&sender, s, u32_at(clear.p + 4)));
    uint8_t *packet = sender->index > MCX_SRTCP_INDEX_MAX ? NULL : poc_wr_room(out, clear.n + MCX_SRTCP_OVERHEAD);
    if (packet == NULL)
        return POC_E_LIMIT;
    /* The index is used up whatever comes of it: no IV may ever be made twice. */
    const uint32_t index = sender->index++, word = E_FLAG | index;
    poc_wr trailer = poc_wr_into(packet + clear.n + POC_GCM_TAG_LEN, TRAILER_LEN);
    poc_wr_u32(&trailer, word);
    poc_wr_u32(&trailer, s->key_id);
    memcpy(packet, clear.p, HEADER_LEN);
    aad_make(aad, clear.p, word);
    iv_make(iv, s, sender->ssrc, index);
    const poc_err err =
        poc_gcm_seal_iv(packet + HEADER_LEN, session_key_of(s), poc_span_of(iv, sizeof(iv)),
                        poc_span_of(aad, sizeof(aad)), poc_span_of(clear.p + HEADER_LEN, clear.n - HEADER_LEN));
    poc_wipe(iv, sizeof(iv));
    return err;
}

/* ---- receiving ---- */

static bool was_seen(const stream *heard, uint32_t index)
{
    if (index > heard->index)
        return false;
    const uint32_t back = heard->index - index;
    return back >= WINDOW || (heard->seen[back / 64] >> back % 64 & 1) != 0;
}

static void window_move(stream *heard, uint32_t steps)
{
    uint64_t *seen = heard->seen;
    if (steps >= 64) {
        seen[1] = steps < WINDOW ? seen[0] << (steps - 64) : 0;
        seen[0] = 0;
    } else if (steps > 0) {
        seen[1] = seen[1] << steps | seen[0] >> (64 - steps);
        seen[0] <<= steps;
    }
}

static void remember(stream *heard, uint32_t index)
{
    if (index > heard->index) {
        window_move(heard, index - heard->index);
        heard->index = index;
    }
    const uint32_t back = heard->index - index;
    heard->seen[back / 64] |= UINT64_C(1) << back % 64;
}

static poc_err packet_open(const mcx_srtcp *s, uint8_t *out, const mcx_srtcp_view *view, poc_span packet)
{
    uint8_t iv[POC_GCM_NONCE_LEN], aad[HEADER_LEN + 4];
    const poc_span sealed = poc_span_of(packet.p + HEADER_LEN, packet.n - HEADER_LEN - TRAILER_LEN);
    memcpy(out, packet.p, HEADER_LEN);
    aad_make(aad, packet.p, E_FLAG | view->index);
    iv_make(iv, s, view->ssrc, view->index);
    const poc_err err = poc_gcm_open_iv(out + HEADER_LEN, session_key_of(s), poc_span_of(iv, sizeof(iv)),
                                        poc_span_of(aad, sizeof(aad)), sealed);
    poc_wipe(iv, sizeof(iv));
    return err;
}

poc_err mcx_srtcp_unprotect(mcx_srtcp *s, uint8_t *out, size_t *n, poc_span packet)
{
    mcx_srtcp_view view;
    POC_TRY(mcx_srtcp_look(&view, packet));
    if (view.key_id != s->key_id)
        return POC_E_INPUT;
    stream *heard = stream_find(s, view.ssrc);
    if (heard != NULL && (heard->is_ours || was_seen(heard, view.index)))
        return POC_E_AUTH;
    POC_TRY(packet_open(s, out, &view, packet));
    if (heard == NULL)
        POC_TRY(stream_add(&heard, s, view.ssrc, false, view.index));
    remember(heard, view.index);
    *n = packet.n - MCX_SRTCP_OVERHEAD;
    return POC_OK;
}
