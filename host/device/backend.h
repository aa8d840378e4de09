/* SPDX-License-Identifier: Apache-2.0
 * The only floor that knows where kernels run. A back-end is a table of functions; the lane holds
 * one of each object: device, queue, blocks, and calls bound to the buffers of one slot.
 */
#ifndef PS_HOST_DEVICE_BACKEND_H
#define PS_HOST_DEVICE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/status.h"
#include "host/base/wake.h"
#include "host/batch/batch.h"
#include "kernels/table.h"

typedef struct ps_device ps_device;
typedef struct ps_queue ps_queue;
typedef struct ps_call ps_call;

typedef struct ps_span {
    const ps_block *block;
    size_t offset;
} ps_span;

enum { PS_DEVICE_NAME_MAX = 128 };

/* What a device says of itself. */
typedef struct ps_device_about {
    char name[PS_DEVICE_NAME_MAX];
    char driver[PS_DEVICE_NAME_MAX]; /* changes when its code would: caches are keyed by it */
    bool processor;                  /* it computes on the cores that lanes run on */
    size_t bytes;                    /* of its own memory; 0: unknown */
} ps_device_about;

typedef struct ps_backend {
    const char *name;
    bool shares_memory; /* a block is its own mirror: nothing needs to be copied */
    bool host_mirrors;  /* its device may be a processor, whose mirrors are host memory */
    /* Of the host's memory, that its driver takes with one context and compiling kernels: measured
     * or estimated, because no driver says. */
    size_t driver_bytes;
    /* Whether a look at the driver is worth it, without loading anything: how a machine without a
     * GPU pays nothing for it. */
    bool (*likely)(void);
    /* Loads the driver at its first call; 0 when it is missing, which is never an error. `why` says
     * why there are none; may be NULL. */
    uint32_t (*devices)(const char **why);
    ps_status (*open)(uint32_t index, ps_device **out, ps_error *error);
    void (*close)(ps_device *);
    void (*about)(const ps_device *, ps_device_about *out);
    /* Pins `host` where that helps and makes its mirror. The host memory stays the caller's. */
    ps_status (*block_open)(ps_device *, void *host, size_t bytes, ps_block *out, ps_error *error);
    void (*block_close)(ps_device *, ps_block *);
    /* In order; one per lane. Signals the wake when a ticket finishes. */
    ps_status (*queue_open)(ps_device *, const ps_wake *, ps_queue **out, ps_error *error);
    void (*queue_close)(ps_queue *); /* waits for what runs; frees its calls too */
    /* UNSUPPORTED: this device cannot compute that kernel to the bit. */
    ps_status (*bind)(ps_queue *, ps_kernel_id, const ps_span *operands, ps_call **out,
                      ps_error *error);
    /* The data path: none of these allocates, blocks or waits. PS_DEVICE: the device is lost, and
     * so is all that it held; `fault` says what its driver said. */
    ps_status (*launch)(ps_queue *, ps_call *, const void *params, uint32_t begin, uint32_t end);
    ps_status (*upload)(ps_queue *, ps_span, size_t bytes);
    ps_status (*download)(ps_queue *, ps_span, size_t bytes);
    ps_status (*mark)(ps_queue *, uint64_t ticket);  /* all queued so far belongs to ticket */
    ps_status (*done)(ps_queue *, uint64_t *ticket); /* newest ticket finished; kept if none is */
    const char *(*fault)(const ps_queue *);
} ps_backend;

enum { PS_MARKS_MAX = 32 }; /* tickets of a queue that may be unfinished at once */

extern const ps_backend ps_backend_cpu, ps_backend_cuda, ps_backend_opencl;

/* The back-end called `name`, NULL: unknown. Loads no driver. */
const ps_backend *ps_backend_find(const char *name);

/* The i-th of this build, NULL behind the last: in the order in which a lane that has lost its
 * device goes on to the next. The processor is the last. */
const ps_backend *ps_backend_at(uint32_t index);

/* `likely` of a back-end, or what PS_GPU says of all of them: `look` (load drivers even where no
 * device node is seen) or `ignore`. */
bool ps_backend_likely(const ps_backend *backend);
/* What the largest driver takes that a job may load: `named` or what follows it when it is lost,
 * NULL: any that is likely. They are asked one after the other, to the first that has a device.
 * Loads nothing. */
size_t ps_backend_driver_bytes(const ps_backend *named);

/* PS_GPU=ignore: who lists all back-ends leaves this one's driver alone too. */
bool ps_backend_ignored(const ps_backend *backend);

/* Where a lane goes on whose device is lost: the next one that has a device which is no processor,
 * in the end the CPU. NULL: `lost` was the CPU. */
const ps_backend *ps_backend_after(const ps_backend *lost);

/* Sleeps until `ticket` is finished. Only where nothing runs yet: opening, tests. */
ps_status ps_backend_wait(const ps_backend *backend, ps_queue *queue, uint64_t ticket) PS_MUST_USE;

/* Runs the known answer of one kernel, or of all of them (PS_KERNEL_COUNT), on an open device.
 * Kernels that it refuses to compute are left out. Fails: PS_DEVICE, naming kernel and device: it
 * must get no data. */
ps_status ps_device_self_test(const ps_backend *backend, ps_device *device, ps_kernel_id kernel,
                              ps_error *error) PS_MUST_USE;

#endif
