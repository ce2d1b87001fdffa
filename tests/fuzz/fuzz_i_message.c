/* An I_MESSAGE from anybody: as it came it cannot be authentic, so a second pass has it signed anew by whoever it says it is
 * from, if that is one of the two users of the vectors' KMS. Nobody here has a key to open it with: a decapsulation takes
 * seconds in an instrumented build, and what it would lead to is the matter of fuzz_key_parameters. */
#include <stdlib.h>
#include <string.h>

#include "mcx/mcx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t kpak[MCX_POINT_LEN] = { 0x04, 0x5b, 0xa2, 0x49, 0xb5, 0x28, 0x15, 0xd3, 0x6d, 0x61, 0x86,
                                             0x3f, 0xdd, 0x62, 0x00, 0x23, 0xf0, 0xe2, 0x0d, 0xe4, 0x7f, 0xba,
                                             0x80, 0x7d, 0x36, 0xca, 0x31, 0x2a, 0x45, 0x78, 0x1c, 0xff, 0x18,
                                             0x21, 0x22, 0x0a, 0x9b, 0x19, 0xd0, 0x03, 0xc2, 0x01, 0x88, 0x5a,
                                             0x47, 0x24, 0xa9, 0xe8, 0xfb, 0x72, 0x90, 0xac, 0xda, 0x3f, 0x30,
                                             0x19, 0x11, 0x12, 0x06, 0xd9, 0xd4, 0x14, 0x4b, 0xe7, 0x24 };
static const struct {
    const char *uri;
    uint8_t ssk[MCX_SCALAR_LEN], pvt[MCX_POINT_LEN];
} users[2] = {
    { "sip:alice@mcptt.example.org",
      { 0xf7, 0xfb, 0xd9, 0x2d, 0x4d, 0xaa, 0xd6, 0xb4, 0x73, 0xc7, 0x1c, 0x7a, 0xdb, 0x55, 0xa4, 0x93,
        0xe6, 0x74, 0xe6, 0xec, 0xb2, 0x31, 0x08, 0xb4, 0x50, 0xca, 0xb8, 0xb9, 0x36, 0x19, 0x6d, 0x1e },
      { 0x04, 0x76, 0xe5, 0x0b, 0x7a, 0x5c, 0x5f, 0x5a, 0xad, 0xec, 0x0a, 0x0a, 0xe5, 0xf3, 0xd3, 0xa8, 0xd9,
        0x42, 0xef, 0xd6, 0xf3, 0xc9, 0x42, 0x27, 0x23, 0xb4, 0xc4, 0x77, 0xa6, 0x3f, 0xe5, 0x74, 0xd5, 0x3f,
        0xa2, 0x9c, 0xaf, 0x47, 0x23, 0xc0, 0x4c, 0x72, 0x33, 0x48, 0x2e, 0xa4, 0xc7, 0xdb, 0x7a, 0x44, 0x0b,
        0xf6, 0x11, 0xa2, 0x0e, 0xdd, 0xaf, 0xf0, 0xf9, 0xcc, 0x78, 0x49, 0x05, 0x14, 0x3b } },
    { "mcx.example.org",
      { 0x07, 0x7c, 0x39, 0xbb, 0x46, 0xe5, 0x1b, 0xab, 0x3e, 0x16, 0x11, 0x86, 0xcc, 0xeb, 0x00, 0x24,
        0xe5, 0x66, 0x83, 0xd0, 0x70, 0x40, 0x17, 0xbe, 0x6c, 0xb3, 0x5f, 0xbc, 0x23, 0x22, 0xd7, 0x01 },
      { 0x04, 0x1d, 0xcc, 0xbb, 0x18, 0x5c, 0xe1, 0x17, 0xf6, 0xaa, 0xa5, 0xd3, 0x16, 0x90, 0xec, 0xa4, 0xd7,
        0xe6, 0x99, 0xff, 0x7b, 0x91, 0xc9, 0x33, 0xc5, 0x40, 0xad, 0x2d, 0x74, 0xdd, 0x57, 0x97, 0x94, 0xe1,
        0xdb, 0x80, 0xb0, 0x0e, 0x85, 0xca, 0x25, 0x74, 0xfb, 0x0b, 0x4a, 0x50, 0xfa, 0xec, 0x01, 0xf0, 0x0b,
        0xf7, 0xd2, 0x60, 0x97, 0x95, 0x87, 0xee, 0xa9, 0x8c, 0x32, 0x1b, 0x8c, 0x12, 0x87 } },
};

static mcx_certificate certificate;
static mcx_identity parties[2];
static mcx_signer *signers[2];
static mcx_verifier *verifier;

static void must(poc_err err)
{
    if (err != POC_OK)
        abort();
}

static void world_init(void)
{
    if (verifier != NULL)
        return;
    must(mcx_verifier_new(&verifier, 4));
    certificate = (mcx_certificate){ .kms_uri = poc_span_str("kms.example.org"), .period_s = 2592000, .kpak = kpak };
    for (size_t i = 0; i < 2; i++) {
        poc_secret *ssk;
        parties[i] = (mcx_identity){ .uri = poc_span_str(users[i].uri), .kms = &certificate, .period_number = 1536 };
        must(mcx_identity_init(&parties[i]));
        must(poc_secret_from(&ssk, users[i].ssk, MCX_SCALAR_LEN));
        must(mcx_signer_new(&signers[i], kpak, poc_span_of(parties[i].uid, MCX_UID_LEN), ssk, users[i].pvt));
        poc_secret_free(ssk);
    }
}

static mcx_expected expects(void)
{
    return (mcx_expected){ .now_ntp_s = 0xed4e0000,
                           .skew_s = 300,
                           .own = parties,
                           .own_count = 2,
                           .certificates = &certificate,
                           .certificate_count = 1,
                           .types = MCX_TYPE_BIT(MCX_KEY_TYPES) - 1,
                           .verifier = verifier };
}

static void check_refusal(poc_err err, const poc_fault *fault, const mikey_msg *msg)
{
    if (err == POC_E_BUG || (err != POC_OK && (fault->reason == NULL || fault->offset > msg->raw.n)))
        abort();
}

static void check(const mikey_msg *msg)
{
    const mcx_expected expected = expects();
    mcx_opened opened;
    mcx_offer offer;
    poc_fault fault = { 0, NULL };
    poc_err err = mcx_i_message_open(&opened, msg, &expected, &fault);
    if (err == POC_OK || opened.key != NULL)
        abort();
    check_refusal(err, &fault, msg);
    err = mcx_i_message_verify(msg, &expected, &fault);
    check_refusal(err, &fault, msg);
    fault = (poc_fault){ 0, NULL };
    err = mcx_offer_read(&offer, msg, &fault);
    check_refusal(err, &fault, msg);
    if (err == POC_OK && offer.count == 0)
        abort();
}

static const mcx_signer *signer_of(const mikey_msg *msg)
{
    for (size_t i = 0; i < 2; i++) {
        if (poc_span_eq(msg->idi.data, parties[i].uri) ||
            poc_span_eq(msg->idi.data, poc_span_of(parties[i].uid, MCX_UID_LEN)))
            return signers[i];
    }
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t octets[MIKEY_MESSAGE_MAX];
    size_t n = 0;
    mikey_msg msg;
    poc_fault fault;
    world_init();
    (void)mcx_body_octets(octets, sizeof(octets), &n, poc_span_of(data, size), false);
    if (mcx_i_message_read(&msg, poc_span_of(data, size), &fault) != POC_OK) {
        if (fault.reason == NULL || fault.offset > size)
            abort();
        return 0;
    }
    check(&msg);
    const mcx_signer *signer = signer_of(&msg);
    if (signer == NULL)
        return 0;
    memcpy(octets, data, size);
    const size_t covered = size - MIKEY_SIGNATURE_LEN;
    must(mcx_sign(octets + covered, signer, poc_span_of(octets, covered), &poc_rng_system));
    must(mcx_i_message_read(&msg, poc_span_of(octets, size), NULL));
    check(&msg);
    return 0;
}
