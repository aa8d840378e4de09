/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/yaml_mask.h"

#include <string.h>

/* The characters, and U+E100 + index in their place: EE 84 80 and onward in UTF-8. */
static const char hidden[] = "{}[],";

static const char *hidden_at(char c) {
    return c == '\0' ? NULL : strchr(hidden, c);
}

char *ps_yaml_mask(ps_pool *pool, const char *text, size_t *length) {
    char *masked = ps_pool_take(pool, *length * 3 + 1);
    size_t used = 0;
    const char *close = NULL;    /* of the reference we are in */
    const char *searched = text; /* the line up to here has none */
    for (size_t i = 0; i < *length; i++) {
        if (close == NULL && text + i >= searched && text[i] == '$' && i + 1 < *length &&
            text[i + 1] == '{') {
            searched = memchr(text + i, '\n', *length - i);
            if (searched == NULL) searched = text + *length;
            close = memchr(text + i, '}', (size_t)(searched - (text + i)));
            if (close != NULL) searched = text;
        }
        const char *at = close == NULL ? NULL : hidden_at(text[i]);
        if (close == text + i) close = NULL;
        if (at == NULL) {
            masked[used++] = text[i];
            continue;
        }
        masked[used++] = '\xEE';
        masked[used++] = '\x84';
        masked[used++] = (char)(0x80 + (at - hidden));
    }
    *length = used;
    return masked;
}

void ps_yaml_unmask(char *text) {
    char *to = text;
    for (; *text != '\0'; text++) {
        const unsigned index = (unsigned char)text[0] == 0xEE && (unsigned char)text[1] == 0x84
                                   ? (unsigned)(unsigned char)text[2] - 0x80u
                                   : sizeof hidden;
        *to++ = index < sizeof hidden - 1 ? hidden[index] : *text;
        if (index < sizeof hidden - 1) text += 2;
    }
    *to = '\0';
}
