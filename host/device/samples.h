/* SPDX-License-Identifier: Apache-2.0
 * A batch for every kernel to be measured with: operands, parameters and what a user's batch of so
 * many rows would make of them. A kernel without a sample does not compile.
 */
#ifndef PS_HOST_DEVICE_SAMPLES_H
#define PS_HOST_DEVICE_SAMPLES_H

#include "host/device/backend.h"

enum {
    PS_SAMPLE_ROWS = 2048,
    PS_SAMPLE_SHORT = 64, /* bytes of a record, twice */
    PS_SAMPLE_LONG = 512,
    PS_SAMPLE_BYTES = PS_SAMPLE_ROWS * (PS_SAMPLE_LONG + 192) + 65536
};

typedef struct ps_sample {
    ps_span span[PS_OPERANDS_MAX];
    uint32_t operands;
    uint32_t items; /* of the launch */
    size_t used;    /* bytes of the block */
    uint8_t params[PS_PARAMS_MAX];
} ps_sample;

/* Lays the operands of a call over `rows` rows of `length` bytes, at most PS_SAMPLE_ROWS and
 * PS_SAMPLE_LONG, into a block of PS_SAMPLE_BYTES. */
void ps_sample_make(ps_kernel_id kernel, uint32_t rows, uint32_t length, const ps_block *block,
                    ps_sample *out);

/* Whether a row's bytes are read, and what comes back of it. */
bool ps_sample_reads_bytes(ps_kernel_id kernel);
uint32_t ps_sample_down(ps_kernel_id kernel);

#endif
