/* Any octets as a message on Zn. What decodes must encode, and decode to the same again. */
#include <stdlib.h>
#include <string.h>

#include "gba/gba.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void as_request(poc_span message)
{
    static uint8_t out[65536];
    poc_wr wr = poc_wr_into(out, sizeof(out));
    gba_zn_request r, again;
    poc_fault fault;
    if (gba_zn_request_decode(&r, message, &fault) != POC_OK) {
        must(fault.reason != NULL && fault.offset <= message.n);
        return;
    }
    if (gba_zn_request_encode(&wr, &r) != POC_OK)
        return;
    must(gba_zn_request_decode(&again, poc_span_of(out, wr.len), NULL) == POC_OK);
    must(poc_span_eq(r.btid, again.btid) && poc_span_eq(r.naf_id, again.naf_id) && r.gba_u_aware == again.gba_u_aware);
}

static void as_reply(poc_span message)
{
    static uint8_t out[65536];
    poc_wr wr = poc_wr_into(out, sizeof(out));
    gba_zn_reply r, again;
    poc_fault fault;
    if (gba_zn_reply_decode(&r, message, &fault) != POC_OK) {
        must(fault.reason != NULL && fault.offset <= message.n);
        must(r.answer.me_key == NULL && r.answer.uicc_key == NULL);
        return;
    }
    if (r.result == GBA_ZN_OK && r.answer.impu_count == 0 && gba_zn_reply_encode(&wr, &r) == POC_OK) {
        must(gba_zn_reply_decode(&again, poc_span_of(out, wr.len), NULL) == POC_OK);
        must(poc_secret_eq(r.answer.me_key, again.answer.me_key) && r.answer.expires_s == again.answer.expires_s);
        must(strcmp(r.answer.impi, again.answer.impi) == 0);
        gba_zn_reply_done(&again);
    }
    gba_zn_reply_done(&r);
    must(poc_secret_live_count() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_request(poc_span_of(data, size));
    as_reply(poc_span_of(data, size));
    return 0;
}
