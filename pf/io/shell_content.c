/* What goes through between clients and the core in the documents of mission critical services. */
#include "pf/io/shell_private.h"

poc_err shell_content(void *user, const char *who, bool from_client, poc_span content_type, poc_span body,
                      wire_mcx_carried *out)
{
    const shell *s = (const shell *)user;
    return from_client ? wire_mcx_carry_up(out, s->pf, who, content_type, body, &poc_rng_system)
                       : wire_mcx_carry_down(out, s->pf, who, content_type, body, &poc_rng_system);
}
