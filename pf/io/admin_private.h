/* What the two sides of the operator's door share: admin.c speaks HTTP, admin_routes.c answers. Private to pf/io. */
#ifndef PF_IO_ADMIN_PRIVATE_H
#define PF_IO_ADMIN_PRIVATE_H

#include "pf/io/admin.h"
#include "pf/io/admin_request.h"

/** One request whose form is right. The handler answers with an object that it gives away, or refuses, or waits. */
typedef struct admin_call {
    shell *shell;
    admin_reload_fn *reload;
    void *reload_user;
    const char *segment;                /* what stands for the parentheses of the pattern */
    const char *text;                   /* the field of the body */
    uint64_t number[ADMIN_NUMBERS_MAX]; /* 0 when absent */
    bool may_wait;                      /* false: it has waited already */
    bool waits;                         /* set by the handler: ask again after the next event, or wait_s seconds */
    uint32_t wait_s;
    unsigned status; /* of a refusal */
    const char *kind;
    char reason[CONFIG_WHY_MAX];
} admin_call;

extern const admin_route admin_routes[];
extern const size_t admin_route_count;

#endif
