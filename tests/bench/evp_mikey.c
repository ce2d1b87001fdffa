#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "tests/bench/peers_mikey.h"

enum { ENCR, AUTH, SALT };
static const uint8_t constants[3][4] = { { 0x15, 0x05, 0x33, 0xe1 },
                                         { 0x2d, 0x22, 0xac, 0x75 },
                                         { 0x29, 0xb8, 0x89, 0x16 } };

struct evp_mikey {
    bool prefetched;
    uint8_t label[3][25];
    EVP_MAC *hmac;
    EVP_MAC_CTX *mac;
    EVP_CIPHER *ctr;
    EVP_CIPHER_CTX *cipher;
};

static bool fetch(evp_mikey *e)
{
    const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA1",
                                                                   0),
                                  OSSL_PARAM_construct_end() };
    e->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    e->mac = EVP_MAC_CTX_new(e->hmac);
    e->ctr = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
    e->cipher = EVP_CIPHER_CTX_new();
    return e->mac != NULL && EVP_MAC_CTX_set_params(e->mac, params) == 1 && e->cipher != NULL && e->ctr != NULL;
}

static void release(evp_mikey *e)
{
    EVP_MAC_CTX_free(e->mac);
    EVP_MAC_free(e->hmac);
    EVP_CIPHER_CTX_free(e->cipher);
    EVP_CIPHER_free(e->ctr);
}

evp_mikey *evp_mikey_new(bool prefetched, mikey_context context)
{
    evp_mikey *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->prefetched = prefetched;
    for (size_t i = 0; i < 3; i++) {
        poc_wr wr = poc_wr_into(e->label[i], sizeof(e->label[i]));
        poc_wr_put(&wr, constants[i], 4);
        poc_wr_u8(&wr, 0xff);
        poc_wr_u32(&wr, context.csb_id);
        poc_wr_span(&wr, context.rand);
    }
    if (prefetched && !fetch(e)) {
        evp_mikey_free(e);
        return NULL;
    }
    return e;
}

void evp_mikey_free(evp_mikey *e)
{
    if (e->prefetched)
        release(e);
    free(e);
}

/* Without a key the context goes on with the one before: what a caller does who knows his OpenSSL. */
static bool hmac(evp_mikey *e, uint8_t out[20], poc_span key, poc_span a, poc_span b)
{
    return EVP_MAC_init(e->mac, key.p, key.n, NULL) == 1 && EVP_MAC_update(e->mac, a.p, a.n) == 1 &&
           (b.n == 0 || EVP_MAC_update(e->mac, b.p, b.n) == 1) && EVP_MAC_final(e->mac, out, NULL, 20) == 1;
}

/* One block of the PRF is enough for each of the three keys. `muk` is empty when the context has it already. */
static bool derive(evp_mikey *e, uint8_t out[20], int use, poc_span muk)
{
    const poc_span label = poc_span_of(e->label[use], sizeof(e->label[use])), none = { NULL, 0 };
    uint8_t a[20];
    return hmac(e, a, muk, label, none) && hmac(e, out, none, poc_span_of(a, sizeof(a)), label);
}

static bool seal(evp_mikey *e, uint8_t *message, size_t n, poc_span muk, uint32_t counter, poc_span plain)
{
    const poc_span none = { NULL, 0 };
    uint8_t key[3][20], iv[16] = { 0 };
    int len;
    for (int use = ENCR; use <= SALT; use++) {
        if (!derive(e, key[use], use, use == ENCR ? muk : none))
            return false;
    }
    memcpy(iv, key[SALT], 14);
    for (size_t i = 0; i < 4; i++) {
        iv[2 + i] ^= e->label[0][5 + i];
        iv[10 + i] ^= (uint8_t)(counter >> (24 - 8 * i));
    }
    uint8_t *data = message + n - 21 - plain.n;
    if (EVP_EncryptInit_ex2(e->cipher, e->ctr, key[ENCR], iv, NULL) != 1 ||
        EVP_EncryptUpdate(e->cipher, data, &len, plain.p, (int)plain.n) != 1)
        return false;
    data[plain.n] = 1;
    return hmac(e, message + n - 20, poc_span_of(key[AUTH], 20), poc_span_of(message, n - 20), none);
}

bool evp_mikey_seal(evp_mikey *e, uint8_t *message, size_t n, poc_span muk, uint32_t counter, poc_span plain)
{
    if (e->prefetched)
        return seal(e, message, n, muk, counter, plain);
    const bool good = fetch(e) && seal(e, message, n, muk, counter, plain);
    release(e);
    return good;
}

bool evp_mikey_verify(evp_mikey *e, uint8_t mac[20], poc_span muk, poc_span covered)
{
    const poc_span none = { NULL, 0 };
    uint8_t auth[20];
    return derive(e, auth, AUTH, muk) && hmac(e, mac, poc_span_of(auth, sizeof(auth)), covered, none);
}
