/* SPDX-License-Identifier: Apache-2.0
 * A device as one more implementation: check_device_run() has the form of a kernel function, copies
 * what the check took to the device, runs there and copies back, guard bytes included. So every
 * check of check_kernels runs on every device.
 */
#ifndef PS_TESTS_CHECK_DEVICE_H
#define PS_TESTS_CHECK_DEVICE_H

#include "host/device/backend.h"
#include "tests/check_kernels.h"

/* Opens device `index`. False: it does not open, and `error` says why. One at a time. */
bool check_device_open(const ps_backend *backend, uint32_t index, ps_error *error);
void check_device_close(void);

/* The implementation's name, "opencl: NAME". */
const char *check_device_name(void);

/* Whether the device computes this kernel at all; a refusal names its reason. */
bool check_device_takes(ps_kernel_id kernel, ps_error *error);

/* Points `c` at the device; all later runs take their memory from `c`. */
void check_device_use(ps_check *c);
ps_kernel_fn check_device_run;

/* Wall time of a launch over [0, n): with its operands resident, and with all of them copied there
 * and what is written copied back. */
void check_device_bench(ps_check *c, const char *what, void *const *buf, const void *params,
                        uint32_t n, uint64_t bytes);

#endif
