/* Bounded reading and writing of octets. A length read from the wire becomes a fence: the part it covers is read through
 * a sub-reader that cannot see past its own end. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/** Borrowed octets; lives as long as what it points into. */
typedef struct poc_span {
    const uint8_t *p;
    size_t n;
} poc_span;

static inline poc_span poc_span_of(const void *p, size_t n)
{
    return (poc_span){ (const uint8_t *)p, n };
}
/** The span of a C string without its terminator. */
poc_span poc_span_str(const char *text);
/** Same length and octets. Not constant-time: never for MACs or keys (poc_equal_ct in base/crypto.h). */
bool poc_span_eq(poc_span a, poc_span b);
/** Same octets as a C string. */
bool poc_span_eq_str(poc_span a, const char *text);
/** As poc_span_eq_str, ASCII letters of either case being equal. */
bool poc_span_eq_nocase(poc_span a, const char *text);

/** Where and why reading stopped; shared by a reader and all its sub-readers. `reason` is a constant string. */
typedef struct poc_fault {
    size_t offset;
    const char *reason;
} poc_fault;

typedef struct poc_rd {
    const uint8_t *p;
    size_t left;
    const uint8_t *origin; /* start of the outermost input: offsets in a fault count from here */
    poc_fault *fault;      /* may be NULL */
} poc_rd;

/** A reader over `in`; `fault` may be NULL, else it is cleared now and filled by the first failure. */
poc_rd poc_rd_over(poc_span in, poc_fault *fault);
/** Records offset and reason; the first one wins. */
void poc_rd_blame(poc_rd *rd, const char *reason);
/** The same, and returns POC_E_INPUT: in sight of whoever checks the code, to whom it is then never POC_OK. */
static inline poc_err poc_rd_fail(poc_rd *rd, const char *reason)
{
    poc_rd_blame(rd, reason);
    return POC_E_INPUT;
}
poc_err poc_rd_u8(poc_rd *rd, uint8_t *out);
poc_err poc_rd_u16(poc_rd *rd, uint16_t *out);
poc_err poc_rd_u32(poc_rd *rd, uint32_t *out);
poc_err poc_rd_u64(poc_rd *rd, uint64_t *out);
/** Copies the next `n` octets to `out`. */
poc_err poc_rd_copy(poc_rd *rd, void *out, size_t n);
/** Borrows the next `n` octets. */
poc_err poc_rd_span(poc_rd *rd, poc_span *out, size_t n);
/** A sub-reader over the next `n` octets; `rd` moves past them. */
poc_err poc_rd_take(poc_rd *rd, poc_rd *sub, size_t n);
/** POC_E_INPUT unless everything has been read. */
poc_err poc_rd_end(poc_rd *rd);
/** Octets read so far, counted from the outermost input. */
size_t poc_rd_offset(const poc_rd *rd);

/** A writer into a caller's buffer. The first overflow sticks: later writes do nothing and poc_wr_done reports it. */
typedef struct poc_wr {
    uint8_t *buf;
    size_t cap;
    size_t len;
    bool overflow;
} poc_wr;

poc_wr poc_wr_into(void *buf, size_t cap);
void poc_wr_u8(poc_wr *wr, uint8_t v);
void poc_wr_u16(poc_wr *wr, uint16_t v);
void poc_wr_u32(poc_wr *wr, uint32_t v);
void poc_wr_u64(poc_wr *wr, uint64_t v);
void poc_wr_put(poc_wr *wr, const void *p, size_t n);
void poc_wr_span(poc_wr *wr, poc_span s);
/** Appends a C string without its terminator: what poc_wr_fmt does with "%s", for writers that are called often. */
void poc_wr_str(poc_wr *wr, const char *text);
/** Appends formatted text, without terminator. */
void poc_wr_fmt(poc_wr *wr, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** Room for a 16-bit length to be filled by poc_wr_len16_close: returns the place. */
size_t poc_wr_len16_open(poc_wr *wr);
/** Fills the length opened at `at` with the octets written since; more than 65535 counts as overflow. */
void poc_wr_len16_close(poc_wr *wr, size_t at);
/** Borrows room for `n` octets to be filled by the caller; NULL on overflow. */
uint8_t *poc_wr_room(poc_wr *wr, size_t n);
/** POC_OK, or POC_E_LIMIT when anything did not fit. */
poc_err poc_wr_done(const poc_wr *wr);
/** Ends text with a terminator (not counted in `len`); POC_E_LIMIT when anything did not fit. */
poc_err poc_wr_text(poc_wr *wr);

#endif
