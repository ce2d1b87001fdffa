/* How MSK messages are sealed in bulk, private to this room: what members share, made once, and the ways from there to
 * the same octets. */
#ifndef MIKEY_SEAL_H
#define MIKEY_SEAL_H

#include "base/lanes.h"
#include "mikey/keys.h"
#include "mikey/mikey.h"

#define MIKEY_PLAIN_MAX 32u /* octets of an MSK's key data: 26, or none */

/** Everything that is the same for all members of a channel. */
typedef struct mikey_msk_template {
    uint32_t csb_id;
    uint8_t head[MIKEY_MESSAGE_MAX]; /* up to the octets of IDr, with holes for counter and length */
    size_t head_len, counter_at, idr_len_at;
    uint8_t tail[128]; /* behind IDr and up to the MAC, with a hole for the encrypted key data */
    size_t tail_len;
    uint8_t plain[MIKEY_PLAIN_MAX]; /* holds the MSK: wiped */
    size_t plain_len;
    mikey_transport transport; /* labels; the portable path re-keys it for every member: wiped */
} mikey_msk_template;

/** Writes a job's message but for key data and MAC, and sets its length. POC_E_BUG: no MUK; POC_E_LIMIT: no room. */
poc_err mikey_msk_lay_out(const mikey_msk_template *m, mikey_msk_job *job);
/** Seals as mikey_msk_seal, as many members at once as the kernel has lanes; sets len and err of each job. */
void mikey_msk_seal_lanes(const mikey_msk_template *m, const poc_lanes_kernel *k, mikey_msk_job *jobs, size_t n);

/** The ways; what a machine can do is decided when it runs. */
typedef enum mikey_seal_path {
    MIKEY_SEAL_PORTABLE, /* one after another, all with OpenSSL */
    MIKEY_SEAL_SHA_NI,
    MIKEY_SEAL_AVX512,
    MIKEY_SEAL_PATHS
} mikey_seal_path;

/** "portable", "sha-ni", "avx-512". */
const char *mikey_seal_path_name(mikey_seal_path path);
bool mikey_seal_path_is_here(mikey_seal_path path);
/** mikey_msk_seal by a path of the caller's choice, for tests and benchmarks. POC_E_BUG for all where it is not here. */
poc_err mikey_msk_seal_by(mikey_seal_path path, const mikey_msk_params *params, const poc_secret *msk,
                          mikey_msk_job *jobs, size_t n);

#endif
