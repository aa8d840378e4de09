/* SPDX-License-Identifier: Apache-2.0
 * OpenCL: any GPU with a driver, or a processor's (PoCL). One context a device for the whole
 * process, one in-order queue a lane, one kernel object a call, so that a launch sets only what
 * changes.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/device/kernel_text.h"
#include "host/device/opencl.h"
#include "kernels/dialect.h"

enum { DEVICES_MAX = 16 };

/* A device of the machine. Programs belong to it, so lanes that open it together compile once. */
struct ps_device {
    cl_object id, context;
    uint32_t lanes; /* that have it open; the context lives as long as one has */
    bool exact, floats;
    uint32_t group; /* work-items of one: launches are rounded up to that many */
    ps_device_about about;
    cl_object program[PS_KERNEL_COUNT];
};

static struct {
    pthread_mutex_t lock;
    bool listed;
    uint32_t count;
    ps_device device[DEVICES_MAX];
} machine = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What ps_block.device stands for. */
typedef struct mirror {
    cl_object memory;
    cl_object pinned, pin_queue; /* maps the host side for good, so that copies need no staging */
    void *mapped;
} mirror;

struct ps_call {
    ps_call *next;
    cl_object kernel;
    uint32_t params_at; /* argument index */
    uint16_t params_bytes;
};

struct ps_queue {
    ps_device *device;
    cl_object queue;
    ps_call *calls; /* all that were bound, to be freed with the queue */
    const ps_wake *wake;
    uint64_t marked, done; /* marks made and found finished: ring positions */
    uint64_t ticket[PS_MARKS_MAX], newest;
    cl_object event[PS_MARKS_MAX];
    _Atomic uint32_t ringing; /* notifications that the driver still owes */
    char fault[96];
};

static const ps_opencl *cl(void) {
    return ps_opencl_load(NULL);
}

static bool likely(void) {
    static const char *const nodes[] = {"/dev/nvidiactl", "/dev/kfd", "/dev/dri/renderD128",
                                        "/dev/mali0", "/dev/dxg"};
    for (uint32_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (access(nodes[i], F_OK) == 0) return true;
    return false;
}

static void ask(cl_object id, uint32_t what, char *text, size_t bytes) {
    if (cl()->clGetDeviceInfo(id, what, bytes, text, NULL) != 0) text[0] = 0;
    text[bytes - 1] = 0;
}

static uint64_t ask_number(cl_object id, uint32_t what, size_t bytes) {
    uint64_t number = 0;
    return cl()->clGetDeviceInfo(id, what, bytes, &number, NULL) == 0 ? number : 0;
}

static void learn(ps_device *device, cl_object id) {
    char version[48], driver[48];
    const uint64_t single_needs = CL_FP_DENORMALS | CL_FP_INFINITE | CL_FP_NEAREST;
    const uint64_t single_has = ask_number(id, CL_DEVICE_SINGLE_FP, 8);
    const uint64_t double_needs = single_needs | CL_FP_FUSED;
    const uint64_t double_has = ask_number(id, CL_DEVICE_DOUBLE_FP, 8);
    device->id = id;
    device->exact = (single_has & CL_FP_EXACT_DIVIDE) != 0;
    device->floats = device->exact && (single_has & single_needs) == single_needs &&
                     (double_has & double_needs) == double_needs;
    const uint64_t group_max = ask_number(id, CL_DEVICE_GROUP_MAX, sizeof(size_t));
    device->group = PS_GROUP;
    while (device->group > 1 && device->group > group_max) device->group /= 2;
    ask(id, CL_DEVICE_NAME_INFO, device->about.name, sizeof device->about.name);
    ask(id, CL_DRIVER_VERSION_INFO, driver, sizeof driver);
    ask(id, CL_DEVICE_VERSION_INFO, version, sizeof version);
    (void)snprintf(device->about.driver, sizeof device->about.driver, "%s, %s", version, driver);
    device->about.processor = (ask_number(id, CL_DEVICE_TYPE_INFO, 8) & CL_TYPE_CPU) != 0;
    device->about.bytes = ask_number(id, CL_DEVICE_MEMORY, 8);
}

/* Accelerators first: device 0 is the one that is worth a lane. */
static void list_devices(bool processors) {
    cl_object platform[8], id[DEVICES_MAX];
    uint32_t platforms = 0;
    if (cl()->clGetPlatformIDs(8, platform, &platforms) != 0) return;
    for (uint32_t p = 0; p < platforms && p < 8; p++) {
        uint32_t ids = 0;
        if (cl()->clGetDeviceIDs(platform[p], CL_TYPE_ANY, DEVICES_MAX, id, &ids) != 0) continue;
        for (uint32_t i = 0; i < ids && i < DEVICES_MAX && machine.count < DEVICES_MAX; i++) {
            const bool is = (ask_number(id[i], CL_DEVICE_TYPE_INFO, 8) & CL_TYPE_CPU) != 0;
            if (is == processors && ask_number(id[i], CL_DEVICE_LITTLE, 4) != 0)
                learn(&machine.device[machine.count++], id[i]);
        }
    }
}

static uint32_t devices(const char **why) {
    if (ps_opencl_load(why) == NULL) return 0;
    (void)pthread_mutex_lock(&machine.lock);
    if (!machine.listed) {
        list_devices(false);
        list_devices(true);
        machine.listed = true;
    }
    const uint32_t count = machine.count;
    (void)pthread_mutex_unlock(&machine.lock);
    if (count == 0 && why != NULL) *why = "libOpenCL.so.1 knows no device";
    return count;
}

static ps_status open_device(uint32_t index, ps_device **out, ps_error *error) {
    const char *why = "";
    const uint32_t count = devices(&why);
    if (count == 0) return ps_fail(error, PS_UNSUPPORTED, "there is no OpenCL device: %s", why);
    if (index >= count)
        return ps_fail(error, PS_UNSUPPORTED, "there is no OpenCL device %u, only %u", index,
                       count);
    ps_device *device = &machine.device[index];
    int32_t status = 0;
    (void)pthread_mutex_lock(&machine.lock);
    if (device->lanes == 0)
        device->context = cl()->clCreateContext(NULL, 1, &device->id, NULL, NULL, &status);
    if (device->context != NULL) device->lanes++;
    (void)pthread_mutex_unlock(&machine.lock);
    if (device->context == NULL)
        return ps_fail(error, PS_DEVICE, "OpenCL device %s does not open (error %d)",
                       device->about.name, status);
    *out = device;
    return PS_OK;
}

static void close_device(ps_device *device) {
    if (device == NULL) return;
    (void)pthread_mutex_lock(&machine.lock);
    if (--device->lanes == 0) {
        for (uint32_t i = 0; i < PS_KERNEL_COUNT; i++) {
            if (device->program[i] != NULL) (void)cl()->clReleaseProgram(device->program[i]);
            device->program[i] = NULL;
        }
        (void)cl()->clReleaseContext(device->context);
        device->context = NULL;
    }
    (void)pthread_mutex_unlock(&machine.lock);
}

static void about(const ps_device *device, ps_device_about *out) {
    *out = device->about;
}

/* A second buffer over the host's memory, mapped for good, is how OpenCL pins it. A refusal costs
 * speed, never correctness; a processor's driver copies from anywhere. */
static void pin(const ps_device *device, mirror *at, void *host, size_t bytes) {
    int32_t status = 0;
    if (device->about.processor) return;
    at->pin_queue = cl()->clCreateCommandQueue(device->context, device->id, 0, &status);
    if (at->pin_queue == NULL) return;
    at->pinned =
        cl()->clCreateBuffer(device->context, CL_READ_WRITE | CL_USE_HOST, bytes, host, &status);
    if (at->pinned != NULL)
        at->mapped = cl()->clEnqueueMapBuffer(at->pin_queue, at->pinned, 1, CL_MAP_BOTH, 0, bytes,
                                              0, NULL, NULL, &status);
}

static ps_status block_open(ps_device *device, void *host, size_t bytes, ps_block *out,
                            ps_error *error) {
    int32_t status = 0;
    mirror *at = calloc(1, sizeof *at);
    if (at == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a block");
    at->memory =
        cl()->clCreateBuffer(device->context, CL_READ_WRITE, bytes > 0 ? bytes : 1, NULL, &status);
    if (at->memory == NULL) {
        free(at);
        return ps_fail(error, PS_NO_MEMORY,
                       "OpenCL device %s: no room for %zu MiB (error %d); lower "
                       "runtime.batch_rows, depth or lanes",
                       device->about.name, bytes >> 20, status);
    }
    if (bytes > 0) pin(device, at, host, bytes);
    *out = (ps_block){host, (uint64_t)(uintptr_t)at, bytes};
    return PS_OK;
}

static mirror *mirror_of(const ps_block *block) {
    return (mirror *)(uintptr_t)block->device;
}

static void block_close(ps_device *device, ps_block *block) {
    mirror *at = mirror_of(block);
    (void)device;
    if (at->mapped != NULL) {
        (void)cl()->clEnqueueUnmapMemObject(at->pin_queue, at->pinned, at->mapped, 0, NULL, NULL);
        (void)cl()->clFinish(at->pin_queue);
    }
    if (at->pinned != NULL) (void)cl()->clReleaseMemObject(at->pinned);
    if (at->pin_queue != NULL) (void)cl()->clReleaseCommandQueue(at->pin_queue);
    (void)cl()->clReleaseMemObject(at->memory);
    free(at);
    *block = (ps_block){NULL, 0, 0};
}

static ps_status queue_open(ps_device *device, const ps_wake *wake, ps_queue **out,
                            ps_error *error) {
    int32_t status = 0;
    ps_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a queue");
    queue->device = device;
    queue->wake = wake;
    queue->queue = cl()->clCreateCommandQueue(device->context, device->id, 0, &status);
    if (queue->queue == NULL) {
        free(queue);
        return ps_fail(error, PS_DEVICE, "OpenCL device %s gives no queue (error %d)",
                       device->about.name, status);
    }
    *out = queue;
    return PS_OK;
}

static void queue_close(ps_queue *queue) {
    if (queue == NULL) return;
    (void)cl()->clFinish(queue->queue);
    /* A notification comes from a thread of the driver and may come after the work is done. */
    const struct timespec nap = {0, 100000};
    for (uint32_t i = 0; i < 20000 && atomic_load(&queue->ringing) > 0; i++)
        (void)nanosleep(&nap, NULL);
    while (queue->done < queue->marked)
        (void)cl()->clReleaseEvent(queue->event[queue->done++ % PS_MARKS_MAX]);
    while (queue->calls != NULL) {
        ps_call *call = queue->calls;
        queue->calls = call->next;
        (void)cl()->clReleaseKernel(call->kernel);
        free(call);
    }
    (void)cl()->clReleaseCommandQueue(queue->queue);
    /* A driver that still owes a notification would write into what is freed: leave it. */
    if (atomic_load(&queue->ringing) == 0) free(queue);
}

static ps_status program_of(ps_device *device, ps_kernel_id kernel, cl_object *program,
                            ps_error *error) {
    if (ps_kernel_texts[kernel].text == NULL)
        return ps_fail(error, PS_UNSUPPORTED, "kernel %s has no OpenCL text",
                       ps_kernels[kernel].name);
    if (ps_kernel_texts[kernel].floats && !device->floats)
        return ps_fail(error, PS_UNSUPPORTED,
                       "OpenCL device %s does not round as IEEE 754 says (denormals, division or "
                       "doubles are missing), so kernel %s is refused; set runtime.backend to cpu",
                       device->about.name, ps_kernels[kernel].name);
    ps_status status = PS_OK;
    (void)pthread_mutex_lock(&machine.lock);
    if (device->program[kernel] == NULL) {
        const ps_opencl_target target = {device->context, device->id, &device->about, device->exact,
                                         device->group};
        status = ps_opencl_build(cl(), &target, kernel, &device->program[kernel], error);
    }
    *program = device->program[kernel];
    (void)pthread_mutex_unlock(&machine.lock);
    return status;
}

static ps_status bind(ps_queue *queue, ps_kernel_id kernel, const ps_span *operands, ps_call **out,
                      ps_error *error) {
    const ps_kernel *row = &ps_kernels[kernel];
    char name[64];
    cl_object program = NULL;
    int32_t status = 0;
    PS_TRY(program_of(queue->device, kernel, &program, error));
    ps_call *call = calloc(1, sizeof *call);
    if (call == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a kernel call");
    (void)snprintf(name, sizeof name, "ps_%s", row->name);
    call->kernel = cl()->clCreateKernel(program, name, &status);
    for (uint32_t i = 0; i < row->buffers && status == 0; i++) {
        const uint64_t at = operands[i].offset;
        status = cl()->clSetKernelArg(call->kernel, 2 * i, sizeof(cl_object),
                                      &mirror_of(operands[i].block)->memory);
        if (status == 0) status = cl()->clSetKernelArg(call->kernel, 2 * i + 1, sizeof at, &at);
    }
    call->params_at = 2u * row->buffers;
    call->params_bytes = row->params_bytes;
    call->next = queue->calls;
    if (call->kernel != NULL) queue->calls = call;
    if (status == 0 && call->kernel != NULL) {
        *out = call;
        return PS_OK;
    }
    if (call->kernel == NULL) free(call);
    return ps_fail(error, PS_UNSUPPORTED, "OpenCL device %s: kernel %s does not bind (error %d)",
                   queue->device->about.name, row->name, status);
}

/* Every failure on the data path is the device's: what it held is lost. */
static ps_status told(ps_queue *queue, const char *what, int32_t status) {
    if (status == 0) return PS_OK;
    (void)snprintf(queue->fault, sizeof queue->fault, "%s: OpenCL error %d", what, status);
    return PS_DEVICE;
}

static ps_status launch(ps_queue *queue, ps_call *call, const void *params, uint32_t begin,
                        uint32_t end) {
    if (begin >= end) return PS_OK;
    const size_t group = queue->device->group;
    const size_t items = ((size_t)(end - begin) + group - 1) / group * group;
    int32_t status =
        cl()->clSetKernelArg(call->kernel, call->params_at, call->params_bytes, params);
    if (status == 0)
        status = cl()->clSetKernelArg(call->kernel, call->params_at + 1, sizeof begin, &begin);
    if (status == 0)
        status = cl()->clSetKernelArg(call->kernel, call->params_at + 2, sizeof end, &end);
    if (status == 0)
        status = cl()->clEnqueueNDRangeKernel(queue->queue, call->kernel, 1, NULL, &items, &group,
                                              0, NULL, NULL);
    return told(queue, "launch", status);
}

static ps_status upload(ps_queue *queue, ps_span span, size_t bytes) {
    if (bytes == 0) return PS_OK;
    return told(queue, "upload",
                cl()->clEnqueueWriteBuffer(queue->queue, mirror_of(span.block)->memory, 0,
                                           span.offset, bytes, span.block->host + span.offset, 0,
                                           NULL, NULL));
}

static ps_status download(ps_queue *queue, ps_span span, size_t bytes) {
    if (bytes == 0) return PS_OK;
    return told(queue, "download",
                cl()->clEnqueueReadBuffer(queue->queue, mirror_of(span.block)->memory, 0,
                                          span.offset, bytes, span.block->host + span.offset, 0,
                                          NULL, NULL));
}

static void ring(cl_object event, int32_t status, void *user) {
    ps_queue *queue = user;
    (void)event;
    (void)status;
    ps_wake_signal(queue->wake);
    atomic_fetch_sub(&queue->ringing, 1);
}

static ps_status mark(ps_queue *queue, uint64_t ticket) {
    PS_CHECK_OP(queue->marked - queue->done, <, (uint64_t)PS_MARKS_MAX);
    const uint64_t at = queue->marked % PS_MARKS_MAX;
    PS_TRY(told(queue, "mark",
                cl()->clEnqueueMarkerWithWaitList(queue->queue, 0, NULL, &queue->event[at])));
    queue->ticket[at] = ticket;
    queue->marked++;
    atomic_fetch_add(&queue->ringing, 1);
    if (cl()->clSetEventCallback(queue->event[at], 0, ring, queue) != 0)
        atomic_fetch_sub(&queue->ringing, 1);
    return told(queue, "flush", cl()->clFlush(queue->queue));
}

static ps_status done(ps_queue *queue, uint64_t *ticket) {
    while (queue->done < queue->marked) {
        const uint64_t at = queue->done % PS_MARKS_MAX;
        int32_t state = 0;
        PS_TRY(told(
            queue, "event",
            cl()->clGetEventInfo(queue->event[at], CL_EVENT_STATUS, sizeof state, &state, NULL)));
        if (state < 0) return told(queue, "batch", state);
        if (state > 0) break;
        (void)cl()->clReleaseEvent(queue->event[at]);
        queue->newest = queue->ticket[at];
        queue->done++;
    }
    if (queue->newest > *ticket) *ticket = queue->newest;
    return PS_OK;
}

static const char *fault(const ps_queue *queue) {
    return queue->fault;
}

const ps_backend ps_backend_opencl = {
    .name = "opencl",
    .host_mirrors = true,
    .driver_bytes = (size_t)240 << 20, /* PoCL 3.1, compiling; 75 MiB once its cache is warm */
    .likely = likely,
    .devices = devices,
    .open = open_device,
    .close = close_device,
    .about = about,
    .block_open = block_open,
    .block_close = block_close,
    .queue_open = queue_open,
    .queue_close = queue_close,
    .bind = bind,
    .launch = launch,
    .upload = upload,
    .download = download,
    .mark = mark,
    .done = done,
    .fault = fault,
};
