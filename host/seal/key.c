/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "host/seal/base64.h"
#include "host/seal/hash.h"
#include "host/seal/utf8.h"
#include "host/seal/wide.h"

enum { TYPED_BYTES = 1 + PS_KEY_BYTES, ID_DIGITS = 8 };

bool ps_key_name_is_good(const char *name, size_t length) {
    uint32_t character = 0;
    for (size_t at = 0, bytes = 0; at < length; at += bytes) {
        bytes = ps_utf8_next((const uint8_t *)name + at, length - at, &character);
        if (bytes == 0 || character < 0x20 || character == '+' || ps_utf8_is_blank(character))
            return false;
    }
    return length > 0;
}

/* The first four bytes of SHA-256 over name, newline, type and public key. */
static uint32_t id_of(const ps_verifier *verifier) {
    uint8_t bytes[PS_KEY_NAME_MAX + 1 + TYPED_BYTES];
    const size_t length = strlen(verifier->name);
    ps_hash hash;
    memcpy(bytes, verifier->name, length);
    bytes[length] = '\n';
    bytes[length + 1] = verifier->type;
    memcpy(bytes + length + 2, verifier->key, PS_KEY_BYTES);
    ps_hash_bytes(bytes, length + 1 + TYPED_BYTES, &hash);
    return (uint32_t)ps_wide_get(hash.byte, 4);
}

static bool read_id(const char *text, uint32_t *id) {
    *id = 0;
    for (int i = 0; i < ID_DIGITS; i++) {
        const char c = text[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) return false;
        *id = *id << 4 | (uint32_t)digit;
    }
    return true;
}

/* `name+id+base64`: the id is not looked at yet, since a signer's is that of another key. */
static ps_status parse(const char *text, size_t length, ps_verifier *out, uint8_t *key,
                       ps_error *error) {
    const char *const plus = length == 0 ? NULL : memchr(text, '+', length);
    const size_t name_length = plus == NULL ? 0 : (size_t)(plus - text);
    const size_t left = plus == NULL ? 0 : length - name_length - 1;
    uint8_t typed[PS_BASE64_BYTES(PS_KEY_TEXT_MAX)] = {0};
    size_t bytes = 0;
    if (left <= ID_DIGITS || plus[1 + ID_DIGITS] != '+' || !read_id(plus + 1, &out->id))
        return ps_fail(error, PS_BAD_CONFIG,
                       "this is no key: NAME, '+', 8 hex digits, '+' and base64 are wanted");
    if (name_length >= PS_KEY_NAME_MAX || !ps_key_name_is_good(text, name_length))
        return ps_fail(error, PS_BAD_CONFIG,
                       "the name of the key has a blank or '+' in it, or is "
                       "empty or too long");
    if (!ps_base64_read(plus + 2 + ID_DIGITS, left - ID_DIGITS - 1, typed, sizeof typed, &bytes) ||
        bytes == 0)
        return ps_fail(error, PS_BAD_CONFIG, "the key '%.*s' is not base64", (int)name_length,
                       text);
    if (typed[0] != PS_KEY_ED25519 && typed[0] != PS_KEY_COSIGNATURE)
        return ps_fail(error, PS_BAD_CONFIG,
                       "the key '%.*s' is of type %u: only Ed25519 (1) and "
                       "its cosignatures (4) are known",
                       (int)name_length, text, typed[0]);
    if (bytes != TYPED_BYTES)
        return ps_fail(error, PS_BAD_CONFIG, "the key '%.*s' has %zu bytes instead of %d",
                       (int)name_length, text, bytes, TYPED_BYTES);
    memcpy(out->name, text, name_length);
    out->name[name_length] = '\0';
    out->type = typed[0];
    memcpy(key, typed + 1, PS_KEY_BYTES);
    OPENSSL_cleanse(typed, sizeof typed);
    return PS_OK;
}

static ps_status check_id(const ps_verifier *verifier, ps_error *error) {
    if (id_of(verifier) == verifier->id) return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG,
                   "the key '%.200s' says that its id is %08x, but it is %08x: it was changed or "
                   "cut",
                   verifier->name, verifier->id, id_of(verifier));
}

ps_status ps_verifier_parse(const char *text, size_t length, ps_verifier *out, ps_error *error) {
    PS_TRY(parse(text, length, out, out->key, error));
    return check_id(out, error);
}

static ps_status public_key(const uint8_t seed[PS_KEY_BYTES], uint8_t key[PS_KEY_BYTES],
                            ps_error *error) {
    size_t length = PS_KEY_BYTES;
    EVP_PKEY *const pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, PS_KEY_BYTES);
    const bool done = pair != NULL && EVP_PKEY_get_raw_public_key(pair, key, &length) == 1;
    EVP_PKEY_free(pair);
    if (done && length == PS_KEY_BYTES) return PS_OK;
    return ps_fail(error, PS_IO, "OpenSSL has no Ed25519");
}

ps_status ps_signer_parse(const char *text, size_t length, ps_signer *out, ps_error *error) {
    static const char prefix[] = "PRIVATE+KEY+";
    const size_t skip = sizeof prefix - 1;
    if (length < skip || memcmp(text, prefix, skip) != 0)
        return ps_fail(error, PS_BAD_CONFIG, "this is no secret key: it begins with PRIVATE+KEY+");
    PS_TRY(parse(text + skip, length - skip, &out->verifier, out->seed, error));
    PS_TRY(public_key(out->seed, out->verifier.key, error));
    return check_id(&out->verifier, error);
}

static char *put_key(char *to, const ps_verifier *named, const uint8_t *key) {
    uint8_t typed[TYPED_BYTES] = {named->type};
    memcpy(typed + 1, key, PS_KEY_BYTES);
    to += snprintf(to, PS_KEY_NAME_MAX + ID_DIGITS + 2, "%s+%08x+", named->name, named->id);
    to = ps_base64_write(typed, sizeof typed, to);
    OPENSSL_cleanse(typed, sizeof typed);
    return to;
}

const char *ps_verifier_text(const ps_verifier *verifier, char text[PS_KEY_TEXT_MAX]) {
    (void)put_key(text, verifier, verifier->key);
    return text;
}

const char *ps_signer_text(const ps_signer *signer, char text[PS_KEY_TEXT_MAX]) {
    const int used = snprintf(text, PS_KEY_TEXT_MAX, "PRIVATE+KEY+");
    (void)put_key(text + used, &signer->verifier, signer->seed);
    return text;
}

static ps_status put_name(ps_verifier *to, const char *name, size_t length, ps_error *error) {
    if (length >= PS_KEY_NAME_MAX || !ps_key_name_is_good(name, length))
        return ps_fail(error, PS_BAD_CONFIG,
                       "'%.*s' cannot name a key: UTF-8 without blanks and '+', at most %d bytes",
                       (int)(length > 200 ? 200 : length), name, PS_KEY_NAME_MAX - 1);
    memcpy(to->name, name, length);
    to->name[length] = '\0';
    return PS_OK;
}

ps_status ps_verifier_rename(const ps_verifier *from, ps_bytes name, ps_verifier *out,
                             ps_error *error) {
    *out = *from;
    PS_TRY(put_name(out, (const char *)name.data, name.length, error));
    out->id = id_of(out);
    return PS_OK;
}

ps_status ps_signer_of_seed(const char *name, uint8_t type, const uint8_t seed[PS_KEY_BYTES],
                            ps_signer *out, ps_error *error) {
    PS_TRY(put_name(&out->verifier, name, strlen(name), error));
    out->verifier.type = type;
    memcpy(out->seed, seed, PS_KEY_BYTES);
    PS_TRY(public_key(seed, out->verifier.key, error));
    out->verifier.id = id_of(&out->verifier);
    return PS_OK;
}

ps_status ps_signer_generate(const char *name, uint8_t type, ps_signer *out, ps_error *error) {
    uint8_t seed[PS_KEY_BYTES];
    if (RAND_priv_bytes(seed, sizeof seed) != 1)
        return ps_fail(error, PS_IO, "OpenSSL has no random numbers");
    const ps_status status = ps_signer_of_seed(name, type, seed, out, error);
    OPENSSL_cleanse(seed, sizeof seed);
    return status;
}

void ps_signer_deinit(ps_signer *signer) {
    OPENSSL_cleanse(signer, sizeof *signer);
}

bool ps_ed25519_verify(const uint8_t key[PS_KEY_BYTES], const uint8_t *bytes, size_t length,
                       const uint8_t signature[PS_SIGNATURE_BYTES]) {
    EVP_PKEY *const public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, PS_KEY_BYTES);
    EVP_MD_CTX *const context = EVP_MD_CTX_new();
    const bool good = public != NULL && context != NULL &&
                      EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1 &&
                      EVP_DigestVerify(context, signature, PS_SIGNATURE_BYTES, bytes, length) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    return good;
}

ps_status ps_ed25519_sign(const uint8_t seed[PS_KEY_BYTES], const uint8_t *bytes, size_t length,
                          uint8_t signature[PS_SIGNATURE_BYTES], ps_error *error) {
    size_t written = PS_SIGNATURE_BYTES;
    EVP_PKEY *const pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, PS_KEY_BYTES);
    EVP_MD_CTX *const context = EVP_MD_CTX_new();
    const bool done = pair != NULL && context != NULL &&
                      EVP_DigestSignInit(context, NULL, NULL, NULL, pair) == 1 &&
                      EVP_DigestSign(context, signature, &written, bytes, length) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pair);
    return done ? PS_OK : ps_fail(error, PS_IO, "OpenSSL does not sign with Ed25519");
}
