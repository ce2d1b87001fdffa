/* Prints what happens while it happens, a line for each thing worth one. */
#ifndef TESTS_HARNESS_TIMELINE_H
#define TESTS_HARNESS_TIMELINE_H

#include <stdio.h>

#include "tests/harness/record.h"

typedef struct timeline {
    FILE *out;
    bool colour;
    int talker; /* client whose speech was announced, -1: none */
    int64_t last_sent_us;
    bool heard_by[WORLD_CLIENTS_MAX]; /* by multicast, for "hears" lines */
    bool hears[WORLD_CLIENTS_MAX];
    poc_mki
        on_air[RECORD_CHANNELS_MAX]; /* of the last media packet; a channel is known by the group part of its MSK ids */
    size_t on_air_count;
} timeline;

void timeline_init(timeline *t, FILE *out);
/** A record_tap_fn: `user` is the timeline. */
void timeline_see(void *user, const record *rec, const world_seen *seen);

#endif
