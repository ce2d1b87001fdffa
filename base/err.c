#include "base/err.h"

const char *poc_err_name(poc_err err)
{
    static const char *const names[POC_E_COUNT] = {
        [POC_OK] = "ok",           [POC_E_INPUT] = "input", [POC_E_AUTH] = "auth",
        [POC_E_DENIED] = "denied", [POC_E_STATE] = "state", [POC_E_LIMIT] = "limit",
        [POC_E_NOMEM] = "nomem",   [POC_E_IO] = "io",       [POC_E_BUG] = "bug",
    };
    return (unsigned)err < POC_E_COUNT ? names[err] : "unknown";
}

void *poc_release_(void **at)
{
    void *given = *at;
    *at = NULL;
    return given;
}
