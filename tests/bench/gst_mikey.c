#include "tests/bench/peers_mikey.h"

#ifdef POC_HAVE_GST_SDP

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <gst/sdp/gstmikey.h>
#pragma GCC diagnostic pop

bool gst_mikey_available(void)
{
    return true;
}

static bool add_payloads(GstMIKEYMessage *m, const uint8_t rand[16], uint32_t counter, const uint8_t msk[16])
{
    const guint8 ts[4] = { (guint8)(counter >> 24), (guint8)(counter >> 16), (guint8)(counter >> 8), (guint8)counter };
    const guint8 seq_low[2] = { 0, 0 }, seq_high[2] = { 0xff, 0xff };
    GstMIKEYPayload *kemac = gst_mikey_payload_new(GST_MIKEY_PT_KEMAC),
                    *key = gst_mikey_payload_new(GST_MIKEY_PT_KEY_DATA);
    return gst_mikey_message_add_t(m, GST_MIKEY_TS_TYPE_COUNTER, ts) && gst_mikey_message_add_rand(m, 16, rand) &&
           gst_mikey_payload_kemac_set(kemac, GST_MIKEY_ENC_NULL, GST_MIKEY_MAC_HMAC_SHA_1_160) &&
           gst_mikey_payload_key_data_set_key(key, GST_MIKEY_KD_TGK, 16, msk) &&
           gst_mikey_payload_key_data_set_interval(key, 2, seq_low, 2, seq_high) &&
           gst_mikey_payload_kemac_add_sub(kemac, key) && gst_mikey_message_add_payload(m, kemac);
}

size_t gst_mikey_build(const uint8_t rand[16], uint32_t counter, const uint8_t msk[16])
{
    size_t n = 0;
    GstMIKEYMessage *m = gst_mikey_message_new();
    if (gst_mikey_message_set_info(m, GST_MIKEY_VERSION, GST_MIKEY_TYPE_PSK_INIT, TRUE, GST_MIKEY_PRF_MIKEY_1, 0,
                                   GST_MIKEY_MAP_TYPE_SRTP) &&
        add_payloads(m, rand, counter, msk)) {
        GBytes *octets = gst_mikey_message_to_bytes(m, NULL, NULL);
        if (octets != NULL) {
            n = g_bytes_get_size(octets);
            g_bytes_unref(octets);
        }
    }
    gst_mikey_message_unref(m);
    return n;
}

#else

bool gst_mikey_available(void)
{
    return false;
}

size_t gst_mikey_build(const uint8_t rand[16], uint32_t counter, const uint8_t msk[16])
{
    (void)rand, (void)counter, (void)msk;
    return 0;
}

#endif
