/* SPDX-License-Identifier: Apache-2.0
 * `penstock bench kernels`: every implementation of a kernel beside the best libraries there are,
 * on the same bytes, in one thread, interleaved. Needs nothing but floors 0 to 3, so it runs on a
 * bare machine as well; libraries and devices are looked for when it starts, and one that is not
 * there has no row.
 *
 * To add a case: a row in kernel_cases.c; where its operands have another form, a function beside
 * it. To add a library: a function of a kernel's form and a row in libraries.c.
 */
#ifndef PS_BENCH_KERNELS_H
#define PS_BENCH_KERNELS_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/measure.h"
#include "host/base/status.h"
#include "kernels/table.h"

typedef struct ps_kernels_config {
    const char *const *names; /* kernels to measure; none: all that have cases */
    uint32_t name_count;
    const char *json; /* file for the results, NULL: none */
} ps_kernels_config;

/* Prints a table to stdout as it goes and writes the JSON at the end; within 180 s.
 * Fails: PS_DEVICE where two implementations disagree; they are not measured then. */
PS_MUST_USE ps_status ps_bench_kernels(const ps_kernels_config *config, ps_error *error);

/* The kernels by name, separated by blanks, for messages. */
const char *ps_bench_kernels_names(void);

enum { PS_CASE_BUFFERS_MAX = 12, PS_CASE_CONTESTANTS_MAX = 16 };

typedef struct ps_bench_device ps_bench_device; /* bench/devices.h */

/* One who takes part in a case. Every one is called in the form of a kernel, or is a device. */
typedef struct ps_contestant {
    const char *name;
    ps_kernel_fn *fn;
    ps_bench_device *on; /* NULL: it runs here */
    bool copies;         /* to the device and back */
    uint32_t times;      /* a device's call computes the case so many times */
    bool own, chosen;
    bool free;     /* not compared: it does less than the kernel and says how fast that can be, or
                      its answer is right and another one */
    bool limit;    /* says how far the machine goes: no library that others are measured beside */
    ps_samples ns; /* of one record, a sample a round */
    uint32_t disturbed; /* samples beside which the core was not quiet (bench/quiet.h) */
} ps_contestant;

/* A case that is open: its operands, and who runs on them. */
typedef struct ps_contest {
    const char *kernel, *name;
    ps_kernel_id id;
    void *buf[PS_CASE_BUFFERS_MAX];
    const void *params;
    uint32_t n;              /* items of a call */
    uint64_t records, bytes; /* what a call counts as: rows of the result are of one record */
    uint32_t out;            /* which buffer is written … */
    size_t out_bytes;        /* … and how much: what all must agree in */
    /* Of an item in buffers 1 and up, where a device may take part; buffer 0 are `bytes` bytes. */
    size_t item_bytes[PS_CASE_BUFFERS_MAX];
    bool wall; /* time is the clock on the wall's, because one has several threads */
    ps_contestant contestant[PS_CASE_CONTESTANTS_MAX];
    uint32_t count;
} ps_contest;

/* A row of the table. `open` allocates the operands, with malloc; they are freed one by one. Where
 * it names no contestants, they are the kernel's implementations; the first is the reference. */
typedef struct ps_kernel_case {
    const char *kernel, *name;
    ps_kernel_id id;
    void (*open)(const struct ps_kernel_case *row, ps_contest *out);
    uint32_t min, max; /* bytes of a record */
    uint32_t out_bytes;
} ps_kernel_case;

/* NULL behind the last. The JSON reader's one and the compressors' stand behind all others, where
 * they were built. */
const ps_kernel_case *ps_kernel_case_at(uint32_t index);
const ps_kernel_case *ps_json_case_at(uint32_t index);
const ps_kernel_case *ps_codec_case_at(uint32_t index);

/* The libraries that compute `kernel` and are there, appended to the contest. */
void ps_libraries_add(ps_contest *contest);

#endif
