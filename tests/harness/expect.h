/* What a scenario expects of its run. An expectation is written down while the script runs; those about the whole run are
 * judged at its end, by the measures. The verdict is "pass" when every one is met. */
#ifndef TESTS_HARNESS_EXPECT_H
#define TESTS_HARNESS_EXPECT_H

#include "tests/harness/measure.h"

typedef struct expect_row {
    char what[160];
    bool ok;
    bool has_value; /* value, limit and unit mean something */
    int64_t value, limit;
    const char *unit; /* "ms", "packets", "rekeys" */
    char note[96];    /* why it is not met, when a number does not tell; "" */
} expect_row;

typedef struct expect_pending expect_pending;

typedef struct expect {
    expect_row *rows; /* owned, in the order in which they were written down */
    size_t count, cap;
    expect_pending *pending; /* owned; one for each row that waits for the end */
    int64_t patience;        /* limits in ms are so many times as long as the script says */
    bool overflow;
} expect;

typedef enum expect_kind {
    EXPECT_EXPOSURE,      /* client, limit in ms: the longest exposure allowed                  */
    EXPECT_GAP,           /* client, limit in packets                                           */
    EXPECT_AFTER_SWITCH,  /* client, limit: packets opened after the switch                     */
    EXPECT_FIRST_AUDIO,   /* client, limit in ms from the join, by multicast                    */
    EXPECT_FIRST_ANY,     /* the same, by whatever way                                          */
    EXPECT_PLAYED,        /* client, limit: at least so many packets                            */
    EXPECT_NOT_PLAYED,    /* client, limit: at most so many packets                             */
    EXPECT_REKEYS,        /* channel, limit: exactly so many in that time                       */
    EXPECT_CONFIRMED,     /* channel, limit: exactly so many members held the new MSK at the last switch in that time */
    EXPECT_NO_REKEY,      /* channel: no new MSK given out or used in that time                 */
    EXPECT_NOTHING_CLEAR, /* nothing unprotected on the group (POC-1)                           */
    EXPECT_KINDS
} expect_kind;

void expect_init(expect *e);
void expect_done(expect *e);
/** Written down now, judged by expect_judge. `who` is the index of a client or a channel, as the kind says; `since_us` and
 *  `until_us` bound what is counted of a channel. */
void expect_later(expect *e, const record *rec, expect_kind kind, int who, int64_t limit, int64_t since_us,
                  int64_t until_us);
/** Judged already. `note` may be NULL. */
void expect_now(expect *e, const char *what, bool ok, const char *note);
void expect_judge(expect *e, const record *rec, const measure *m);
/** Every row met, and nothing lost for want of memory. */
bool expect_all_met(const expect *e);

#endif
