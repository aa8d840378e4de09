/* SPDX-License-Identifier: Apache-2.0
 * What a kernel costs on a device, measured once and kept on disk: a fixed part, a part per row and
 * a part per byte, copies apart. From these sums a job is given to a GPU or not, before it runs.
 */
#ifndef PS_HOST_DEVICE_CALIBRATE_H
#define PS_HOST_DEVICE_CALIBRATE_H

#include "host/device/backend.h"

typedef struct ps_cost {
    double fixed_ns, row_ns, byte_ns;
    uint32_t known; /* 0: this kernel was not measured */
    uint32_t reserved;
} ps_cost;

typedef struct ps_costs {
    ps_cost kernel[PS_KERNEL_COUNT];
    /* A copy, and every byte of it, to the device and back. All 0 where memory is shared. */
    double copy_ns, up_byte_ns, down_byte_ns;
} ps_costs;

/* Those of device `index`, from the cache. False: never measured with this driver, instruction set
 * and set of kernels. */
bool ps_costs_load(const ps_backend *backend, uint32_t index, ps_costs *out);

/* Measures every kernel that has a sample, below 200 ms in all, and keeps the result. Blocks. */
ps_status ps_costs_measure(const ps_backend *backend, uint32_t index, ps_costs *out,
                           ps_error *error) PS_MUST_USE;

static inline double ps_cost_of(const ps_cost *cost, double rows, double bytes) {
    return cost->fixed_ns + rows * cost->row_ns + bytes * cost->byte_ns;
}

/* The smallest batch, in rows of `row_bytes`, for which the device with its copies is not slower
 * than the processor; 0: none is. */
uint64_t ps_break_even(const ps_costs *processor, const ps_costs *device, ps_kernel_id kernel,
                       uint32_t row_bytes);

#endif
