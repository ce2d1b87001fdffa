/* Any octets as a document of a KMS. The first octet says which: an answer, of which nothing is left when it is refused, or
 * a request, which must be read again as it was. */
#include <stdlib.h>
#include <string.h>

#include "mcx/mcx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static mcx_kms_response response;

static void answer_read(poc_span xml)
{
    const char *why = NULL;
    const poc_err err = mcx_kms_response_read(&response, xml, &why);
    must(why != NULL && (why[0] == '\0') == (err == POC_OK));
    must(err == POC_OK ? response.kind != MCX_KMS_NOTHING : response.set_count == 0);
    must(response.set_count <= MCX_KMS_SETS_MAX && response.certificate_count <= MCX_KMS_CERTIFICATES_MAX);
    for (size_t i = 0; i < response.set_count; i++) {
        const mcx_kms_key_set *set = &response.sets[i];
        must(poc_secret_len(set->keys.rsk) == MCX_SAKKE_POINT_LEN && poc_secret_len(set->keys.ssk) == MCX_SCALAR_LEN);
        must(set->kms_uri[0] != '\0' && set->user_uri[0] != '\0');
        for (size_t c = 0; c < response.certificate_count; c++)
            (void)mcx_kms_key_set_check(set, &response.certificates[c], &why);
    }
    for (size_t i = 0; i < response.certificate_count; i++)
        must(response.certificates[i].offset_s < response.certificates[i].period_s);
    mcx_kms_response_done(&response);
    must(poc_secret_live_count() == 0);
}

static void request_read(poc_span xml)
{
    static mcx_kms_request request, again;
    static uint8_t text[32768];
    const char *why = NULL;
    if (mcx_kms_request_read(&request, xml, &why) != POC_OK)
        return;
    poc_wr wr = poc_wr_into(text, sizeof(text));
    const mcx_kms_answer head = { poc_span_str(request.user_uri), poc_span_str(request.kms_uri),
                                  poc_span_str(request.request_url), request.time_s };
    must(mcx_kms_request_put(&wr, &head) == POC_OK);
    if (request.time_s < 0 || request.time_s > INT64_C(253402300799)) /* beyond the years of four digits */
        return;
    must(mcx_kms_request_read(&again, poc_span_of(text, wr.len), &why) == POC_OK);
    must(strcmp(request.user_uri, again.user_uri) == 0 && strcmp(request.kms_uri, again.kms_uri) == 0);
    must(strcmp(request.request_url, again.request_url) == 0 && request.time_s == again.time_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const poc_span xml = poc_span_of(data + 1, size - 1);
    if (data[0] == 'r')
        request_read(xml);
    else
        answer_read(xml);
    return 0;
}
