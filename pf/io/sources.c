#include "pf/io/sources.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/secret.h"

enum { SLOTS = 4096 }; /* sources that can be told apart in one second */

typedef struct slot {
    uint64_t who;
    uint32_t second, count;
} slot;

struct sources {
    uint64_t seed; /* peers choose their addresses, not their slots */
    slot slots[SLOTS];
};

poc_err sources_new(sources **out)
{
    sources *s = (sources *)calloc(1, sizeof(*s));
    *out = NULL;
    if (s == NULL)
        return POC_E_NOMEM;
    poc_err err = poc_rng_system.fill(poc_rng_system.ctx, &s->seed, sizeof(s->seed));
    if (err != POC_OK) {
        sources_free(s);
        return err;
    }
    *out = s;
    return POC_OK;
}

void sources_free(sources *s)
{
    free(s);
}

poc_span sources_host(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET)
        return poc_span_of(&((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
    if (addr->sa_family != AF_INET6)
        return poc_span_of("", 0);
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
    return IN6_IS_ADDR_V4MAPPED(six) ? poc_span_of(six->s6_addr + 12, 4) : poc_span_of(six->s6_addr, 8);
}

static uint64_t key_of(const sources *s, poc_span who)
{
    uint64_t key = UINT64_C(14695981039346656037) ^ s->seed;
    for (size_t i = 0; i < who.n; i++)
        key = (key ^ who.p[i]) * UINT64_C(1099511628211);
    return key ^ key >> 32;
}

/* One slot per hash: two sources in one slot make each other's counts start again, which errs on the side of service. */
uint32_t sources_add(sources *s, poc_span who, int64_t now_s)
{
    uint64_t key = key_of(s, who);
    slot *at = &s->slots[key % SLOTS];
    if (at->who != key || at->second != (uint32_t)now_s)
        *at = (slot){ .who = key, .second = (uint32_t)now_s };
    return ++at->count;
}

bool sources_may(sources *s, const struct sockaddr *from, uint32_t at_most, int64_t now_s)
{
    return at_most == 0 || from == NULL || sources_add(s, sources_host(from), now_s) <= at_most;
}

uint32_t sources_look(const sources *s, poc_span who, int64_t now_s)
{
    uint64_t key = key_of(s, who);
    const slot *at = &s->slots[key % SLOTS];
    return at->who == key && at->second == (uint32_t)now_s ? at->count : 0;
}
