/* The least a client needs of a key management service, without sockets: it checks credentials as the PF does, and says of
 * every item what the test wants it to say. */
#ifndef TESTS_UNIT_UE_CLERK_H
#define TESTS_UNIT_UE_CLERK_H

#include "pair.h"

typedef struct clerk_answer {
    int status;
    char www_authenticate[GBA_HEADER_MAX], authentication_info[GBA_HEADER_MAX];
    const char *content_type;
    char body[4096];
} clerk_answer;

typedef struct clerk {
    pair *pair;
    gba_naf *naf;
    /* What it says; set freely. */
    int item_status;          /* of every item */
    int whole_status;         /* 0: 200, or 401 until the credentials hold */
    bool wants_new_bootstrap; /* refuses the credentials of this B-TID */
    bool lies;                /* in rspauth */
    /* What it was asked; read freely. */
    char old_btid[POC_BTID_MAX + 1]; /* the one refused */
    unsigned posts, served;
    char target[160], body[4096]; /* of the last one served */
    char btid[POC_BTID_MAX + 1];
} clerk;

void clerk_open(clerk *c, pair *p);
void clerk_close(clerk *c);
/** One POST, as it came. */
void clerk_serve(clerk *c, const char *target, const char *authorization, poc_span body, clerk_answer *a);

#endif
