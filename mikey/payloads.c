#include "mikey/payloads.h"

#define PSK   MIKEY_IN(MIKEY_PSK)
#define VERIF MIKEY_IN(MIKEY_PSK_VERIFICATION)
#define ERROR MIKEY_IN(MIKEY_ERROR)
#define SAKKE MIKEY_IN(MIKEY_I_MESSAGE)

/* What has no row here is refused: the length of an unknown payload is unknown, so it cannot be skipped either.
 * More than two ID payloads, or more than one in a verification message, are refused by the ID decoder. */
static const mikey_payload_kind kinds[] = {
    { MIKEY_EXT, "EXT", PSK | VERIF | ERROR | SAKKE, MIKEY_PAYLOADS_MAX, false, false, mikey_ext_decode },
    { MIKEY_T, "T", PSK | VERIF | ERROR | SAKKE, 1, false, false, mikey_t_decode },
    { MIKEY_RAND, "RAND", PSK | SAKKE, 1, false, false, mikey_rand_decode },
    { MIKEY_ID, "ID", PSK | VERIF, 2, false, false, mikey_id_decode },
    { MIKEY_SP, "SP", PSK | ERROR | SAKKE, MIKEY_PAYLOADS_MAX, false, false, mikey_sp_decode },
    { MIKEY_ERR, "ERR", ERROR, MIKEY_PAYLOADS_MAX, false, false, mikey_err_decode },
    { MIKEY_KEMAC, "KEMAC", PSK, 1, true, false, mikey_kemac_decode },
    { MIKEY_V, "V", VERIF | ERROR, 1, true, false, mikey_v_decode },
    { MIKEY_IDR, "IDR", SAKKE, 4, false, false, mikey_idr_decode },
    { MIKEY_SAKKE, "SAKKE", SAKKE, 1, false, false, mikey_sakke_decode },
    { MIKEY_SIGN, "SIGN", SAKKE, 1, true, true, mikey_sign_decode },
};
_Static_assert(POC_COUNT(kinds) == MIKEY_KINDS_MAX, "the walk counts payloads by row");

const mikey_payload_kind *mikey_payload_kind_of(uint8_t type, size_t *index)
{
    for (size_t i = 0; i < POC_COUNT(kinds); i++) {
        if (kinds[i].type != type)
            continue;
        if (index != NULL)
            *index = i;
        return &kinds[i];
    }
    return NULL;
}

const char *mikey_payload_name(uint8_t type)
{
    const mikey_payload_kind *kind = mikey_payload_kind_of(type, NULL);
    return kind == NULL ? "unknown" : kind->name;
}

poc_err mikey_refuse(poc_fault *fault, size_t offset, const char *reason)
{
    if (fault != NULL)
        *fault = (poc_fault){ offset, reason };
    return POC_E_INPUT;
}
