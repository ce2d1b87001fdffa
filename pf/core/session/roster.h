/* Who is in the conference, as its documents tell (RFC 4575): the rows, their merge, and what a departure means. Private. */
#ifndef PF_CORE_SESSION_ROSTER_H
#define PF_CORE_SESSION_ROSTER_H

#include "base/table.h"
#include "mikey/mikey.h"
#include "pf/core/core.h"

typedef enum roster_class { CLASS_NONE, CLASS_LEFT, CLASS_UNKNOWN, CLASS_EXPELLED } roster_class;

typedef struct roster_endpoint roster_endpoint;
typedef struct roster_user roster_user;
struct roster_user {
    roster_endpoint *endpoints;
    size_t endpoint_count;
    roster_user *next_same; /* another entity that names the same canonical user */
    uint32_t mark;
    bool was_member; /* who left by himself */
    uint16_t entity_len;
    char uri[256]; /* canonical; "" when the entity is no SIP or tel URI */
    char entity[];
};

typedef struct core_roster {
    poc_table users;  /* by entity, octet by octet */
    poc_table by_uri; /* first roster_user of a canonical URI */
    size_t endpoint_count;
    uint32_t version, mark;
    bool has_document, has_user_count;
    uint32_t user_count;
} core_roster;

/** What a merge tells: `holds_key` is asked, the others are told. */
typedef struct roster_sink {
    void *ctx;
    bool (*holds_key)(void *ctx, const roster_user *user);
    void (*departed)(void *ctx, roster_user *user, roster_class how);
    void (*present)(void *ctx, const roster_user *user);
} roster_sink;

typedef enum roster_outcome {
    ROSTER_DROPPED,
    ROSTER_MERGED,
    ROSTER_HINT,    /* merged, but somebody is gone whom no row names: a full document is wanted */
    ROSTER_REFRESH, /* not merged: a full document is wanted */
    ROSTER_OVER
} roster_outcome;

void roster_init(core_roster *r, uint64_t seed);
void roster_done(core_roster *r);
/** A new dialog: versions start anew, the rows stay to be compared with the first full document. */
void roster_new_scope(core_roster *r);
/** POC_E_NOMEM and POC_E_LIMIT leave the roster as it was. */
poc_err roster_merge(core_roster *r, const core_conference *doc, size_t max, const roster_sink *sink,
                     roster_outcome *outcome);
bool roster_has(const core_roster *r, const char *uri);
/** The departure of this user, a member, is known from elsewhere. */
void roster_account(core_roster *r, const char *uri, roster_class how);

/** One row of table 3.4. */
typedef struct roster_observation {
    bool removed; /* the row was deleted or is missing */
    core_conf_status status;
    core_conf_method method;
    bool by_other, was_in, holds_key;
} roster_observation;
roster_class roster_classify(const roster_observation *seen);

#endif
