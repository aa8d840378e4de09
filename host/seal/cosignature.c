/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/cosignature.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/seal/wide.h"

enum { HEAD_MAX = 64 };

/* Two lines before the text. Owns: the caller frees it; NULL: no memory. */
static uint8_t *message(ps_bytes text, uint64_t time_s, size_t *length) {
    uint8_t *const bytes = malloc(HEAD_MAX + (size_t)text.length);
    if (bytes == NULL) return NULL;
    const int head =
        snprintf((char *)bytes, HEAD_MAX, "cosignature/v1\ntime %" PRIu64 "\n", time_s);
    memcpy(bytes + head, text.data, text.length);
    *length = (size_t)head + text.length;
    return bytes;
}

bool ps_cosignature_verify(const ps_verifier *verifier, ps_bytes text,
                           const uint8_t signature[PS_COSIGNATURE_BYTES], uint64_t *time_s) {
    size_t length = 0;
    *time_s = ps_wide_get(signature, 8);
    uint8_t *const bytes = message(text, *time_s, &length);
    const bool good =
        bytes != NULL && ps_ed25519_verify(verifier->key, bytes, length, signature + 8);
    free(bytes);
    return good;
}

ps_status ps_cosignature_sign(const ps_signer *signer, ps_bytes text, uint64_t time_s,
                              uint8_t signature[PS_COSIGNATURE_BYTES], ps_error *error) {
    size_t length = 0;
    uint8_t *const bytes = message(text, time_s, &length);
    if (bytes == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a cosignature");
    const ps_status status =
        ps_ed25519_sign(signer->seed, bytes, length, ps_wide_put(signature, time_s, 8), error);
    free(bytes);
    return status;
}
