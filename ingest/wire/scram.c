/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/wire/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "ingest/wire/connection.h"

enum { NONCE_BYTES = 24, SALT_MAX = 256, GS2_BYTES = 3 };

static const char gs2[] = "n,,";

static const EVP_MD *digest_of(const ps_scram *scram) {
    return scram->wide ? EVP_sha512() : EVP_sha256();
}

/* '=' and ',' have a meaning in the messages. False: no room. */
static bool put_name(char *to, size_t room, const char *name) {
    for (; *name != '\0'; name++) {
        const char *const as = *name == ',' ? "=2C" : *name == '=' ? "=3D" : NULL;
        const size_t bytes = as != NULL ? 3 : 1;
        if (bytes >= room) return false;
        memcpy(to, as != NULL ? as : name, bytes);
        to += bytes, room -= bytes;
    }
    *to = '\0';
    return true;
}

static bool make_nonce(char *to) {
    uint8_t random[NONCE_BYTES];
    if (RAND_bytes(random, sizeof random) != 1) return false;
    (void)EVP_EncodeBlock((unsigned char *)to, random, sizeof random);
    return true;
}

ps_status ps_scram_begin(ps_scram *scram, bool wide, const char *user, const char *nonce,
                         size_t *length, ps_error *error) {
    char name[PS_SCRAM_TEXT / 2];
    *scram = (ps_scram){.wide = wide};
    if (nonce == NULL && !make_nonce(scram->nonce))
        return ps_fail(error, PS_IO, "there are no random numbers");
    if (nonce != NULL) (void)snprintf(scram->nonce, sizeof scram->nonce, "%s", nonce);
    if (!put_name(name, sizeof name, user))
        return ps_fail(error, PS_BAD_CONFIG, "the user's name is too long");
    *length =
        (size_t)snprintf(scram->text, sizeof scram->text, "%sn=%s,r=%s", gs2, name, scram->nonce);
    scram->transcript_length = *length - GS2_BYTES;
    memcpy(scram->transcript, scram->text + GS2_BYTES, scram->transcript_length);
    return PS_OK;
}

/* The value of the next attribute, which must be this one; `rest` moves behind it. */
static bool take(ps_bytes *rest, char name, ps_bytes *value) {
    if (rest->length < 2 || rest->data[0] != (uint8_t)name || rest->data[1] != '=') return false;
    const uint8_t *const from = rest->data + 2, *const end = rest->data + rest->length;
    const uint8_t *comma = memchr(from, ',', (size_t)(end - from));
    if (comma == NULL) comma = end;
    *value = (ps_bytes){from, (uint32_t)(comma - from)};
    const uint8_t *const next = comma < end ? comma + 1 : end;
    *rest = (ps_bytes){next, (uint32_t)(end - next)};
    return true;
}

/* Base64 with its padding; `to` has room for three quarters of it. The length, or -1. */
static int decode(ps_bytes text, uint8_t *to) {
    if (text.length == 0 || text.length % 4 != 0) return -1;
    int padding = 0;
    for (uint32_t i = 0; i < text.length; i++) {
        if (text.data[i] == '=')
            padding++;
        else if (padding > 0 || text.data[i] <= ' ')
            return -1;
    }
    const int length = EVP_DecodeBlock(to, text.data, (int)text.length);
    return length < 0 || padding > 2 ? -1 : length - padding;
}

static uint32_t number_of(ps_bytes text) {
    uint32_t value = 0;
    if (text.length == 0 || text.length > 9) return 0;
    for (uint32_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return 0;
        value = value * 10 + (text.data[i] - '0');
    }
    return value;
}

static bool append(ps_scram *scram, const void *text, size_t length) {
    if (length > sizeof scram->transcript - scram->transcript_length) return false;
    memcpy(scram->transcript + scram->transcript_length, text, length);
    scram->transcript_length += length;
    return true;
}

static bool hmac(const EVP_MD *md, const uint8_t *key, ps_bytes of, uint8_t *to) {
    return HMAC(md, key, EVP_MD_get_size(md), of.data, of.length, to, NULL) != NULL;
}

typedef struct keys {
    uint8_t salted[PS_SCRAM_HASH], client[PS_SCRAM_HASH], stored[PS_SCRAM_HASH];
    uint8_t server[PS_SCRAM_HASH];
} keys;

/* ClientProof = ClientKey XOR HMAC(H(ClientKey), transcript); the server's signature is
 * HMAC(ServerKey, transcript). */
static bool sign(ps_scram *scram, keys *k, const char *password, ps_bytes salt, int iterations) {
    const EVP_MD *md = digest_of(scram);
    const int size = EVP_MD_get_size(md);
    const ps_bytes all = {(const uint8_t *)scram->transcript, (uint32_t)scram->transcript_length};
    uint8_t mask[PS_SCRAM_HASH];
    const bool ok = PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt.data, (int)salt.length,
                                      iterations, md, size, k->salted) == 1 &&
                    hmac(md, k->salted, (ps_bytes){(const uint8_t *)"Client Key", 10}, k->client) &&
                    EVP_Digest(k->client, (size_t)size, k->stored, NULL, md, NULL) == 1 &&
                    hmac(md, k->stored, all, mask) &&
                    hmac(md, k->salted, (ps_bytes){(const uint8_t *)"Server Key", 10}, k->server) &&
                    hmac(md, k->server, all, scram->signature);
    for (int i = 0; ok && i < size; i++) k->client[i] ^= mask[i];
    return ok;
}

typedef struct challenge {
    ps_bytes nonce;
    uint8_t salt[SALT_MAX];
    int salt_length;
    uint32_t iterations;
} challenge;

static ps_status read_challenge(const ps_scram *scram, ps_bytes server, challenge *c,
                                ps_error *error) {
    ps_bytes rest = server, salt, iterations;
    const size_t own = strlen(scram->nonce);
    c->salt_length = -1;
    if (take(&rest, 'r', &c->nonce) && take(&rest, 's', &salt) && take(&rest, 'i', &iterations)) {
        c->iterations = number_of(iterations);
        if (salt.length <= SALT_MAX / 3 * 4) c->salt_length = decode(salt, c->salt);
    }
    if (c->salt_length < 0)
        return ps_fail(error, PS_BAD_CONFIG, "the broker's challenge is not one of SCRAM");
    if (c->nonce.length <= own || memcmp(c->nonce.data, scram->nonce, own) != 0)
        return ps_fail(error, PS_BAD_CONFIG, "the broker's challenge answers another client");
    if (c->iterations < PS_WIRE_ITERATIONS_MIN || c->iterations > PS_WIRE_ITERATIONS_MAX)
        return ps_fail(error, PS_BAD_CONFIG,
                       "the broker wants %u iterations of SCRAM: %d to %d are accepted",
                       c->iterations, PS_WIRE_ITERATIONS_MIN, PS_WIRE_ITERATIONS_MAX);
    return PS_OK;
}

ps_status ps_scram_prove(ps_scram *scram, const char *password, ps_bytes server, size_t *length,
                         ps_error *error) {
    challenge c;
    PS_TRY(read_challenge(scram, server, &c, error));
    /* "biws" is the GS2 header in base64. */
    int bytes = snprintf(scram->text, sizeof scram->text, "c=biws,r=%.*s", (int)c.nonce.length,
                         (const char *)c.nonce.data);
    /* Behind it come the proof, 88 bytes with its padding, and a NUL. */
    if (bytes < 0 || (size_t)bytes > sizeof scram->text - 100 || !append(scram, ",", 1) ||
        !append(scram, server.data, server.length) || !append(scram, ",", 1) ||
        !append(scram, scram->text, (size_t)bytes))
        return ps_fail(error, PS_BAD_CONFIG, "the broker's challenge is too long");
    keys k;
    const ps_bytes salt = {c.salt, (uint32_t)c.salt_length};
    const bool ok = sign(scram, &k, password, salt, (int)c.iterations);
    if (ok) {
        memcpy(scram->text + bytes, ",p=", 3);
        bytes += 3;
        bytes += EVP_EncodeBlock((unsigned char *)scram->text + bytes, k.client,
                                 EVP_MD_get_size(digest_of(scram)));
        *length = (size_t)bytes;
    }
    OPENSSL_cleanse(&k, sizeof k);
    return ok ? PS_OK : ps_fail(error, PS_NO_MEMORY, "no memory to sign with");
}

ps_status ps_scram_check(const ps_scram *scram, ps_bytes server, ps_error *error) {
    ps_bytes rest = server, value;
    uint8_t shown[PS_SCRAM_HASH * 2];
    const int size = EVP_MD_get_size(digest_of(scram));
    if (take(&rest, 'v', &value) && value.length < sizeof shown && decode(value, shown) == size &&
        CRYPTO_memcmp(shown, scram->signature, (size_t)size) == 0)
        return PS_OK;
    return ps_fail(
        error, PS_BAD_CONFIG,
        "the broker does not know the password itself: another one answers in its place");
}
