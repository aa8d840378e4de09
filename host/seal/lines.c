/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/lines.h"

#include "host/seal/base64.h"

bool ps_line_next(ps_bytes *rest, ps_bytes *line) {
    const uint8_t *const stop = rest->length == 0 ? NULL : memchr(rest->data, '\n', rest->length);
    if (stop == NULL) return false;
    *line = (ps_bytes){rest->data, (uint32_t)(stop - rest->data)};
    *rest = (ps_bytes){stop + 1, rest->length - line->length - 1};
    return true;
}

bool ps_line_word(ps_bytes line, const char *word, ps_bytes *rest) {
    const uint32_t length = (uint32_t)strlen(word);
    if (line.length <= length || memcmp(line.data, word, length) != 0 || line.data[length] != ' ')
        return false;
    *rest = (ps_bytes){line.data + length + 1, line.length - length - 1};
    return true;
}

bool ps_decimal_read(ps_bytes text, uint64_t *value) {
    *value = 0;
    if (text.length == 0 || (text.length > 1 && text.data[0] == '0')) return false;
    for (uint32_t i = 0; i < text.length; i++) {
        const uint64_t digit = (uint64_t)text.data[i] - '0';
        if (digit > 9 || *value > (UINT64_MAX - digit) / 10) return false;
        *value = *value * 10 + digit;
    }
    return true;
}

bool ps_hash_read(ps_bytes base64, ps_hash *out) {
    size_t bytes = 0;
    return ps_base64_read((const char *)base64.data, base64.length, out->byte, sizeof out->byte,
                          &bytes) &&
           bytes == sizeof out->byte;
}

const char *ps_hash_text(const ps_hash *hash, char text[PS_HASH_TEXT_MAX]) {
    (void)ps_base64_write(hash->byte, sizeof hash->byte, text);
    return text;
}
