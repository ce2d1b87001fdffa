/* Any octets as a digest header of either direction, and as credentials shown to a NAF. */
#include <stdlib.h>

#include "gba/gba.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static poc_err fill(void *ctx, void *out, size_t n)
{
    uint8_t *to = out;
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)i;
    return POC_OK;
}

static const poc_rng counting = { fill, NULL };

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* One user, whose B-TID is in the corpus. */
static gba_naf *naf_made(void)
{
    static const uint8_t key[32] = { 7 };
    gba_naf *n;
    gba_zn_answer a = { .expires_s = 100000 };
    gba_naf_settings s = { .fqdn = poc_span_str("pf1.poc.example.org"), .nonce_lifetime_s = 300, .users_max = 4 };
    must(gba_naf_new(&n, &s, &counting) == POC_OK);
    must(poc_secret_from(&a.me_key, key, sizeof(key)) == POC_OK);
    must(gba_naf_learn(n, 1, poc_span_str("AAECAwQFBgcICQoLDA0ODw==@bsf.example.org"), &a) == POC_OK);
    gba_zn_answer_done(&a);
    return n;
}

static void inside(poc_span part, const uint8_t *data, size_t size)
{
    must(part.n == 0 || (part.p >= data && part.p + part.n <= data + size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gba_naf *naf;
    gba_digest d;
    poc_fault fault;
    const poc_span text = poc_span_of(data, size);
    if (naf == NULL)
        naf = naf_made();
    for (int scheme = 0; scheme < 2; scheme++) {
        if (gba_digest_parse(&d, text, scheme == 1, &fault) != POC_OK)
            must(fault.reason != NULL && fault.offset <= size);
        const poc_span *parts = (const poc_span *)&d;
        for (size_t i = 0; i < sizeof(d) / sizeof(*parts); i++)
            inside(parts[i], data, size);
    }
    const gba_request request = { poc_span_str("POST"), poc_span_str("/keymanagement"), poc_span_str("body"), text };
    gba_naf_user user;
    const char *why = NULL;
    /* Without the key nobody gets in, whatever he writes. */
    must(gba_naf_check(naf, 2, &request, &user, &why) != GBA_NAF_OK && why != NULL);
    inside(gba_naf_btid(&request), data, size);
    return 0;
}
