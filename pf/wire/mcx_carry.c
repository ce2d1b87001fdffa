/* Bodies of requests that go through the server between a client and the core: their protection under the CSK ends and begins here
 * (TS 33.180 9.3). Signatures are checked and taken off, what is encrypted is carried on in clear, and back. A body that has
 * neither is none of our affair. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pf/wire/air.h"
#include "pf/wire/mcx_content.h"

enum { KEYS_MAX = 4, KEY_NAME_MAX = 32 };

/* ---- keys ---- */

typedef struct key_ring {
    poc_secret *secrets[KEYS_MAX][2];
    wire_mcx_keys keys[KEYS_MAX];
    wire_mcx_ring ring;
} key_ring;

static void ring_done(key_ring *r)
{
    for (size_t i = 0; i < KEYS_MAX; i++) {
        poc_secret_free(r->secrets[i][0]);
        poc_secret_free(r->secrets[i][1]);
    }
}

/* A key that this user does not have is left out: what it protects will not open. */
static poc_err ring_add(key_ring *r, const pocpf *pf, const char *user, uint32_t csk_id)
{
    pocpf_csk_status csk = { .size = sizeof(csk) };
    const size_t i = r->ring.count;
    if (i == KEYS_MAX || pocpf_csk_look(pf, user, csk_id, &csk) != POCPF_OK)
        return POC_OK;
    poc_secret **of = r->secrets[i];
    POC_TRY(mcx_xml_keys(&of[0], &of[1], (const poc_secret *)csk.key, csk.csk_id, poc_span_str(csk.mc_id)));
    r->keys[i] = (wire_mcx_keys){ csk.csk_id, of[0], of[1] };
    r->ring = (wire_mcx_ring){ r->keys, i + 1 };
    return POC_OK;
}

static bool ring_has(const key_ring *r, uint32_t id)
{
    for (size_t i = 0; i < r->ring.count; i++)
        if (r->keys[i].key_id == id)
            return true;
    return false;
}

/* The id that stands behind "KeyName...>"; which element that is shows when the document is read. */
static bool key_id_at(uint32_t *out, poc_span text)
{
    const uint8_t *from = memchr(text.p, '>', text.n);
    uint8_t octets[4];
    size_t n = 0;
    if (from == NULL)
        return false;
    poc_span rest = poc_span_of(from + 1, text.n - (size_t)(from + 1 - text.p));
    const poc_span name = poc_split(&rest, '<');
    if (name.n > KEY_NAME_MAX || !mcx_base64_take(octets, sizeof(octets), &n, name) || n != sizeof(octets))
        return false;
    poc_rd rd = poc_rd_over(poc_span_of(octets, n), NULL);
    return poc_rd_u32(&rd, out) == POC_OK;
}

/* Those keys of the user that the body names. */
static poc_err ring_of(key_ring *r, const pocpf *pf, const char *user, poc_span body)
{
    static const char mark[] = "KeyName";
    for (const uint8_t *at; (at = memmem(body.p, body.n, mark, sizeof(mark) - 1)) != NULL;) {
        uint32_t id;
        at += sizeof(mark) - 1;
        body = poc_span_of(at, body.n - (size_t)(at - body.p));
        if (key_id_at(&id, body) && id != 0 && !ring_has(r, id))
            POC_TRY(ring_add(r, pf, user, id));
    }
    return POC_OK;
}

/* ---- parts ---- */

typedef struct carrying {
    poc_parts parts;
    uint8_t *rooms[POC_PARTS_MAX]; /* of parts that are written again */
    bool has_changed;
    const poc_rng *rng;
    const char *why;
} carrying;

static void carrying_free(carrying *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < POC_PARTS_MAX; i++)
        free(c->rooms[i]);
    free(c);
}

POC_DEFINE_OWNED(carrying, carrying_free)

static poc_err carrying_new(carrying **out, poc_span content_type, poc_span body, const poc_rng *rng)
{
    POC_OWNED(carrying, c, carrying_free);
    poc_fault fault = { 0, NULL };
    c = calloc(1, sizeof(*c));
    if (c == NULL)
        return POC_E_NOMEM;
    c->rng = rng;
    POC_TRY(poc_parts_read(&c->parts, content_type, body, &fault));
    *out = POC_RELEASE(c);
    return POC_OK;
}

static bool is_document(const poc_part *part)
{
    static const char ours[] = "application/vnd.3gpp.mc", xml[] = "+xml";
    const poc_span t = part->type;
    return t.n > sizeof(ours) + sizeof(xml) && poc_span_eq_nocase(poc_span_of(t.p, sizeof(ours) - 1), ours) &&
           poc_span_eq_nocase(poc_span_of(t.p + t.n - (sizeof(xml) - 1), sizeof(xml) - 1), xml);
}

/* The service whose signatures this part has; MCX_SERVICES: it has none. */
static mcx_service signatures_of(const poc_part *part)
{
    mcx_service s = MCX_MCPTT;
    while (s < MCX_SERVICES && !poc_span_eq_nocase(part->type, wire_mcx_media_type(WIRE_MCX_SIGNED, s)))
        s++;
    return s;
}

static poc_err document_write(carrying *c, size_t i, const wire_mcx_ring *ring, const wire_mcx_keys *keys)
{
    poc_part *part = &c->parts.part[i];
    bool has_changed = false;
    uint8_t *room = malloc(WIRE_MCX_BODY_MAX);
    c->rooms[i] = room;
    if (room == NULL)
        return POC_E_NOMEM;
    poc_wr wr = poc_wr_into(room, WIRE_MCX_BODY_MAX);
    POC_TRY(keys != NULL ? mcx_content_seal(&wr, part->body, keys, c->rng, &has_changed, &c->why)
                         : mcx_content_open(&wr, part->body, ring, &has_changed, &c->why));
    if (has_changed)
        part->body = poc_span_of(room, wr.len);
    c->has_changed |= has_changed;
    return POC_OK;
}

static poc_err documents_write(carrying *c, const wire_mcx_ring *ring, const wire_mcx_keys *keys)
{
    for (size_t i = 0; i < c->parts.count; i++) {
        const poc_part *part = &c->parts.part[i];
        if (!is_document(part) || signatures_of(part) != MCX_SERVICES)
            continue;
        c->why = "a document in base64";
        if (part->is_base64)
            return POC_E_INPUT;
        POC_TRY(document_write(c, i, ring, keys));
    }
    return POC_OK;
}

static void part_remove(poc_parts *parts, size_t at)
{
    parts->count--;
    memmove(&parts->part[at], &parts->part[at + 1], (parts->count - at) * sizeof(parts->part[0]));
}

static bool is_document_of(const poc_part *part, mcx_service service)
{
    char begin[48];
    poc_wr wr = poc_wr_into(begin, sizeof(begin));
    poc_wr_fmt(&wr, "application/vnd.3gpp.%s-", mcx_dialects[service].prefix);
    return is_document(part) && signatures_of(part) == MCX_SERVICES && poc_wr_text(&wr) == POC_OK &&
           part->type.n > wr.len && poc_span_eq_nocase(poc_span_of(part->type.p, wr.len), begin);
}

/* Who signs signs all of it: a document that was put beside them would pass for his otherwise. */
static bool are_covered(const poc_parts *parts, mcx_service service, uint32_t covered)
{
    for (size_t i = 0; i < parts->count; i++)
        if (is_document_of(&parts->part[i], service) && (covered >> i & 1u) == 0)
            return false;
    return true;
}

/* Before anything is written again: it is the octets as they came that are signed. */
static poc_err signatures_take(carrying *c, const wire_mcx_ring *ring)
{
    for (size_t i = 0; i < c->parts.count;) {
        const poc_part *part = &c->parts.part[i];
        const mcx_service service = signatures_of(part);
        uint32_t covered;
        if (service == MCX_SERVICES) {
            i++;
            continue;
        }
        POC_TRY(wire_mcx_signed_check(&covered, service, part->body, &c->parts, ring, &c->why));
        c->why = "a document without a signature beside one that has one";
        if (!are_covered(&c->parts, service, covered))
            return POC_E_AUTH;
        part_remove(&c->parts, i);
        c->has_changed = true;
    }
    return POC_OK;
}

/* ---- bodies ---- */

/* One part that stood alone stays alone. */
static poc_err body_write(carrying *c, wire_mcx_carried *out, poc_span content_type)
{
    static const char multipart[] = "multipart/";
    const size_t n = sizeof(multipart) - 1;
    poc_wr body = poc_wr_into(out->body, sizeof(out->body));
    const bool is_multipart =
        content_type.n > n && poc_span_eq_nocase(poc_span_of(poc_trim(content_type).p, n), multipart);
    c->why = "too long";
    if (is_multipart) {
        POC_TRY(mcx_multipart_write(&body, out->content_type, c->parts.part, c->parts.count, c->rng));
    } else {
        poc_wr type = poc_wr_into(out->content_type, sizeof(out->content_type));
        poc_wr_span(&type, content_type);
        POC_TRY(poc_wr_text(&type));
        poc_wr_span(&body, c->parts.part[0].body);
    }
    out->len = body.len;
    return poc_wr_done(&body);
}

static poc_err end(carrying *c, poc_err err, wire_mcx_carried *out, poc_span content_type)
{
    out->has_changed = false;
    if (err == POC_OK && c->has_changed)
        err = c->parts.count == 0 ? POC_E_INPUT : body_write(c, out, content_type);
    out->has_changed = err == POC_OK && c->has_changed;
    out->why = err == POC_OK ? "" : c->why;
    return err;
}

static bool has_csk(const pocpf *pf, const char *user)
{
    pocpf_csk_status csk = { .size = sizeof(csk) };
    return pocpf_csk_look(pf, user, 0, &csk) == POCPF_OK;
}

/** NULL in `*out` and POC_OK: he has no CSK, so nothing is changed. */
static poc_err begin(carrying **out, wire_mcx_carried *carried, const pocpf *pf, const char *user,
                     poc_span content_type, poc_span body, const poc_rng *rng)
{
    *out = NULL;
    carried->has_changed = false;
    carried->why = "";
    if (!has_csk(pf, user))
        return POC_OK;
    carried->why = "a malformed body of several parts";
    return carrying_new(out, content_type, body, rng);
}

poc_err wire_mcx_carry_up(wire_mcx_carried *out, const pocpf *pf, const char *user, poc_span content_type,
                          poc_span body, const poc_rng *rng)
{
    POC_OWNED(carrying, c, carrying_free);
    key_ring r = { .ring = { NULL, 0 } };
    POC_TRY(begin(&c, out, pf, user, content_type, body, rng));
    if (c == NULL)
        return POC_OK;
    poc_err err = ring_of(&r, pf, user, body);
    if (err == POC_OK)
        err = signatures_take(c, &r.ring);
    if (err == POC_OK)
        err = documents_write(c, &r.ring, NULL);
    ring_done(&r);
    return end(c, err, out, content_type);
}

poc_err wire_mcx_carry_down(wire_mcx_carried *out, const pocpf *pf, const char *user, poc_span content_type,
                            poc_span body, const poc_rng *rng)
{
    POC_OWNED(carrying, c, carrying_free);
    key_ring r = { .ring = { NULL, 0 } };
    POC_TRY(begin(&c, out, pf, user, content_type, body, rng));
    if (c == NULL)
        return POC_OK;
    poc_err err = ring_add(&r, pf, user, 0);
    if (err == POC_OK)
        err = documents_write(c, NULL, &r.keys[0]);
    ring_done(&r);
    return end(c, err, out, content_type);
}

poc_err wire_mcx_redescribe(wire_mcx_carried *out, poc_span content_type, poc_span body, poc_span sdp,
                            const poc_rng *rng)
{
    poc_parts parts;
    poc_fault fault = { 0, NULL };
    poc_wr wr = poc_wr_into(out->body, sizeof(out->body));
    out->has_changed = false;
    out->why = "a malformed body of several parts, or one without a description";
    POC_TRY(poc_parts_read(&parts, content_type, body, &fault));
    poc_part *description = (poc_part *)(uintptr_t)poc_part_of(&parts, "application/sdp");
    if (description == NULL)
        return POC_E_INPUT;
    description->body = sdp;
    description->is_base64 = false;
    out->why = "too long";
    POC_TRY(mcx_multipart_write(&wr, out->content_type, parts.part, parts.count, rng));
    out->len = wr.len;
    out->has_changed = true;
    out->why = "";
    return POC_OK;
}
