/* What libpocue reports, as an observation of a world. */
#ifndef TESTS_HARNESS_UE_SEEN_H
#define TESTS_HARNESS_UE_SEEN_H

#include "tests/harness/world.h"
#include "ue/api/pocue.h"

/** Without its time. */
world_seen ue_seen(int client, const pocue_event *e);

#endif
