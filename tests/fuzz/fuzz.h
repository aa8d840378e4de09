/* SPDX-License-Identifier: Apache-2.0
 * What fuzz targets share: input that is taken from the front, checks that stay on, files.
 */
#ifndef PS_TESTS_FUZZ_H
#define PS_TESTS_FUZZ_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/bytes.h"
#include "host/batch/headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that every input has; libFuzzer keeps the input that lacks it. */
#define FUZZ_CHECK(condition)                                                     \
    do {                                                                          \
        if (!(condition)) {                                                       \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                              \
        }                                                                         \
    } while (0)

/* The next line of the input, without its end; false: there is none. */
static inline bool fuzz_line(const uint8_t **at, const uint8_t *end, ps_bytes *line) {
    if (*at == end) return false;
    const uint8_t *stop = memchr(*at, '\n', (size_t)(end - *at));
    *line = (ps_bytes){*at, (uint32_t)((stop == NULL ? end : stop) - *at)};
    *at = stop == NULL ? end : stop + 1;
    return true;
}

/* A record of one run of bytes: [key 1f [header 1f]…] value, a header being name [1e value]. Where
 * one is not there, it is null; without headers they are empty. */
typedef struct fuzz_record {
    ps_bytes key, headers, value;
} fuzz_record;

enum { FUZZ_HEADERS_MAX = 8 * 4096, FUZZ_FIELD = 0x1f, FUZZ_HALF = 0x1e };

static inline ps_bytes fuzz_part(const uint8_t **at, const uint8_t *end, int separator) {
    const uint8_t *begin = *at;
    const uint8_t *stop = begin == end ? NULL : memchr(begin, separator, (size_t)(end - begin));
    if (stop == NULL) return (ps_bytes){NULL, PS_NULL_LENGTH};
    *at = stop + 1;
    return (ps_bytes){begin, (uint32_t)(stop - begin)};
}

/* Its headers are packed into `packed`, which has room for those of FUZZ_HEADERS_MAX / 8 bytes. */
static inline fuzz_record fuzz_record_of(ps_bytes input, uint8_t *packed) {
    const uint8_t *at = input.data, *end = at + input.length;
    const ps_bytes key = fuzz_part(&at, end, FUZZ_FIELD);
    uint8_t *to = packed;
    for (;;) {
        const ps_bytes header = fuzz_part(&at, end, FUZZ_FIELD);
        if (header.length == PS_NULL_LENGTH) break;
        const uint8_t *p = header.data, *stop = p + header.length;
        const ps_bytes name = fuzz_part(&p, stop, FUZZ_HALF);
        to = name.length == PS_NULL_LENGTH
                 ? ps_headers_put(to, header, (ps_bytes){NULL, PS_NULL_LENGTH})
                 : ps_headers_put(to, name, (ps_bytes){p, (uint32_t)(stop - p)});
    }
    return (fuzz_record){key, {packed, (uint32_t)(to - packed)}, {at, (uint32_t)(end - at)}};
}

/* A text of its own on the heap, so that a read past its NUL is seen. */
static inline char *fuzz_text(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    FUZZ_CHECK(text != NULL);
    if (size > 0) memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

/* A folder of this process alone, kept from one input to the next. */
static inline const char *fuzz_folder(void) {
    static char path[64];
    if (path[0] != '\0') return path;
    (void)snprintf(path, sizeof path, "%s/penstock-fuzz.XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    FUZZ_CHECK(mkdtemp(path) != NULL);
    return path;
}

static inline void fuzz_file(const char *name, const void *data, size_t size) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)close(fd);
}

#endif
