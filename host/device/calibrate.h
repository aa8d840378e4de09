/* SPDX-License-Identifier: Apache-2.0
 * What a kernel costs on a device: a fixed part, a part per row and a part per byte, copies apart.
 * Measured once and kept on disk; corrected by what batches really take. From these sums a job is
 * given to a GPU or not. Results never depend on it: all devices agree to the bit.
 */
#ifndef PS_HOST_DEVICE_CALIBRATE_H
#define PS_HOST_DEVICE_CALIBRATE_H

#include <stdatomic.h>

#include "host/device/backend.h"
#include "host/device/cache.h"

typedef struct ps_cost {
    double fixed_ns, row_ns, byte_ns;
    double factor;  /* by what batches differ from that, 1 until some were seen */
    uint32_t known; /* 0: this kernel was not measured */
    uint32_t reserved;
} ps_cost;

typedef struct ps_costs {
    ps_cost kernel[PS_KERNEL_COUNT];
    /* A copy, and every byte of it, to the device and back. All 0 where memory is shared. */
    double copy_ns, up_byte_ns, down_byte_ns;
    /* What measuring took, and beside it what the driver took to build kernels, which is kept and
     * which the first job would have paid otherwise. */
    int64_t took_ns, build_ns;
    uint32_t launches, reserved;
    char name[PS_CACHE_NAME_MAX]; /* under which it is kept */
} ps_costs;

enum {
    PS_CALIBRATION_NS_MAX = 150 * 1000 * 1000, /* then the rest stays unknown */
    /* However slow or fast the device. */
    PS_CALIBRATION_LAUNCHES_MAX = PS_KERNEL_COUNT * 3 * 4
};

/* Those of device `index`, from the cache. False: never measured with this driver, instruction set
 * and set of kernels. */
bool ps_costs_load(const ps_backend *backend, uint32_t index, ps_costs *out);

/* Measures every kernel, below 200 ms in all, and keeps the result. Blocks. AGAIN: `stop` became
 * true, nothing is kept. */
ps_status ps_costs_measure(const ps_backend *backend, uint32_t index, const atomic_bool *stop,
                           ps_costs *out, ps_error *error) PS_MUST_USE;

/* Keeps what was corrected. */
void ps_costs_keep(const ps_costs *costs);

static inline double ps_cost_of(const ps_cost *cost, double rows, double bytes) {
    return cost->factor * (cost->fixed_ns + rows * cost->row_ns + bytes * cost->byte_ns);
}

/* A batch took `ratio` times what ps_cost_of() says: a sixteenth of that is believed, and no more
 * than a factor of two of any single batch, because a lane is now and then put off its core. */
void ps_cost_correct(ps_cost *cost, double ratio);

/* The smallest batch, in rows of `row_bytes`, for which the device with its copies is not slower
 * than the processor; 0: none is. */
uint64_t ps_break_even(const ps_costs *processor, const ps_costs *device, ps_kernel_id kernel,
                       uint32_t row_bytes);

#endif
