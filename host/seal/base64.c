/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/base64.h"

#include <string.h>

#include "host/base/base64.h"

char *ps_base64_write(const uint8_t *bytes, size_t length, char *out) {
    char *const end = ps_base64_encode(out, bytes, length);
    *end = '\0';
    return end;
}

/* Bits of the last digit that no byte takes could be anything: it must be as it would be written.
 */
static bool is_last_as_written(const char *text, size_t length, const uint8_t *bytes,
                               size_t count) {
    char again[4];
    const size_t last = count % 3 == 0 ? 3 : count % 3;
    (void)ps_base64_encode(again, bytes + count - last, last);
    return memcmp(again, text + length - 4, 4) == 0;
}

bool ps_base64_read(const char *text, size_t length, uint8_t *out, size_t room, size_t *bytes) {
    *bytes = 0;
    if (length == 0) return true;
    if (length % 4 != 0) return false;
    const size_t pad = text[length - 1] != '=' ? 0 : text[length - 2] != '=' ? 1 : 2;
    if (length / 4 * 3 - pad > room) return false;
    return ps_base64_decode((const uint8_t *)text, length, out, bytes) &&
           is_last_as_written(text, length, out, *bytes);
}
