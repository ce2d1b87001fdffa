/* Public keys as text. */
#include <openssl/evp.h>
#include <openssl/pem.h>
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
