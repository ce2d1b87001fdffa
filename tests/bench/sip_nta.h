/* The yardstick of SIP: a server on Sofia's transaction layer that does nothing but hold dialogs and send an UPDATE in each. */
#ifndef TESTS_BENCH_SIP_NTA_H
#define TESTS_BENCH_SIP_NTA_H

#include <sofia-sip/su_wait.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sip_nta sip_nta;

/** Takes up to `members` dialogs: 200 to an INVITE, and when that is acknowledged an UPDATE. NULL when it cannot. */
sip_nta *sip_nta_new(su_root_t *root, size_t members);
void sip_nta_free(sip_nta *n);
uint16_t sip_nta_port(const sip_nta *n);
/** As many as have taken an UPDATE since the last sip_nta_update, or since the start. */
size_t sip_nta_updated(const sip_nta *n);
/** An UPDATE with a ready-made description in every dialog, a hundred unanswered at most. */
void sip_nta_update(sip_nta *n);

#endif
