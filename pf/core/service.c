/* The MBMS user service (TS 33.246 6.3.2) as the engine sees it: registrations, pulls, confirmations of pushes. */
#include "pf/core/model.h"

poc_err core_registered(core_engine *e, int64_t now_ms, const core_registration *registration)
{
    (void)e, (void)now_ms, (void)registration;
    return POC_E_STATE;
}

poc_err core_deregistered(core_engine *e, int64_t now_ms, const char *channel, const char *user)
{
    (void)e, (void)now_ms, (void)channel, (void)user;
    return POC_E_STATE;
}

poc_err core_msk_requested(core_engine *e, int64_t now_ms, const core_msk_request *request)
{
    (void)e, (void)now_ms, (void)request;
    return POC_E_STATE;
}

poc_err core_push_begin(core_engine *e, int64_t now_ms)
{
    return engine_begin(e, now_ms);
}

poc_err core_push_heard(core_engine *e, const core_datagram *datagram)
{
    (void)e, (void)datagram;
    return POC_E_STATE;
}

void core_push_end(core_engine *e)
{
    engine_end(e);
}

poc_err core_solicit(core_engine *e, int64_t now_ms, const char *channel, const char *user)
{
    (void)e, (void)now_ms, (void)channel, (void)user;
    return POC_E_STATE;
}

poc_err core_admit(core_engine *e, int64_t now_ms, const char *channel, const char *user)
{
    (void)e, (void)now_ms, (void)channel, (void)user;
    return POC_E_STATE;
}
