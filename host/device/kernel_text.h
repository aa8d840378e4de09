/* SPDX-License-Identifier: Apache-2.0
 * The source of every kernel, headers included, inside the program: for drivers that compile at
 * run time. Generated when penstock is built (scripts/cmake/EmbedKernels.cmake).
 */
#ifndef PS_HOST_DEVICE_KERNEL_TEXT_H
#define PS_HOST_DEVICE_KERNEL_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/table.h"

typedef struct ps_kernel_text {
    const char *text;
    bool
        floats; /* it computes with floats: only a device that rounds as IEEE 754 says may run it */
} ps_kernel_text;

/* What stands in front of every kernel's text. */
extern const char *const ps_dialect_text;
extern const ps_kernel_text ps_kernel_texts[PS_KERNEL_COUNT];

#endif
