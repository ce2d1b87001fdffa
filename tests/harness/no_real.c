/* Stands in for the real world in a build without ue/io. */
#include <stdio.h>

#include "tests/harness/world.h"

poc_err world_real(world **out, const world_settings *settings)
{
    (void)settings;
    *out = NULL;
    fprintf(stderr, "pocsim: the real world is not in this build\n");
    return POC_E_STATE;
}
