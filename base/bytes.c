#include "base/bytes.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

poc_span poc_span_str(const char *text)
{
    return poc_span_of(text, strlen(text));
}

bool poc_span_eq(poc_span a, poc_span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool poc_span_eq_str(poc_span a, const char *text)
{
    return poc_span_eq(a, poc_span_str(text));
}

bool poc_span_eq_nocase(poc_span a, const char *text)
{
    return a.n == strlen(text) && (a.n == 0 || strncasecmp((const char *)a.p, text, a.n) == 0);
}

poc_rd poc_rd_over(poc_span in, poc_fault *fault)
{
    if (fault != NULL)
        *fault = (poc_fault){ 0, NULL };
    return (poc_rd){ in.p, in.n, in.p, fault };
}

size_t poc_rd_offset(const poc_rd *rd)
{
    return rd->p == NULL ? 0 : (size_t)(rd->p - rd->origin);
}

void poc_rd_blame(poc_rd *rd, const char *reason)
{
    if (rd->fault != NULL && rd->fault->reason == NULL)
        *rd->fault = (poc_fault){ poc_rd_offset(rd), reason };
}

poc_err poc_rd_span(poc_rd *rd, poc_span *out, size_t n)
{
    if (n > rd->left)
        return poc_rd_fail(rd, "length exceeds what is left");
    *out = poc_span_of(rd->p, n);
    if (n > 0)
        rd->p += n;
    rd->left -= n;
    return POC_OK;
}

poc_err poc_rd_u8(poc_rd *rd, uint8_t *out)
{
    poc_span s;
    POC_TRY(poc_rd_span(rd, &s, 1));
    *out = s.p[0];
    return POC_OK;
}

poc_err poc_rd_u16(poc_rd *rd, uint16_t *out)
{
    poc_span s;
    POC_TRY(poc_rd_span(rd, &s, 2));
    *out = (uint16_t)((s.p[0] << 8) | s.p[1]);
    return POC_OK;
}

poc_err poc_rd_u32(poc_rd *rd, uint32_t *out)
{
    poc_span s;
    POC_TRY(poc_rd_span(rd, &s, 4));
    *out = ((uint32_t)s.p[0] << 24) | ((uint32_t)s.p[1] << 16) | ((uint32_t)s.p[2] << 8) | s.p[3];
    return POC_OK;
}

poc_err poc_rd_u64(poc_rd *rd, uint64_t *out)
{
    uint32_t high, low;
    if (rd->left < 8)
        return poc_rd_fail(rd, "length exceeds what is left");
    POC_TRY(poc_rd_u32(rd, &high));
    POC_TRY(poc_rd_u32(rd, &low));
    *out = ((uint64_t)high << 32) | low;
    return POC_OK;
}

poc_err poc_rd_copy(poc_rd *rd, void *out, size_t n)
{
    poc_span s;
    POC_TRY(poc_rd_span(rd, &s, n));
    if (n > 0)
        memcpy(out, s.p, n);
    return POC_OK;
}

poc_err poc_rd_take(poc_rd *rd, poc_rd *sub, size_t n)
{
    poc_span s;
    POC_TRY(poc_rd_span(rd, &s, n));
    *sub = (poc_rd){ s.p, s.n, rd->origin, rd->fault };
    return POC_OK;
}

poc_err poc_rd_end(poc_rd *rd)
{
    return rd->left == 0 ? POC_OK : poc_rd_fail(rd, "octets left over");
}

poc_wr poc_wr_into(void *buf, size_t cap)
{
    return (poc_wr){ buf, cap, 0, false };
}

uint8_t *poc_wr_room(poc_wr *wr, size_t n)
{
    if (wr->overflow || n > wr->cap - wr->len) {
        wr->overflow = true;
        return NULL;
    }
    uint8_t *at = wr->buf + wr->len;
    wr->len += n;
    return at;
}

void poc_wr_put(poc_wr *wr, const void *p, size_t n)
{
    uint8_t *at = poc_wr_room(wr, n);
    if (at != NULL && n > 0)
        memcpy(at, p, n);
}

void poc_wr_span(poc_wr *wr, poc_span s)
{
    poc_wr_put(wr, s.p, s.n);
}

void poc_wr_str(poc_wr *wr, const char *text)
{
    poc_wr_put(wr, text, strlen(text));
}

void poc_wr_u8(poc_wr *wr, uint8_t v)
{
    poc_wr_put(wr, &v, 1);
}

void poc_wr_u16(poc_wr *wr, uint16_t v)
{
    const uint8_t be[2] = { (uint8_t)(v >> 8), (uint8_t)v };
    poc_wr_put(wr, be, sizeof(be));
}

void poc_wr_u32(poc_wr *wr, uint32_t v)
{
    poc_wr_u16(wr, (uint16_t)(v >> 16));
    poc_wr_u16(wr, (uint16_t)v);
}

void poc_wr_u64(poc_wr *wr, uint64_t v)
{
    poc_wr_u32(wr, (uint32_t)(v >> 32));
    poc_wr_u32(wr, (uint32_t)v);
}

void poc_wr_fmt(poc_wr *wr, const char *fmt, ...)
{
    va_list args;
    if (wr->overflow)
        return;
    size_t room = wr->cap - wr->len;
    va_start(args, fmt);
    int need = vsnprintf((char *)wr->buf + wr->len, room, fmt, args);
    va_end(args);
    if (need < 0 || (size_t)need >= room) /* vsnprintf needs one octet for its terminator */
        wr->overflow = true;
    else
        wr->len += (size_t)need;
}

size_t poc_wr_len16_open(poc_wr *wr)
{
    size_t at = wr->len;
    poc_wr_u16(wr, 0);
    return at;
}

void poc_wr_len16_close(poc_wr *wr, size_t at)
{
    if (wr->overflow)
        return;
    size_t n = wr->len - at - 2;
    if (n > UINT16_MAX) {
        wr->overflow = true;
        return;
    }
    wr->buf[at] = (uint8_t)(n >> 8);
    wr->buf[at + 1] = (uint8_t)n;
}

poc_err poc_wr_done(const poc_wr *wr)
{
    return wr->overflow ? POC_E_LIMIT : POC_OK;
}

poc_err poc_wr_text(poc_wr *wr)
{
    poc_wr_u8(wr, 0);
    POC_TRY(poc_wr_done(wr));
    wr->len--;
    return POC_OK;
}
