/* What the files of the keeper share. Private to pf/io. */
#ifndef PF_IO_MCX_KEEPER_PRIVATE_H
#define PF_IO_MCX_KEEPER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "pf/io/mcx_ask.h"
#include "pf/io/mcx_keeper.h"

#define KEEPER_IDENTITIES_MAX 4u
#define KEEPER_KMS_MAX        16u

/** Something that the loop is told of: keys, another KMS, or that one is revoked. It stands here until it is of no use any
 *  more and the loop has been told. */
typedef struct kept {
    struct kept *next;
    pocpf_mcx_keys *keys;
    pocpf_mcx_kms *kms;
    char *revoked; /* KmsUri */
    bool signs;
    size_t identity;
    uint64_t number; /* of the period of `keys` */
    bool is_over;    /* the thread needs it no more */
    bool is_told;    /* nor does the loop */
} kept;

/** What a KMS is known by: its own, or another. */
typedef struct known_kms {
    char uri[MCX_URI_MAX + 1];
    uint64_t period_s, offset_s;
    uint8_t z[MCX_SAKKE_POINT_LEN], kpak[MCX_POINT_LEN];
} known_kms;

struct mcx_keeper {
    const config *c;
    const mcx_kms_service *own; /* NULL: ask */
    mcx_ask *ask;               /* NULL: own */
    su_root_t *root;
    mcx_keeper_events events;
    void *user;
    int event_fd, wait_index;
    bool has_thread;
    pthread_t thread;
    atomic_bool is_ending;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    kept *first, **last;
    mcx_keeper_counts counts;
    /* The thread's own from here. */
    known_kms kms;
    bool has_kms;
    uint64_t asked_number;                   /* the period in which the certificate was asked for */
    uint64_t numbers[KEEPER_IDENTITIES_MAX]; /* of the last period that there are keys for, in a row; 0: none */
    const pocpf_mcx_keys *like;              /* of this KMS, still kept */
    bool has_neighbours;
    known_kms others[KEEPER_KMS_MAX];
    size_t other_count;
    uint64_t cache_number;
    int64_t cache_due_ms, lead_ms;
    uint64_t lead_number; /* the period for which lead_ms was drawn */
    unsigned failures_in_a_row;
};

/* mcx_keeper.c */
/** Hands `item` to the loop; takes it over. */
void keeper_tell(mcx_keeper *k, kept *item);
/** Keys of a KMS that is not any more: their tables are not those of the next ones. */
void keeper_forget_keys(mcx_keeper *k);

/* mcx_keeper_gather.c */
/** Does what is due by now, as far as it works, and returns when it wants to be called again, at the latest. */
int64_t keeper_turn(mcx_keeper *k);

#endif
