/* Keys and certificates as text. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/crypto.h"

enum { RSA_BITS_MIN = 2048 };

static bool is_p256(const EVP_PKEY *key)
{
    char group[32] = "";
    size_t n;
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, group, sizeof(group), &n) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

static bool is_strong_rsa(const EVP_PKEY *key)
{
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN;
}

bool poc_pem_is_public_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    const bool good = key != NULL && (is_p256(key) || is_strong_rsa(key));
    EVP_PKEY_free(key);
    BIO_free(bio);
    return good;
}

/** Nobody is there to be asked. */
static int no_password(char *buf, int size, int is_for_writing, void *user)
{
    (void)buf, (void)size, (void)is_for_writing, (void)user;
    return -1;
}

static X509 *first_certificate(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_password, NULL);
    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *private_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    return key;
}

bool poc_pem_is_pair(const char *certificate, const char *key)
{
    X509 *x = first_certificate(certificate);
    EVP_PKEY *k = x == NULL ? NULL : private_key(key);
    const bool fits = k != NULL && X509_check_private_key(x, k) == 1;
    EVP_PKEY_free(k);
    X509_free(x);
    return fits;
}

bool poc_pem_has_certificates(const char *pem)
{
    X509 *x = first_certificate(pem);
    X509_free(x);
    return x != NULL;
}
