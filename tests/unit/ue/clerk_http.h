/* The stand-in of a key management service behind real HTTP. */
#ifndef TESTS_UNIT_UE_CLERK_HTTP_H
#define TESTS_UNIT_UE_CLERK_HTTP_H

#include "clerk.h"

typedef struct clerk_http clerk_http;

/** At 127.0.0.1, or with `ip6` at ::1. `c` is asked in the server's thread: look at it when no request is under way. */
clerk_http *clerk_http_new(clerk *c, bool ip6);
void clerk_http_free(clerk_http *h);
/** "http://127.0.0.1:12345" */
const char *clerk_http_url(const clerk_http *h);
/** Where the last request came from, without port. */
const char *clerk_http_from(const clerk_http *h);
/** Headers of the last request; empty when absent. */
const char *clerk_http_user_agent(const clerk_http *h);
const char *clerk_http_identity(const clerk_http *h);

#endif
