/* What clients have published: entity-tags, so that a refresh or removal is of what is there (RFC 3903). What was published is
 * not kept here: it went where it belongs. */
#include <stdlib.h>
#include <string.h>

#include "pf/io/sip_private.h"

enum { SLOTS = 4 }; /* clients of one IMPU that publish; one more takes the place of who is the nearest to expire */

typedef struct publisher {
    struct {
        char etag[SIP_ETAG_SIZE];
        int64_t expires_ms; /* 0: free */
    } slot[SLOTS];
    char impu[];
} publisher;

static publisher *publisher_of(const sip *s, const char *impu)
{
    return poc_table_get(&s->mcx->publishers, poc_span_str(impu));
}

/** SLOTS: none. */
static size_t slot_of(const publisher *p, const char *etag)
{
    for (size_t i = 0; p != NULL && etag != NULL && i < SLOTS; i++)
        if (p->slot[i].expires_ms > sip_now_ms() && strcmp(p->slot[i].etag, etag) == 0)
            return i;
    return SLOTS;
}

static size_t slot_to_take(const publisher *p)
{
    size_t first = 0;
    for (size_t i = 1; i < SLOTS; i++)
        if (p->slot[i].expires_ms < p->slot[first].expires_ms)
            first = i;
    return first;
}

static bool is_over(const publisher *p)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (p->slot[i].expires_ms > sip_now_ms())
            return false;
    return true;
}

static void forget(sip *s, publisher *p)
{
    (void)poc_table_remove(&s->mcx->publishers, poc_span_str(p->impu));
    free(p);
}

static void sweep(sip *s)
{
    publisher *p;
    for (size_t at = 0; (p = poc_table_next(&s->mcx->publishers, &at)) != NULL;)
        if (is_over(p))
            forget(s, p);
}

static publisher *publisher_new(sip *s, const char *impu)
{
    sip_mcx *x = s->mcx;
    const size_t n = strlen(impu) + 1;
    if (x->publishers.count >= x->publishers_max)
        sweep(s);
    publisher *p = x->publishers.count < x->publishers_max ? calloc(1, sizeof(*p) + n) : NULL;
    if (p == NULL)
        return NULL;
    memcpy(p->impu, impu, n);
    if (poc_table_put(&x->publishers, poc_span_str(p->impu), p) == POC_OK)
        return p;
    free(p);
    return NULL;
}

bool sip_publish_is_known(const sip *s, const char *impu, const char *if_match)
{
    return slot_of(publisher_of(s, impu), if_match) < SLOTS;
}

void sip_publish_put(sip *s, const char *impu, const char *if_match, uint32_t expires_s, char etag[SIP_ETAG_SIZE])
{
    uint8_t octets[SIP_ETAG_SIZE / 2];
    su_randmem(octets, sizeof(octets));
    poc_wr wr = poc_wr_into(etag, SIP_ETAG_SIZE);
    poc_hex_put(&wr, poc_span_of(octets, sizeof(octets)));
    (void)poc_wr_text(&wr);
    publisher *p = publisher_of(s, impu);
    if (p == NULL && (p = publisher_new(s, impu)) == NULL)
        return; /* its refresh will be 412, and the client publishes anew */
    size_t i = slot_of(p, if_match);
    if (i == SLOTS)
        i = slot_to_take(p);
    memcpy(p->slot[i].etag, etag, SIP_ETAG_SIZE);
    p->slot[i].expires_ms = sip_now_ms() + (int64_t)expires_s * 1000;
}

void sip_publish_remove(sip *s, const char *impu, const char *if_match)
{
    publisher *p = publisher_of(s, impu);
    const size_t i = slot_of(p, if_match);
    if (i < SLOTS)
        p->slot[i].expires_ms = 0;
    if (p != NULL && is_over(p))
        forget(s, p);
}

void sip_publish_free_all(sip *s)
{
    publisher *p;
    for (size_t at = 0; (p = poc_table_next(&s->mcx->publishers, &at)) != NULL;)
        free(p);
    poc_table_done(&s->mcx->publishers);
}
