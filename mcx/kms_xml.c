/* Answers of a KMS (TS 33.180 Annex D.3) as they are written: the order of elements matters. */
#include "mcx/kms_xml.h"
#include "base/text.h"

static void element_put(poc_wr *out, const char *name, poc_span text)
{
    poc_xml_put_element(out, name, text);
    poc_wr_fmt(out, "\n");
}

static void hex_put(poc_wr *out, const char *name, const char *attributes, poc_span octets)
{
    poc_wr_fmt(out, "<%s%s>", name, attributes);
    poc_hex_put(out, octets);
    poc_wr_fmt(out, "</%s>\n", name);
}

static void time_put(poc_wr *out, const char *name, int64_t unix_s)
{
    poc_wr_fmt(out, "<%s>", name);
    poc_time_put(out, unix_s);
    poc_wr_fmt(out, "</%s>\n", name);
}

static bool is_clean(poc_span text)
{
    return text.n > 0 && poc_xml_is_text(text);
}

void kms_head_put(poc_wr *out, const mcx_kms_answer *a)
{
    element_put(out, "UserUri", a->user_uri);
    element_put(out, "KmsUri", a->kms_uri);
    time_put(out, "Time", a->now_s);
    element_put(out, "ClientReqUrl", a->request_url);
}

bool kms_head_is_good(const mcx_kms_answer *a)
{
    return is_clean(a->user_uri) && is_clean(a->kms_uri) && is_clean(a->request_url);
}

static poc_err answer_open(poc_wr *out, const mcx_kms_answer *a)
{
    if (!kms_head_is_good(a))
        return POC_E_INPUT;
    poc_wr_fmt(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<KmsResponse xmlns=\"" KMS_SPACE
                    "\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" Version=\"1.0.0\">\n");
    kms_head_put(out, a);
    return POC_OK;
}

static poc_err answer_close(poc_wr *out)
{
    poc_wr_fmt(out, "</KmsResponse>\n");
    return poc_wr_done(out);
}

static void certificate_put(poc_wr *out, poc_span kms_uri, const mcx_kms *kms, uint64_t period_s, uint64_t offset_s)
{
    poc_wr_fmt(out, "<KmsCertificate Version=\"1.1.0\" Role=\"Root\">\n");
    element_put(out, "KmsUri", kms_uri);
    poc_wr_fmt(out, "<UserIdFormat>%u</UserIdFormat>\n", KMS_USER_ID_UID);
    poc_wr_fmt(out, "<UserKeyPeriod>%llu</UserKeyPeriod>\n", (unsigned long long)period_s);
    poc_wr_fmt(out, "<UserKeyOffset>%llu</UserKeyOffset>\n", (unsigned long long)offset_s);
    hex_put(out, "PubEncKey", "", mcx_kms_z(kms));
    hex_put(out, "PubAuthKey", "", mcx_kms_kpak(kms));
    poc_wr_fmt(out, "<ParameterSet>%u</ParameterSet>\n</KmsCertificate>\n", KMS_PARAMETER_SET);
}

poc_err mcx_kms_init_put(poc_wr *out, const mcx_kms_answer *answer, const mcx_kms *kms, uint64_t period_s,
                         uint64_t offset_s)
{
    POC_TRY(answer_open(out, answer));
    poc_wr_fmt(out, "<KmsMessage>\n<KmsInit Version=\"1.0.0\">\n");
    certificate_put(out, answer->kms_uri, kms, period_s, offset_s);
    poc_wr_fmt(out, "</KmsInit>\n</KmsMessage>\n");
    return answer_close(out);
}

poc_err mcx_kms_certificates_put(poc_wr *out, const mcx_kms_answer *answer, const mcx_kms *kms, uint64_t period_s,
                                 uint64_t offset_s, uint32_t cache_number)
{
    POC_TRY(answer_open(out, answer));
    poc_wr_fmt(out, "<KmsMessage>\n<KmsCertCache Version=\"1.0.0\" CacheNum=\"%u\">\n", (unsigned)cache_number);
    if (kms != NULL)
        certificate_put(out, answer->kms_uri, kms, period_s, offset_s);
    poc_wr_fmt(out, "</KmsCertCache>\n</KmsMessage>\n");
    return answer_close(out);
}

poc_err mcx_kms_error_put(poc_wr *out, const mcx_kms_answer *answer, unsigned code, const char *message)
{
    POC_TRY(answer_open(out, answer));
    poc_wr_fmt(out, "<KmsError>\n<ErrorCode>%u</ErrorCode>\n", code);
    element_put(out, "ErrorMsg", poc_span_str(message));
    poc_wr_fmt(out, "</KmsError>\n");
    return answer_close(out);
}

static void key_set_put(poc_wr *out, const mcx_kms_answer *answer, poc_span user_uri, poc_span uid,
                        const mcx_period *period, const mcx_user_keys *keys)
{
    static const char plain[] = " xsi:type=\"KeyContentType\"";
    const int64_t start = (int64_t)(mcx_period_start(period) - MCX_NTP_MINUS_UNIX);
    poc_wr_fmt(out, "<KmsKeySet Version=\"1.1.0\">\n");
    element_put(out, "KmsUri", answer->kms_uri);
    element_put(out, "UserUri", user_uri);
    poc_wr_fmt(out, "<UserID>");
    poc_base64_put(out, uid);
    poc_wr_fmt(out, "</UserID>\n");
    time_put(out, "ValidFrom", start);
    time_put(out, "ValidTo", start + (int64_t)period->period_s);
    poc_wr_fmt(out, "<KeyPeriodNo>%llu</KeyPeriodNo>\n", (unsigned long long)period->number);
    hex_put(out, "UserDecryptKey", plain, poc_secret_span(keys->rsk));
    hex_put(out, "UserSigningKeySSK", plain, poc_secret_span(keys->ssk));
    hex_put(out, "UserPubTokenPVT", plain, poc_span_of(keys->pvt, sizeof(keys->pvt)));
    poc_wr_fmt(out, "</KmsKeySet>\n");
}

poc_err mcx_kms_keys_put(poc_wr *out, const mcx_kms_answer *answer, poc_span user_uri, const uint8_t uid[MCX_UID_LEN],
                         const mcx_period *period, const mcx_user_keys *keys)
{
    if (!is_clean(user_uri))
        return POC_E_INPUT;
    POC_TRY(answer_open(out, answer));
    poc_wr_fmt(out, "<KmsMessage>\n<KmsKeyProv Version=\"1.0.0\">\n");
    key_set_put(out, answer, user_uri, poc_span_of(uid, MCX_UID_LEN), period, keys);
    poc_wr_fmt(out, "</KmsKeyProv>\n</KmsMessage>\n");
    return answer_close(out);
}
