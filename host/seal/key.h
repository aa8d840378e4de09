/* SPDX-License-Identifier: Apache-2.0
 * The keys that sign notes: Ed25519, with a name, as one line of text. A log's key is named as its
 * origin; a witness signs with a type of its own, so that its signature says when.
 *
 *   verifier  <name>+<id, 8 hex digits>+<base64 of type and public key>
 *   signer    PRIVATE+KEY+<name>+<id>+<base64 of 1 and secret key>
 *
 * Source: c2sp.org/signed-note, "Verifier keys"; the signer's form is
 * golang.org/x/mod/sumdb/note's.
 */
#ifndef PS_HOST_SEAL_KEY_H
#define PS_HOST_SEAL_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/bytes.h"
#include "host/base/status.h"

enum {
    PS_KEY_ED25519 = 1,
    PS_KEY_COSIGNATURE = 4,
    PS_KEY_BYTES = 32, /* public and secret alike */
    PS_SIGNATURE_BYTES = 64,
    PS_KEY_NAME_MAX = 512, /* the NUL included */
    PS_KEY_TEXT_MAX = PS_KEY_NAME_MAX + 80
};

typedef struct ps_verifier {
    char name[PS_KEY_NAME_MAX];
    uint32_t id;
    uint8_t type; /* PS_KEY_… */
    uint8_t key[PS_KEY_BYTES];
} ps_verifier;

/* Secret: wipe it with ps_signer_deinit(). */
typedef struct ps_signer {
    ps_verifier verifier;
    uint8_t seed[PS_KEY_BYTES];
} ps_signer;

/* UTF-8, not empty, no blank of any alphabet, no '+': what may name a key. */
bool ps_key_name_is_good(const char *name, size_t length);

/* The whole text, without a newline. Fails: PS_BAD_CONFIG: no key, an id that is another's, a type
 * we do not have. */
ps_status ps_verifier_parse(const char *text, size_t length, ps_verifier *out,
                            ps_error *error) PS_MUST_USE;
ps_status ps_signer_parse(const char *text, size_t length, ps_signer *out,
                          ps_error *error) PS_MUST_USE;
const char *ps_verifier_text(const ps_verifier *verifier, char text[PS_KEY_TEXT_MAX]);
const char *ps_signer_text(const ps_signer *signer, char text[PS_KEY_TEXT_MAX]);

/* A new key from OpenSSL's random numbers; or of this seed. `type` is PS_KEY_ED25519 or
 * PS_KEY_COSIGNATURE. Fails: PS_BAD_CONFIG: the name; PS_IO: OpenSSL. */
ps_status ps_signer_generate(const char *name, uint8_t type, ps_signer *out,
                             ps_error *error) PS_MUST_USE;
ps_status ps_signer_of_seed(const char *name, uint8_t type, const uint8_t seed[PS_KEY_BYTES],
                            ps_signer *out, ps_error *error) PS_MUST_USE;

/* The same public key under another name, which its id follows. Fails: PS_BAD_CONFIG: the name. */
ps_status ps_verifier_rename(const ps_verifier *from, ps_bytes name, ps_verifier *out,
                             ps_error *error) PS_MUST_USE;
void ps_signer_deinit(ps_signer *signer);

/* The bare signature of bytes. Source: RFC 8032, section 5.1. */
bool ps_ed25519_verify(const uint8_t key[PS_KEY_BYTES], const uint8_t *bytes, size_t length,
                       const uint8_t signature[PS_SIGNATURE_BYTES]);
ps_status ps_ed25519_sign(const uint8_t seed[PS_KEY_BYTES], const uint8_t *bytes, size_t length,
                          uint8_t signature[PS_SIGNATURE_BYTES], ps_error *error) PS_MUST_USE;

#endif
