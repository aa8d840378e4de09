/* SPDX-License-Identifier: Apache-2.0
 * Every kernel by id: what a back-end, the dispatch, the tests and the bench walk over. The host
 * fills the parameters of kernel x from the struct in kernels/x.h; shapes and units stand above
 * each kernel in kernels/x.c.
 */
#ifndef PS_KERNELS_TABLE_H
#define PS_KERNELS_TABLE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Computes items [begin, end). `buf` holds the kernel's buffers in the order of its PS_ENTRY_n
 * line, `params` its struct. Items of one call are independent: any split into ranges gives the
 * same bytes, so threads may share a call. */
typedef void ps_kernel_fn(void *const *buf, const void *params, uint32_t begin, uint32_t end);

typedef struct ps_kernel {
    const char *name;
    ps_kernel_fn *reference; /* plain C, what every other implementation is compared with */
    uint16_t buffers, params_bytes;
    uint32_t ulp_max;       /* how far another implementation may differ; 0: not at all */
    const uint32_t *writes; /* bit i: buffer i is written; the others are only read */
} ps_kernel;

#define PS_KERNEL_ROW(name, NAME, buffers, ulp) PS_KERNEL_##NAME,
typedef enum ps_kernel_id {
#include "kernels/kernels.def"
    PS_KERNEL_COUNT
} ps_kernel_id;
#undef PS_KERNEL_ROW

extern const ps_kernel ps_kernels[PS_KERNEL_COUNT];

#ifdef __cplusplus
}
#endif
#endif
