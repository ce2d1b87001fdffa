/* Who is authorised for mission critical services: the file of users, and access tokens of an identity management server
 * (JWT, RFC 7519). Private to pf/io. */
#ifndef PF_IO_MCX_PEOPLE_H
#define PF_IO_MCX_PEOPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "mcx/mcx.h"
#include "pf/io/config.h"
#include "pf/wire/wire.h"

typedef struct mcx_people mcx_people;

/** Reads what mcx.users and mcx.token_key of `c` name; nothing of `c` is borrowed. POC_E_INPUT: `why` tells file and line, and
 *  never a token; POC_E_NOMEM. For a reload make another one. */
poc_err mcx_people_new(mcx_people **out, const config *c, char why[CONFIG_WHY_MAX]);
/** NULL is fine. */
void mcx_people_free(mcx_people *people);
POC_DEFINE_OWNED(mcx_people, mcx_people_free)
/** Users in the file. */
size_t mcx_people_count(const mcx_people *people);

/** Who presents this token, and says by SIP that he is `impu` (canonical; NULL: nobody says, as at the KMS)? Writes the MC
 *  service id. `token` "": only users with needs_token = false, by their IMPU. POC_E_AUTH: an unknown, expired or foreign
 *  token, or no user; POC_E_DENIED: the user may not use this service or this IMPU; POC_E_NOMEM. `why` (may be NULL) gets a
 *  constant text. */
poc_err mcx_people_authorise(const mcx_people *people, const char *impu, mcx_service service, const char *token,
                             int64_t now_s, char mc_id[WIRE_MCX_TEXT_MAX + 1], const char **why);
/** Might anybody be authorised under this IMPU, with whatever token? False: mcx.users names the IMPUs of everybody, and not
 *  this one; or nobody is authorised at all. */
bool mcx_people_may_be(const mcx_people *people, const char *impu);
/** Which MC service id might be behind this IMPU? It proves nothing. False: mcx.users does not say. */
bool mcx_people_known(const mcx_people *people, const char *impu, mcx_service service,
                      char mc_id[WIRE_MCX_TEXT_MAX + 1]);
/** May who was authorised under this id still use the service under this IMPU, as far as mcx.users says? */
bool mcx_people_stays(const mcx_people *people, const char *impu, mcx_service service, const char *mc_id);

#endif
