/* Zn to the BSF inside this process. Private to pf/io. */
#ifndef PF_IO_ZN_EMBEDDED_H
#define PF_IO_ZN_EMBEDDED_H

#include <sofia-sip/su_wait.h>

#include "pf/io/zn.h"

/** `bsf` is borrowed. The caller frees with (*out)->ops->free. */
poc_err zn_embedded_new(zn **out, su_root_t *root, gba_bsf *bsf);

#endif
