/* Zn: where the PF gets Ks_NAF for a B-TID. One interface, several back-ends (`gba.zn`); `embedded` asks the BSF in this
 * process. Private to pf/io. */
#ifndef PF_IO_ZN_H
#define PF_IO_ZN_H

#include "base/bytes.h"
#include "base/err.h"
#include "gba/gba.h"

typedef struct zn zn;

/** The end of a look-up; `answer` is NULL unless POC_OK. POC_E_AUTH: B-TID unknown or expired: challenge again; POC_E_DENIED:
 *  403; POC_E_IO: no answer: 503, the client stays on unicast. Never called from inside zn_ask. */
typedef void zn_done_fn(void *user, poc_err err, const gba_zn_answer *answer);

typedef struct zn_ops {
    poc_err (*ask)(zn *z, poc_span btid, poc_span naf_id, zn_done_fn *done, void *user);
    /** Forgets a look-up whose asker is gone. */
    void (*cancel)(zn *z, void *user);
    void (*free)(zn *z);
} zn_ops;

struct zn {
    const zn_ops *ops;
};

#endif
