/* SPDX-License-Identifier: Apache-2.0
 * Any text as a filter's expression: refused with its place, or compiled and run over rows of every
 * kind within the program's bounds.
 */
#include "tests/expressions.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (memchr(data, 0, size) != NULL) return 0; /* a text has none */
    char *text = fuzz_text(data, size);
    uint32_t kept = 0;
    ps_error error = {0};
    if (expression_kept(text, &kept, &error) != PS_OK)
        FUZZ_CHECK(strncmp(error.message, "where", 5) == 0);
    free(text);
    return 0;
}
