/* SPDX-License-Identifier: Apache-2.0
 * Devices as contestants of the kernel bench: the first of every back-end that is worth a look
 * (PS_GPU=look: also where no device node is seen). Each has two rows, one with its operands
 * resident, one with what goes up and what comes down copied from and to the host. A device gets
 * the case's operands many times over, because what fits a processor's cache does not fill it; one
 * that is a processor (PoCL) gets them once.
 */
#ifndef PS_BENCH_DEVICES_H
#define PS_BENCH_DEVICES_H

#include "bench/kernels.h"

/* Fails: PS_DEVICE where one fails its self-test or gives another answer than the reference. */
PS_MUST_USE ps_status ps_devices_add(ps_contest *c, ps_error *error);
void ps_devices_remove(ps_contest *c);

/* Computes the case once, `copies`: from the host; waits for it. */
PS_MUST_USE ps_status ps_bench_device_call(ps_bench_device *on, bool copies);

#endif
