/* The embedded BSF's subscribers. Private to pf/io. */
#ifndef PF_IO_SUBSCRIBERS_H
#define PF_IO_SUBSCRIBERS_H

#include "gba/gba.h"
#include "pf/io/config.h"

/** Reads the file `path` into `bsf`: a libconfig list "subscribers" of groups with impi, k, opc or op, amf ("8000"), sqn (48
 *  bits in hex, default 0) and impus (list of SIP URIs). POC_E_INPUT and others with "FILE:LINE: ..." in `why`, which
 *  never tells a key. On error part of the list may have been added. */
poc_err subscribers_load(gba_bsf *bsf, const char *path, char why[CONFIG_WHY_MAX]);

#endif
