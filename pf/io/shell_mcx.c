/* Mission critical services: keys that clients bring over SIP on one side, the engine on the other. */
#include <stdio.h>

#include "pf/io/shell_private.h"

void shell_mcx_bound(shell *s, const pocpf_effect *e)
{
    (void)s;
    log_event(LOG_LEVEL_INFO, e->u.bound.ok ? "csk_bound" : "csk_not_kept", LOG_TEXT("user", e->user),
              LOG_ID("csk_id", e->u.bound.csk_id));
}

void shell_mcx_download(shell *s, const pocpf_effect *e)
{
    char impu[POC_URI_MAX];
    const uint64_t number = e->u.download.number;
    (void)snprintf(impu, sizeof(impu), "%s", e->user);
    (void)pocpf_download_answered(s->pf, io_now_ms(), impu, number, false);
}
