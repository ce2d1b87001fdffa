/* What a run amounts to, in the words of the contract, section 6: rekeys with their exposure and gap, and what each
 * client heard. Computed from outside the PF, out of the observations alone. */
#ifndef TESTS_HARNESS_MEASURE_H
#define TESTS_HARNESS_MEASURE_H

#include "tests/harness/record.h"

#define MEASURE_NEVER INT64_MIN /* a time that did not come */

typedef struct measure_rekey {
    int channel;
    const char
        *reason; /* constant text: "expel", "leave", "join", "operator", "restart", "interval", "max-mtk", "other" */
    poc_msk_id old_id, new_id;
    int64_t start_us;  /* the trigger of an expulsion, else the first client that got the new MSK, else its trigger */
    int64_t switch_us; /* the first datagram under the new MSK */
    uint32_t members, confirmed;
    uint64_t unreached;  /* a bit for each member without the new MSK when the deadline forced the switch */
    int64_t exposure_us; /* the longest of those expelled; MEASURE_NEVER when nobody was */
    uint32_t gap_packets;
} measure_rekey;

typedef struct measure_client {
    uint32_t packets_on_air; /* media on its channel from its first stay on the group on */
    uint32_t packets_played, packets_by_multicast;
    uint32_t gap_packets;
    int64_t first_us, last_us;                /* played; MEASURE_NEVER */
    int64_t joining_us;                       /* told to join last; MEASURE_NEVER */
    int64_t first_multicast_us, first_any_us; /* the first packet after that; MEASURE_NEVER */
    int64_t expelled_us;                      /* last; MEASURE_NEVER */
    int64_t exposure_us;                      /* of that expulsion */
    int64_t switch_us;                        /* the first datagram under another MSK after it; MEASURE_NEVER */
    uint32_t on_air_after_switch, opened_after_switch;
} measure_client;

typedef struct measure {
    measure_rekey *rekeys; /* owned */
    size_t rekey_count;
    measure_client clients[WORLD_CLIENTS_MAX];
    uint32_t media_on_air, in_clear;
} measure;

/** POC_E_NOMEM; `*out` is then empty. */
poc_err measure_run(measure *out, const record *rec);
void measure_done(measure *m);
/** Newer MSKs that clients of the channel got, or that came on air, in that time. */
uint32_t measure_new_msks(const record *rec, int channel, int64_t since_us, int64_t until_us);
/** Of those wanted (a bit each) who does not hold the MSK that is on air in the channel, or else who was ever given it and is
 *  not wanted: the client, and in `*how` which of the two. -1: nobody. */
int measure_wrong_holder(const record *rec, int channel, uint64_t wanted, const char **how);

#endif
