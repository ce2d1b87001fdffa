/* The yardsticks of `pocbench mikey`. */
#ifndef TESTS_BENCH_PEERS_MIKEY_H
#define TESTS_BENCH_PEERS_MIKEY_H

#include "mikey/mikey.h"

/** The computing of one MSK message with OpenSSL's EVP interface, as one would first write it. */
typedef struct evp_mikey evp_mikey;

/** With `prefetched` algorithms and contexts are made once, else for every message. NULL when OpenSSL refuses. */
evp_mikey *evp_mikey_new(bool prefetched, mikey_context context);
void evp_mikey_free(evp_mikey *e);
/** Fills the last `plain.n` + 21 octets of a ready message of `n` octets: encrypted key data, MAC algorithm, MAC. */
bool evp_mikey_seal(evp_mikey *e, uint8_t *message, size_t n, poc_span muk, uint32_t counter, poc_span plain);
/** The MAC of a verification message over `covered`. */
bool evp_mikey_verify(evp_mikey *e, uint8_t mac[20], poc_span muk, poc_span covered);

/** True when GStreamer was there when this was built. */
bool gst_mikey_available(void);
/** Builds and serialises a message with T, RAND and KEMAC in GStreamer, which neither encrypts nor computes a MAC.
 *  Returns its octets, 0 on failure. */
size_t gst_mikey_build(const uint8_t rand[16], uint32_t counter, const uint8_t msk[16]);

#endif
