/* The identifiers of keys, as TS 33.246 and RFC 4563 name them. Plain values, no secrets. */
#ifndef BASE_IDENT_H
#define BASE_IDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define POC_KEY_DOMAIN_LEN 3u
#define POC_MSK_ID_LEN     4u
#define POC_MTK_ID_LEN     2u
#define POC_MKI_LEN        6u /* MSK ID || MTK ID */
#define POC_MSK_LEN        16u
#define POC_MUK_LEN        32u
#define POC_MTK_LEN        16u
#define POC_MTK_SALT_LEN   14u
#define POC_BTID_MAX       160u /* octets of B-TID text, without terminator */

/** Key Domain ID: opaque octets, compared, never interpreted. */
typedef struct poc_key_domain {
    uint8_t b[POC_KEY_DOMAIN_LEN];
} poc_key_domain;

bool poc_key_domain_eq(poc_key_domain a, poc_key_domain b);

/** MSK ID = Key Group part (high half) || Key Number part (low half); number 0 means "the current one". */
typedef uint32_t poc_msk_id;

static inline poc_msk_id poc_msk_id_of(uint16_t group, uint16_t number)
{
    return (uint32_t)group << 16 | number;
}
static inline uint16_t poc_msk_group(poc_msk_id id)
{
    return (uint16_t)(id >> 16);
}
static inline uint16_t poc_msk_number(poc_msk_id id)
{
    return (uint16_t)id;
}

/** The MKI of an SRTP or SRTCP packet: which MSK and which MTK under it. */
typedef struct poc_mki {
    poc_msk_id msk_id;
    uint16_t mtk_id;
} poc_mki;

static inline bool poc_mki_eq(poc_mki a, poc_mki b)
{
    return a.msk_id == b.msk_id && a.mtk_id == b.mtk_id;
}
void poc_mki_write(uint8_t out[POC_MKI_LEN], poc_mki mki);
poc_mki poc_mki_read(const uint8_t in[POC_MKI_LEN]);

/** a > b in the serial-number arithmetic of RFC 1982, as MIKEY counters are compared. */
static inline bool poc_serial_after(uint32_t a, uint32_t b)
{
    return a != b && (uint32_t)(a - b) < UINT32_C(0x80000000);
}

#endif
