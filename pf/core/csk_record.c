/* Client-server keys at rest.
 *
 *   'k' IMPU 00 service(1) -> 2, length(2) service id, length(2) KMS, uploaded_ntp_s(8), 3 x key: current, previous, next
 *       key: has(1), id(4), CS-ID(1), algorithm(4), expires_ms(8), sent_s(8), length(1) RAND, length(1) sealed key
 *
 * A sealed key is nonce, ciphertext and tag of AES-256-GCM under the store key, with IMPU 00 service and all of the value that
 * stands in front of it as associated data: whoever the key is said to be of, for what and since when is as true as the key. (The
 * index of what goes to him follows from that time.) In layout 1 it was IMPU 00 service alone. */
#include <string.h>

#include "pf/core/csk.h"

void book_put_key(poc_wr *wr, const core_durable *d)
{
    const core_book *b = (const core_book *)(const void *)d;
    poc_wr_span(wr, book_label_of(b));
}

static void put_text(poc_wr *wr, const char *text)
{
    const poc_span s = poc_span_str(text);
    poc_wr_u16(wr, (uint16_t)s.n);
    poc_wr_span(wr, s);
}

enum {
    CSK_ROOM = 28 + MIKEY_RAND_MAX + CORE_CSK_ROOM, /* octets of a key and what is said of it */
    AAD_ROOM = CORE_NAME_MAX + 2 + 13 + 2 * MCX_URI_MAX + 3 * CSK_ROOM
};

static poc_err aad_make(poc_span *out, uint8_t room[AAD_ROOM], const core_book *b, poc_span said)
{
    poc_wr wr = poc_wr_into(room, AAD_ROOM);
    poc_wr_span(&wr, book_label_of(b));
    poc_wr_span(&wr, said);
    *out = poc_span_of(room, wr.len);
    return poc_wr_done(&wr);
}

/* Sealed afresh each time, with what `wr` has of the value so far. */
static poc_err seal(core_engine *e, poc_wr *wr, size_t start, const core_book *b, const core_csk *k)
{
    const size_t len = poc_secret_len(k->key);
    uint8_t nonce[POC_GCM_NONCE_LEN], aad_room[AAD_ROOM];
    poc_span aad;
    if (wr->overflow)
        return POC_E_LIMIT;
    POC_TRY(aad_make(&aad, aad_room, b, poc_span_of(wr->buf + start, wr->len - start)));
    POC_TRY(e->set.rng.fill(e->set.rng.ctx, nonce, sizeof(nonce)));
    poc_wr_u8(wr, (uint8_t)(sizeof(nonce) + len + POC_GCM_TAG_LEN));
    poc_wr_put(wr, nonce, sizeof(nonce));
    uint8_t *room = poc_wr_room(wr, len + POC_GCM_TAG_LEN);
    if (room == NULL)
        return POC_E_LIMIT;
    return poc_gcm_seal(room, poc_secret_span(e->set.store_key), nonce, aad, poc_secret_span(k->key));
}

static poc_err put_csk(core_engine *e, poc_wr *wr, size_t start, const core_book *b, const core_csk *k)
{
    poc_wr_u8(wr, k != NULL);
    if (k == NULL)
        return POC_OK;
    poc_wr_u32(wr, k->id);
    poc_wr_u8(wr, k->cs_id);
    poc_wr_u8(wr, k->algorithm.encr);
    poc_wr_u8(wr, k->algorithm.key_len);
    poc_wr_u8(wr, k->algorithm.salt_len);
    poc_wr_u8(wr, k->algorithm.tag_len);
    poc_wr_u64(wr, (uint64_t)k->expires_ms);
    poc_wr_u64(wr, (uint64_t)k->sent_s);
    poc_wr_u8(wr, k->rand_len);
    poc_wr_put(wr, k->rand, k->rand_len);
    return seal(e, wr, start, b, k);
}

poc_err book_put_value(core_engine *e, poc_wr *wr, const core_durable *d)
{
    const core_book *b = (const core_book *)(const void *)d;
    const size_t start = wr->len - 1; /* with the layout */
    put_text(wr, b->mc_id);
    put_text(wr, b->kms_uri);
    poc_wr_u64(wr, b->uploaded_ntp_s);
    POC_TRY(put_csk(e, wr, start, b, b->current));
    POC_TRY(put_csk(e, wr, start, b, b->previous));
    return put_csk(e, wr, start, b, b->next);
}

static poc_err open_sealed(const core_engine *e, poc_span aad, poc_span sealed, poc_secret **out)
{
    const size_t around = POC_GCM_NONCE_LEN + POC_GCM_TAG_LEN;
    if (sealed.n != around + 16 && sealed.n != around + 32)
        return POC_E_INPUT;
    POC_OWNED(poc_secret, key, poc_secret_free);
    POC_TRY(poc_secret_new(&key, sealed.n - around));
    POC_TRY(poc_gcm_open(poc_secret_edit(key), poc_secret_span(e->set.store_key), sealed.p, aad,
                         poc_span_of(sealed.p + POC_GCM_NONCE_LEN, sealed.n - POC_GCM_NONCE_LEN)));
    *out = POC_RELEASE(key);
    return POC_OK;
}

static poc_err read_fields(poc_rd *rd, core_csk *k, poc_span *rand, poc_span *sealed)
{
    uint64_t expires, sent;
    uint8_t n;
    POC_TRY(poc_rd_u32(rd, &k->id));
    POC_TRY(poc_rd_u8(rd, &k->cs_id));
    POC_TRY(poc_rd_u8(rd, &k->algorithm.encr));
    POC_TRY(poc_rd_u8(rd, &k->algorithm.key_len));
    POC_TRY(poc_rd_u8(rd, &k->algorithm.salt_len));
    POC_TRY(poc_rd_u8(rd, &k->algorithm.tag_len));
    POC_TRY(poc_rd_u64(rd, &expires));
    POC_TRY(poc_rd_u64(rd, &sent));
    k->expires_ms = (int64_t)expires;
    k->sent_s = (int64_t)sent;
    POC_TRY(poc_rd_u8(rd, &n));
    POC_TRY(poc_rd_span(rd, rand, n));
    POC_TRY(poc_rd_u8(rd, &n));
    return poc_rd_span(rd, sealed, n);
}

static poc_err read_csk(core_engine *e, core_book *b, poc_rd *rd, core_csk **slot)
{
    core_csk fields = { 0 };
    poc_span rand, sealed, aad;
    uint8_t has, aad_room[AAD_ROOM];
    POC_TRY(poc_rd_u8(rd, &has));
    if (!has)
        return POC_OK;
    POC_TRY(read_fields(rd, &fields, &rand, &sealed));
    POC_OWNED(poc_secret, key, poc_secret_free);
    const size_t said = rd->origin[0] == CORE_LAYOUT_CSK ? (size_t)(sealed.p - 1 - rd->origin) : 0;
    POC_TRY(aad_make(&aad, aad_room, b, poc_span_of(rd->origin, said)));
    POC_TRY(open_sealed(e, aad, sealed, &key));
    core_csk *k;
    POC_TRY(csk_make(&k, key, fields.id, rand));
    k->cs_id = fields.cs_id;
    k->algorithm = fields.algorithm;
    k->expires_ms = fields.expires_ms;
    k->sent_s = fields.sent_s;
    k->is_bound = true;
    const poc_err err = csk_list(e->mcx, b, k);
    if (err == POC_OK)
        *slot = k;
    else
        csk_free(k);
    return err;
}

static poc_err read_text(poc_rd *rd, poc_span *out)
{
    uint16_t n;
    POC_TRY(poc_rd_u16(rd, &n));
    if (n > MCX_URI_MAX)
        return POC_E_INPUT;
    return poc_rd_span(rd, out, n);
}

static poc_err fill(core_engine *e, core_book *b, poc_rd *rd)
{
    poc_span mc_id, kms_uri;
    POC_TRY(read_text(rd, &mc_id));
    POC_TRY(read_text(rd, &kms_uri));
    POC_TRY(book_name(b, mc_id, kms_uri));
    POC_TRY(poc_rd_u64(rd, &b->uploaded_ntp_s));
    POC_TRY(read_csk(e, b, rd, &b->current));
    POC_TRY(read_csk(e, b, rd, &b->previous));
    POC_TRY(read_csk(e, b, rd, &b->next));
    POC_TRY(poc_rd_end(rd));
    b->is_restored = true;
    return b->current != NULL ? POC_OK : POC_E_INPUT;
}

static poc_err read_label(poc_rd *rd, poc_span *impu, uint8_t *service)
{
    uint8_t terminator;
    if (rd->left < 3 || rd->left > CORE_NAME_MAX + 2u)
        return POC_E_INPUT;
    POC_TRY(poc_rd_span(rd, impu, rd->left - 2));
    POC_TRY(poc_rd_u8(rd, &terminator));
    POC_TRY(poc_rd_u8(rd, service));
    const bool is_text = terminator == 0 && memchr(impu->p, 0, impu->n) == NULL;
    return is_text && *service < MCX_SERVICES ? POC_OK : POC_E_INPUT;
}

poc_err book_read(core_engine *e, poc_rd *key, poc_rd *value)
{
    core_mcx *x;
    core_book *b;
    poc_span impu;
    uint8_t service;
    POC_TRY(read_label(key, &impu, &service));
    POC_TRY(mcx_side(e, &x));
    if (book_find(e, impu, service) != NULL)
        return POC_E_STATE;
    POC_TRY(book_make(e, &b, impu, service));
    const poc_err err = fill(e, b, value);
    if (err != POC_OK) {
        book_strike(e, b);
        book_free(b);
    }
    return err;
}
