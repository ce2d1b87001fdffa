/* Mission critical services in the shell: what their files share. Private to pf/io/shell*.c. */
#ifndef PF_IO_SHELL_MCX_H
#define PF_IO_SHELL_MCX_H

#include "pf/io/mcx_floor.h"
#include "pf/io/mcx_keeper.h"
#include "pf/io/mcx_kms_http.h"
#include "pf/io/mcx_notices.h"
#include "pf/io/mcx_people.h"
#include "pf/io/shell_private.h"
#include "pf/io/sources.h"

/** A request of a client that waits: for its key (`number` of the desk), or for what it has changed to be durable. */
typedef struct shell_mcx_waiting {
    struct shell_mcx_waiting *next;
    sip_mcx_transaction *transaction;
    uint64_t number;
    uint64_t due; /* so many changes have to be durable; 0: it waits for its key */
    wire_mcx_answer answer;
} shell_mcx_waiting;

struct shell_mcx {
    shell *shell;
    wire_mcx_desk *desk;
    wire_mcx_floor *floor;
    mcx_people *people;
    mcx_own_kms *own;
    mcx_keeper *keeper;
    mcx_kms_http *kms_http;     /* NULL: mcx.kms_listen is empty */
    wake *timer;                /* registrations that end, announcements that are repeated */
    const char *not_authorised; /* why, of the request that is served; NULL: not for that */
    shell_mcx_waiting *waiting;
    mcx_notices *notices;
    sources *costs; /* of what users ask */
    shell_mcx_counts counts;
};

/* shell_mcx.c */
/** Desk and announcements may have another deadline now. */
void shell_mcx_timer_set(shell_mcx *x);

/* shell_mcx_sip.c */
/** Requests that wait are forgotten: who made them is told when SIP ends. */
void shell_mcx_waiting_free(shell_mcx *x);

/* shell_mcx_bearer.c */
poc_err shell_mcx_notices_make(shell_mcx *x);
/** Tells one user of all bearers that he may hear. */
void shell_mcx_announce_to(shell_mcx *x, const char *user);
/** He registers again: what he did not answer he is told once more. */
void shell_mcx_announce_again(shell_mcx *x, const char *user);
/** Tells everybody of all bearers that he may hear: for after a restart, in which what was on its way was lost. */
void shell_mcx_announce_all(shell_mcx *x);
/** An announcement was answered, or not. */
void shell_mcx_announced(shell_mcx *x, const char *subject, int status);

#endif
