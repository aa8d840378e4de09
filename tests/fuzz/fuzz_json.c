/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a record: the reader must answer with a value or a code, and never read past the
 * padding.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ps_json *json;
    static const char *const paths[] = {"host", "cpu", "a.b", "a.b.c", "ts"};
    enum { PATHS = sizeof paths / sizeof *paths };
    if (json == NULL && ps_json_open(paths, PATHS, &json, NULL) != PS_OK) abort();
    uint8_t *text =
        calloc(1, size + PS_ARENA_PADDING); /* on the heap, so that a read past it is seen */
    if (text == NULL) return 0;
    if (size > 0) memcpy(text, data, size);
    ps_json_value values[PATHS];
    ps_json_fault fault;
    const ps_bytes record = {text, (uint32_t)size};
    if (ps_json_read(json, record, values, &fault) == PS_REJECT_NONE) {
        for (int i = 0; i < PATHS; i++) {
            if (values[i].kind != PS_JSON_STRING || !values[i].escaped) continue;
            uint8_t *plain = malloc(values[i].text.length + 1);
            if (plain != NULL && ps_json_unescape(values[i].text, plain) > values[i].text.length)
                abort();
            free(plain);
        }
    } else if (fault.detail > size) {
        abort();
    }
    free(text);
    return 0;
}
