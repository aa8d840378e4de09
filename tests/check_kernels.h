/* SPDX-License-Identifier: Apache-2.0
 * What the checks of single kernels share. tests/check_<name>.c defines ps_check_<name>(), which
 * check_kernels calls once per implementation: it compares `fn` with the reference on the same
 * inputs, and where `bench` is set measures it.
 */
#ifndef PS_TESTS_CHECK_KERNELS_H
#define PS_TESTS_CHECK_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/status.h"
#include "kernels/table.h"

enum { CHECK_MEMORY_MAX = 64 };

typedef struct check_memory {
    uint8_t *base, *data;
    size_t mapped, bytes;
} check_memory;

typedef struct ps_check {
    const ps_kernel *kernel;
    const char *name; /* of the implementation */
    ps_kernel_fn *fn;
    uint64_t random; /* state of check_random() */
    uint32_t passed, failed;
    bool bench, device;
    bool together; /* planes of a series */
    uint32_t memory_count;
    check_memory memory[CHECK_MEMORY_MAX];
} ps_check;

/* Counts one check and prints the failed ones. */
bool check_that(ps_check *c, bool right, const char *format, ...) PS_PRINTF(3, 4);

uint64_t check_random(ps_check *c);

/* Memory whose end lies at an unmapped page, with a pattern in front: reading or writing behind it
 * is a fault, writing in front of it is found by check_release(), which takes back all of it. */
void *check_take(ps_check *c, size_t bytes);
void check_release(ps_check *c);

/* Median nanoseconds of a call over [0, n), printed per item and, where bytes are given, per byte.
 */
void check_bench(ps_check *c, const char *what, void *const *buf, const void *params, uint32_t n,
                 uint64_t bytes);
/* The same for a library to compare with, run in the same process. */
void check_bench_other(ps_check *c, const char *library, const char *what, ps_kernel_fn *fn,
                       void *const *buf, const void *params, uint32_t n, uint64_t bytes);

/* Kernels of the form (bytes, begin, length, out): records of every length, shape and order. */
typedef struct check_records {
    uint32_t n;
    uint8_t *bytes;
    uint32_t *begin, *length;
} check_records;
check_records check_records_take(ps_check *c, const uint32_t *length, uint32_t n);
/* Records of these lengths: the whole call, and a piece of it. */
void check_lengths(ps_check *c, const void *params, const uint32_t *length, uint32_t n,
                   uint32_t out_bytes, const char *what);
void check_bytes_kernel(ps_check *c, const void *params, uint32_t out_bytes);
/* Lines of `file`: message in hexadecimal, or COUNTxBYTE, or COUNT%251
 * (bytes that count 0 to 250 over and over); then the expected bytes of the output. */
void check_vectors(ps_check *c, const void *params, const char *file, uint32_t out_bytes);
/* Against another library's function, for lengths 0 to 1100 and a few long ones. */
void check_library(ps_check *c, const void *params, uint32_t out_bytes,
                   void (*library)(const uint8_t *, size_t, void *));
/* Records of one length, 0 for a mix of 64 to 4096 bytes, through a device: what runs on this
 * processor is measured by bench/kernels.h. */
void check_bench_bytes(ps_check *c, const void *params, uint32_t length);

/* Kernels with the buffers of ewma. `params` has its fields at these places. */
typedef struct check_series_kernel {
    void *params;
    uint32_t *warmup, *capacity, *type, planes;
    /* The state and the score of one value, computed in long double and in another way. */
    long double (*oracle)(long double *state, long double x, uint32_t warmup);
    bool slow; /* no more than a thousand rows at a time */
} check_series_kernel;
void check_series(ps_check *c, const check_series_kernel *k);
/* The same for kernels that keep the planes of a series together. They are slow, so that a fifth of
 * the batches' shapes is tried. */
void check_series_together(ps_check *c, const check_series_kernel *k);

#endif
