/* SPDX-License-Identifier: Apache-2.0
 * Any file as lines: what the reader hands out, in whatever order it is asked, is what splitting
 * the whole file at its line breaks gives.
 */
#include "ingest/line_reader.h"

#include "tests/fuzz/fuzz.h"

enum { LINE_MAX = 40 };

static bool is_same(ps_bytes got, ps_bytes want) {
    if (want.length > 0 && want.data[want.length - 1] == '\r') want.length--;
    return got.length == want.length && memcmp(got.data, want.data, got.length) == 0;
}

/* One bit of `order` a step: read a line, or pass over two. */
static void walk(ps_line_reader *reader, ps_bytes input, uint8_t order) {
    const uint8_t *at = input.data, *end = at + input.length;
    ps_bytes want, got;
    ps_error error;
    for (uint32_t step = 0;; step++) {
        if (order >> step % 8 & 1) {
            int64_t lines = 2;
            ps_status status;
            do {
                status = ps_line_reader_skip(reader, &lines, &error);
            } while (status == PS_AGAIN);
            int64_t passed = 0;
            while (passed < 2 && fuzz_line(&at, end, &want)) passed++;
            FUZZ_CHECK(passed == 2 - lines && (status == PS_OK) == (passed == 2));
            if (status != PS_OK) return;
        }
        const ps_status status = ps_line_reader_peek(reader, &got, &error);
        if (!fuzz_line(&at, end, &want)) {
            FUZZ_CHECK(status == PS_END);
            return;
        }
        if (status == PS_IO) {
            FUZZ_CHECK(want.length > LINE_MAX);
            return;
        }
        FUZZ_CHECK(status == PS_OK && want.length <= LINE_MAX && is_same(got, want));
        ps_line_reader_next(reader);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[128];
    ps_line_reader reader;
    ps_error error;
    if (size == 0) return 0;
    fuzz_file("lines", data + 1, size - 1);
    (void)snprintf(path, sizeof path, "%s/lines", fuzz_folder());
    FUZZ_CHECK(ps_line_reader_init(&reader, LINE_MAX, &error) == PS_OK);
    FUZZ_CHECK(ps_line_reader_open(&reader, path, &error) == PS_OK);
    walk(&reader, (ps_bytes){data + 1, (uint32_t)size - 1}, data[0]);
    ps_line_reader_deinit(&reader);
    return 0;
}
