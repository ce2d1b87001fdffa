#include "base/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "base/secret.h"

/* Fetching an algorithm costs more than using it (4.4 times for one MIKEY message): done once, never undone. */
static struct {
    EVP_MD *md5, *sha256;
    EVP_MAC *hmac;
    EVP_CIPHER *ecb, *ctr, *ctr256, *gcm, *gcm128, *wrap128, *wrap256;
} algorithms;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch_all(void)
{
    algorithms.md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    algorithms.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    algorithms.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    algorithms.ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
    algorithms.ctr = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
    algorithms.ctr256 = EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
    algorithms.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    algorithms.gcm128 = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    algorithms.wrap128 = EVP_CIPHER_fetch(NULL, "AES-128-WRAP", NULL);
    algorithms.wrap256 = EVP_CIPHER_fetch(NULL, "AES-256-WRAP", NULL);
}

/* Contexts of one thread, freed when it ends. */
typedef struct thread_ctx {
    EVP_MAC_CTX *hmac_sha256;
    EVP_MD_CTX *digest;
    EVP_CIPHER_CTX *ecb, *ctr; /* keep their cipher: setting one anew allocates */
    EVP_CIPHER_CTX *cipher;    /* all others */
} thread_ctx;
static pthread_key_t thread_key;
static pthread_once_t thread_key_made = PTHREAD_ONCE_INIT;

static void thread_ctx_free(void *at)
{
    thread_ctx *t = at;
    EVP_MAC_CTX_free(t->hmac_sha256);
    EVP_MD_CTX_free(t->digest);
    EVP_CIPHER_CTX_free(t->ecb);
    EVP_CIPHER_CTX_free(t->ctr);
    EVP_CIPHER_CTX_free(t->cipher);
    OPENSSL_free(t);
}

static void thread_key_make(void)
{
    (void)pthread_key_create(&thread_key, thread_ctx_free);
}

static EVP_MAC_CTX *hmac_ctx_new(const char *digest)
{
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(algorithms.hmac);
    if (ctx != NULL && EVP_MAC_CTX_set_params(ctx, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static EVP_CIPHER_CTX *cipher_ctx_new(const EVP_CIPHER *cipher)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx != NULL && (cipher == NULL || EVP_EncryptInit_ex2(ctx, cipher, NULL, NULL, NULL) != 1 ||
                        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static thread_ctx *thread_ctx_get(void)
{
    pthread_once(&fetched, fetch_all);
    pthread_once(&thread_key_made, thread_key_make);
    thread_ctx *t = pthread_getspecific(thread_key);
    if (t != NULL)
        return t;
    t = OPENSSL_zalloc(sizeof(*t));
    if (t == NULL)
        return NULL;
    t->hmac_sha256 = hmac_ctx_new("SHA256");
    t->digest = EVP_MD_CTX_new();
    t->ecb = cipher_ctx_new(algorithms.ecb);
    t->ctr = cipher_ctx_new(algorithms.ctr);
    t->cipher = EVP_CIPHER_CTX_new();
    if (t->hmac_sha256 == NULL || t->digest == NULL || t->ecb == NULL || t->ctr == NULL || t->cipher == NULL ||
        pthread_setspecific(thread_key, t) != 0) {
        thread_ctx_free(t);
        return NULL;
    }
    return t;
}

bool poc_equal_ct(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

static poc_err digest(uint8_t *out, EVP_MD *const *md, poc_span data)
{
    pthread_once(&fetched, fetch_all);
    return EVP_Digest(data.p, data.n, out, NULL, *md, NULL) == 1 ? POC_OK : POC_E_NOMEM;
}

poc_err poc_md5(uint8_t out[POC_MD5_LEN], poc_span data)
{
    return digest(out, &algorithms.md5, data);
}

poc_err poc_sha256(uint8_t out[POC_SHA256_LEN], poc_span data)
{
    return digest(out, &algorithms.sha256, data);
}

poc_err poc_sha256_parts(uint8_t out[POC_SHA256_LEN], const poc_span *parts, size_t n)
{
    thread_ctx *t = thread_ctx_get();
    if (t == NULL || EVP_DigestInit_ex2(t->digest, algorithms.sha256, NULL) != 1)
        return POC_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (EVP_DigestUpdate(t->digest, parts[i].p, parts[i].n) != 1)
            return POC_E_NOMEM;
    }
    return EVP_DigestFinal_ex(t->digest, out, NULL) == 1 ? POC_OK : POC_E_NOMEM;
}

static poc_err hmac(uint8_t *out, size_t out_len, EVP_MAC_CTX *ctx, poc_span key, poc_span data)
{
    /* An empty key must be said with a pointer, or OpenSSL keeps the previous one. */
    const uint8_t *key_at = key.n > 0 ? key.p : (const uint8_t *)"";
    if (EVP_MAC_init(ctx, key_at, key.n, NULL) != 1 || EVP_MAC_update(ctx, data.p, data.n) != 1 ||
        EVP_MAC_final(ctx, out, NULL, out_len) != 1)
        return POC_E_NOMEM;
    return POC_OK;
}

poc_err poc_hmac_sha256(uint8_t out[POC_SHA256_LEN], poc_span key, poc_span data)
{
    thread_ctx *t = thread_ctx_get();
    return t == NULL ? POC_E_NOMEM : hmac(out, POC_SHA256_LEN, t->hmac_sha256, key, data);
}

static poc_err encrypt(uint8_t *out, EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *iv, poc_span in)
{
    int len = 0;
    if (in.n > INT32_MAX)
        return POC_E_LIMIT;
    if (EVP_EncryptInit_ex2(ctx, NULL, key, iv, NULL) != 1 || EVP_EncryptUpdate(ctx, out, &len, in.p, (int)in.n) != 1)
        return POC_E_NOMEM;
    return POC_OK;
}

poc_err poc_aes128_block(uint8_t out[POC_AES_LEN], const uint8_t key[16], const uint8_t in[POC_AES_LEN])
{
    thread_ctx *t = thread_ctx_get();
    return t == NULL ? POC_E_NOMEM : encrypt(out, t->ecb, key, NULL, poc_span_of(in, POC_AES_LEN));
}

poc_err poc_aes128_ctr(uint8_t *out, const uint8_t key[16], const uint8_t iv[16], poc_span in)
{
    thread_ctx *t = thread_ctx_get();
    if (t == NULL)
        return POC_E_NOMEM;
    return in.n == 0 ? POC_OK : encrypt(out, t->ctr, key, iv, in);
}

poc_err poc_aes256_ctr(uint8_t *out, const uint8_t key[32], const uint8_t iv[16], poc_span in)
{
    thread_ctx *t = thread_ctx_get();
    if (t == NULL || EVP_EncryptInit_ex2(t->cipher, algorithms.ctr256, NULL, NULL, NULL) != 1)
        return POC_E_NOMEM;
    return in.n == 0 ? POC_OK : encrypt(out, t->cipher, key, iv, in);
}

/* Sets the cipher, the length of `iv`, key and `iv`, in this order: each needs the one before. */
static bool gcm_init(EVP_CIPHER_CTX *ctx, poc_span key, poc_span iv, bool encrypts)
{
    EVP_CIPHER *cipher = key.n == 16 ? algorithms.gcm128 : algorithms.gcm;
    const int enc = encrypts ? 1 : 0;
    return EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, enc, NULL) == 1 &&
           (iv.n == POC_GCM_NONCE_LEN || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)iv.n, NULL) == 1) &&
           EVP_CipherInit_ex2(ctx, NULL, key.p, iv.p, enc, NULL) == 1;
}

static bool gcm_takes(poc_span key, poc_span iv, poc_span aad, poc_span in)
{
    return (key.n == 16 || key.n == 32) && iv.n > 0 && iv.n <= 64 && in.n <= INT32_MAX && aad.n <= INT32_MAX;
}

poc_err poc_gcm_seal_iv(uint8_t *out, poc_span key, poc_span iv, poc_span aad, poc_span in)
{
    thread_ctx *t = thread_ctx_get();
    int len = 0;
    if (t == NULL)
        return POC_E_NOMEM;
    if (!gcm_takes(key, iv, aad, in))
        return POC_E_LIMIT;
    if (!gcm_init(t->cipher, key, iv, true) || EVP_EncryptUpdate(t->cipher, NULL, &len, aad.p, (int)aad.n) != 1 ||
        EVP_EncryptUpdate(t->cipher, out, &len, in.p, (int)in.n) != 1 ||
        EVP_EncryptFinal_ex(t->cipher, out + len, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(t->cipher, EVP_CTRL_AEAD_GET_TAG, POC_GCM_TAG_LEN, out + in.n) != 1)
        return POC_E_NOMEM;
    return POC_OK;
}

poc_err poc_gcm_open_iv(uint8_t *out, poc_span key, poc_span iv, poc_span aad, poc_span in)
{
    thread_ctx *t = thread_ctx_get();
    int len = 0;
    if (t == NULL)
        return POC_E_NOMEM;
    if (!gcm_takes(key, iv, aad, in))
        return POC_E_LIMIT;
    if (in.n < POC_GCM_TAG_LEN)
        return POC_E_INPUT;
    size_t n = in.n - POC_GCM_TAG_LEN;
    if (!gcm_init(t->cipher, key, iv, false) || EVP_DecryptUpdate(t->cipher, NULL, &len, aad.p, (int)aad.n) != 1 ||
        EVP_DecryptUpdate(t->cipher, out, &len, in.p, (int)n) != 1 ||
        EVP_CIPHER_CTX_ctrl(t->cipher, EVP_CTRL_AEAD_SET_TAG, POC_GCM_TAG_LEN, (void *)(uintptr_t)(in.p + n)) != 1)
        return POC_E_NOMEM;
    if (EVP_DecryptFinal_ex(t->cipher, out + len, &len) != 1) {
        poc_wipe(out, n);
        return POC_E_AUTH;
    }
    return POC_OK;
}

poc_err poc_gcm_seal(uint8_t *out, poc_span key32, const uint8_t nonce[12], poc_span aad, poc_span in)
{
    return key32.n != 32 ? POC_E_LIMIT : poc_gcm_seal_iv(out, key32, poc_span_of(nonce, POC_GCM_NONCE_LEN), aad, in);
}

poc_err poc_gcm_open(uint8_t *out, poc_span key32, const uint8_t nonce[12], poc_span aad, poc_span in)
{
    return key32.n != 32 ? POC_E_LIMIT : poc_gcm_open_iv(out, key32, poc_span_of(nonce, POC_GCM_NONCE_LEN), aad, in);
}

static EVP_CIPHER *wrap_cipher(size_t kek_len)
{
    pthread_once(&fetched, fetch_all);
    return kek_len == 16 ? algorithms.wrap128 : kek_len == 32 ? algorithms.wrap256 : NULL;
}

poc_err poc_key_wrap(uint8_t *out, poc_span kek, poc_span key)
{
    thread_ctx *t = thread_ctx_get();
    EVP_CIPHER *cipher = wrap_cipher(kek.n);
    int len = 0;
    if (t == NULL)
        return POC_E_NOMEM;
    if (cipher == NULL || key.n < 16 || key.n % 8 != 0 || key.n > INT32_MAX)
        return POC_E_LIMIT;
    if (EVP_EncryptInit_ex2(t->cipher, cipher, kek.p, NULL, NULL) != 1 ||
        EVP_EncryptUpdate(t->cipher, out, &len, key.p, (int)key.n) != 1)
        return POC_E_NOMEM;
    return POC_OK;
}

poc_err poc_key_unwrap(uint8_t *out, poc_span kek, poc_span wrapped)
{
    thread_ctx *t = thread_ctx_get();
    EVP_CIPHER *cipher = wrap_cipher(kek.n);
    int len = 0;
    if (t == NULL)
        return POC_E_NOMEM;
    if (cipher == NULL || wrapped.n < 24 || wrapped.n % 8 != 0 || wrapped.n > INT32_MAX)
        return POC_E_LIMIT;
    if (EVP_DecryptInit_ex2(t->cipher, cipher, kek.p, NULL, NULL) != 1)
        return POC_E_NOMEM;
    return EVP_DecryptUpdate(t->cipher, out, &len, wrapped.p, (int)wrapped.n) == 1 ? POC_OK : POC_E_AUTH;
}
