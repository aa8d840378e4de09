/* SPDX-License-Identifier: Apache-2.0
 * Which implementation of each kernel this machine runs. The rows of implementations.def are
 * ordered from slow to fast; a kernel's choice is the last row that the processor can run and that
 * the level allows, until simd/calibrate.h has measured better. The levels are scalar, avx2, avx512
 * and neon; a level includes the lower ones of its processor, never a higher one. SHA-NI belongs to
 * level avx2 and upward, where CPUID has it. The environment variable PS_ISA forces a level.
 */
#ifndef PS_SIMD_DISPATCH_H
#define PS_SIMD_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/status.h"
#include "kernels/table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Chooses by CPUID and PS_ISA (empty is unset). Allocates nothing, takes microseconds.
 * Fails: PS_BAD_CONFIG where PS_ISA names no level, or one that this machine lacks; the message
 * lists those it has.
 * Threads: call it before the first lane starts. */
PS_MUST_USE ps_status ps_dispatch_init(ps_error *error);

/* What to call, and its name in words ("sha-ni x4"). Before ps_dispatch_init() it is the reference.
 */
ps_kernel_fn *ps_dispatch(ps_kernel_id id);
const char *ps_dispatch_chosen(ps_kernel_id id);

/* Takes the implementation of that name from now on; false where this machine, or the level, has
 * none. Threads: any time; kernels that run go on as they are. */
bool ps_dispatch_choose(ps_kernel_id id, const char *name);

/* The level in use: scalar, avx2, avx512 or neon. */
const char *ps_dispatch_isa(void);

/* All implementations that this machine can run at the level in use, slow to fast; 0 is always the
 * reference. */
uint32_t ps_dispatch_count(ps_kernel_id id);
ps_kernel_fn *ps_dispatch_at(ps_kernel_id id, uint32_t index, const char **name);

/* Runs a known answer through the chosen implementation of every kernel; below 2 ms.
 * Fails: PS_DEVICE, naming kernel and implementation: process no data on this machine. */
PS_MUST_USE ps_status ps_kernels_self_test(ps_error *error);

/* One object that a known answer gives to a kernel as a buffer. */
typedef struct ps_known {
    void *data;
    size_t bytes;
} ps_known;

/* Computes items [0, n) of a kernel over these objects, wherever; false: it could not. */
typedef bool ps_known_run(void *context, ps_kernel_id id, const ps_known *operands,
                          const void *params, uint32_t n);

/* Whether `run` gives the known answer of kernel `id`: how a device is tested before it gets data.
 */
bool ps_known_answer(ps_kernel_id id, ps_known_run *run, void *context);

#ifdef __cplusplus
}
#endif
#endif
