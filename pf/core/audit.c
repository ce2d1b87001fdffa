/* The words of the audit log, one row each: the same run gives the same text. */
#include "pf/core/core.h"

static const char *const audit_names[CORE_AUDIT_COUNT] = {
    [CORE_AUDIT_MEMBER_IN] = "member_in",
    [CORE_AUDIT_MEMBER_CONFIRMED] = "member_confirmed",
    [CORE_AUDIT_MEMBER_UNICAST] = "member_unicast",
    [CORE_AUDIT_MEMBER_LEFT] = "member_left",
    [CORE_AUDIT_MEMBER_EXPELLED] = "member_expelled",
    [CORE_AUDIT_REKEY_STARTED] = "rekey_started",
    [CORE_AUDIT_REKEY_SWITCHED] = "rekey_switched",
    [CORE_AUDIT_REKEY_CANCELLED] = "rekey_cancelled",
    [CORE_AUDIT_CHANNEL_STARTED] = "channel_started",
    [CORE_AUDIT_CHANNEL_STOPPED] = "channel_stopped",
    [CORE_AUDIT_CHANNEL_FAILED] = "channel_failed",
    [CORE_AUDIT_BLIND] = "blind",
    [CORE_AUDIT_SIGHTED] = "sighted",
    [CORE_AUDIT_REFUSED] = "refused",
    [CORE_AUDIT_STORE_FAILED] = "store_failed",
    [CORE_AUDIT_MEMBER_REGISTERED] = "member_registered",
    [CORE_AUDIT_MEMBER_DEREGISTERED] = "member_deregistered",
    [CORE_AUDIT_MEMBER_STALE] = "member_stale",
    [CORE_AUDIT_MEMBER_PULLED] = "member_pulled",
    [CORE_AUDIT_MEMBER_SOLICITED] = "member_solicited",
    [CORE_AUDIT_MEMBER_ADMITTED] = "member_admitted",
    [CORE_AUDIT_CSK_BOUND] = "csk_bound",
    [CORE_AUDIT_CSK_CHANGED] = "csk_changed",
    [CORE_AUDIT_CSK_LOGGED_OFF] = "csk_logged_off",
    [CORE_AUDIT_KEY_REVOKED] = "key_revoked",
};

static const char *const reason_names[CORE_REASON_COUNT] = {
    [CORE_REASON_NONE] = "none",         [CORE_REASON_EXPEL] = "expel",       [CORE_REASON_LEAVE] = "leave",
    [CORE_REASON_JOIN] = "join",         [CORE_REASON_INTERVAL] = "interval", [CORE_REASON_MAX_MTK] = "max_mtk",
    [CORE_REASON_OPERATOR] = "operator", [CORE_REASON_BLIND] = "blind",       [CORE_REASON_RESTART] = "restart",
    [CORE_REASON_RECOVERY] = "recovery",
};

const char *core_audit_name(core_audit audit)
{
    return (unsigned)audit < CORE_AUDIT_COUNT && audit_names[audit] != NULL ? audit_names[audit] : "unknown";
}

const char *core_reason_name(core_reason reason)
{
    return (unsigned)reason < CORE_REASON_COUNT ? reason_names[reason] : "unknown";
}
