/* SPDX-License-Identifier: Apache-2.0
 * CUDA: one primary context a device for the whole process, one stream a lane, host blocks pinned
 * where the system lets us. Modules belong to the device, so lanes share them.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/log.h"
#include "host/device/backend.h"
#include "host/device/cuda.h"
#include "kernels/dialect.h"

enum { DEVICES_MAX = 16 };

struct ps_device {
    int id;
    cu_object context;
    uint32_t lanes; /* that have it open */
    bool told;      /* that memory could not be pinned */
    ps_device_about about;
    cu_object module[PS_KERNEL_COUNT];
};

static struct {
    pthread_mutex_t lock;
    bool listed;
    uint32_t count;
    ps_device device[DEVICES_MAX];
} machine = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What ps_block.device stands for. */
typedef struct mirror {
    uint64_t memory;
    bool pinned;
} mirror;

struct ps_call {
    ps_call *next;
    cu_object function;
    uint32_t buffers;
    uint64_t buffer[PS_OPERANDS_MAX];
};

struct ps_queue {
    ps_device *device;
    cu_object stream;
    ps_call *calls;
    const ps_wake *wake;
    uint64_t marked, done; /* ring positions */
    uint64_t ticket[PS_MARKS_MAX], newest;
    cu_object event[PS_MARKS_MAX];
    char fault[96];
};

static const ps_cuda *cu(void) {
    return ps_cuda_load(NULL);
}

static const char *name_of(int status) {
    const char *name = NULL;
    return cu()->cuGetErrorName(status, &name) == CU_SUCCESS && name != NULL ? name
                                                                             : "unknown error";
}

static bool likely(void) {
    return access("/dev/nvidiactl", F_OK) == 0 || access("/dev/dxg", F_OK) == 0;
}

static bool built(void) {
    for (uint32_t i = 0; i < PS_KERNEL_COUNT; i++)
        if (ps_kernel_images[i].fatbin != NULL) return true;
    return false;
}

static void list_devices(void) {
    int count = 0, version = 0;
    if (cu()->cuDeviceGetCount(&count) != CU_SUCCESS) return;
    (void)cu()->cuDriverGetVersion(&version);
    for (int i = 0; i < count && machine.count < DEVICES_MAX; i++) {
        ps_device *device = &machine.device[machine.count];
        int major = 0, minor = 0;
        if (cu()->cuDeviceGet(&device->id, i) != CU_SUCCESS) continue;
        (void)cu()->cuDeviceGetName(device->about.name, (int)sizeof device->about.name - 1,
                                    device->id);
        (void)cu()->cuDeviceTotalMem(&device->about.bytes, device->id);
        (void)cu()->cuDeviceGetAttribute(&major, CU_COMPUTE_MAJOR, device->id);
        (void)cu()->cuDeviceGetAttribute(&minor, CU_COMPUTE_MINOR, device->id);
        (void)snprintf(device->about.driver, sizeof device->about.driver,
                       "CUDA %d.%d, compute capability %d.%d", version / 1000, version % 1000 / 10,
                       major, minor);
        machine.count++;
    }
}

static uint32_t devices(const char **why) {
    if (!built()) {
        if (why != NULL) *why = "this penstock was built without nvcc";
        return 0;
    }
    if (ps_cuda_load(why) == NULL) return 0;
    (void)pthread_mutex_lock(&machine.lock);
    if (!machine.listed) list_devices();
    machine.listed = true;
    const uint32_t count = machine.count;
    (void)pthread_mutex_unlock(&machine.lock);
    if (count == 0 && why != NULL) *why = "the CUDA driver knows no device";
    return count;
}

static ps_status open_device(uint32_t index, ps_device **out, ps_error *error) {
    const char *why = "";
    const uint32_t count = devices(&why);
    if (count == 0) return ps_fail(error, PS_UNSUPPORTED, "there is no CUDA device: %s", why);
    if (index >= count)
        return ps_fail(error, PS_UNSUPPORTED, "there is no CUDA device %u, only %u", index, count);
    ps_device *device = &machine.device[index];
    int status = CU_SUCCESS;
    (void)pthread_mutex_lock(&machine.lock);
    if (device->lanes == 0) status = cu()->cuDevicePrimaryCtxRetain(&device->context, device->id);
    if (status == CU_SUCCESS) device->lanes++;
    (void)pthread_mutex_unlock(&machine.lock);
    if (status != CU_SUCCESS)
        return ps_fail(error, PS_DEVICE, "CUDA device %s does not open: %s", device->about.name,
                       name_of(status));
    (void)cu()->cuCtxSetCurrent(device->context);
    *out = device;
    return PS_OK;
}

static void close_device(ps_device *device) {
    if (device == NULL) return;
    (void)pthread_mutex_lock(&machine.lock);
    if (--device->lanes == 0) {
        (void)cu()->cuCtxSetCurrent(device->context);
        for (uint32_t i = 0; i < PS_KERNEL_COUNT; i++) {
            if (device->module[i] != NULL) (void)cu()->cuModuleUnload(device->module[i]);
            device->module[i] = NULL;
        }
        (void)cu()->cuCtxSetCurrent(NULL);
        (void)cu()->cuDevicePrimaryCtxRelease(device->id);
        device->context = NULL;
    }
    (void)pthread_mutex_unlock(&machine.lock);
}

static void about(const ps_device *device, ps_device_about *out) {
    *out = device->about;
}

/* A limit on locked memory (ulimit -l) costs speed, never correctness. Parts that share a page
 * with another block are small and stay as they are. */
static void pin(ps_device *device, mirror *at, void *host, size_t bytes) {
    const int status = cu()->cuMemHostRegister(host, bytes, 0);
    at->pinned = status == CU_SUCCESS;
    if (at->pinned || status == CU_ALREADY_REGISTERED || device->told) return;
    device->told = true;
    ps_log(PS_LOG_WARNING, NULL,
           "CUDA device %s: %zu MiB of a lane's memory could not be pinned (%s), copies will be "
           "slower; raise the limit of locked memory (ulimit -l)",
           device->about.name, bytes >> 20, name_of(status));
}

static ps_status block_open(ps_device *device, void *host, size_t bytes, ps_block *out,
                            ps_error *error) {
    (void)cu()->cuCtxSetCurrent(device->context);
    mirror *at = calloc(1, sizeof *at);
    if (at == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a block");
    const int status = cu()->cuMemAlloc(&at->memory, bytes > 0 ? bytes : 1);
    if (status != CU_SUCCESS) {
        free(at);
        return ps_fail(error, PS_NO_MEMORY,
                       "CUDA device %s: no room for %zu MiB (%s); lower runtime.batch_rows, depth "
                       "or lanes",
                       device->about.name, bytes >> 20, name_of(status));
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
    (void)cu()->cuCtxSetCurrent(device->context);
    if (at->pinned) (void)cu()->cuMemHostUnregister(block->host);
    (void)cu()->cuMemFree(at->memory);
    free(at);
    *block = (ps_block){NULL, 0, 0};
}

static void queue_close(ps_queue *queue) {
    if (queue == NULL) return;
    (void)cu()->cuCtxSetCurrent(queue->device->context);
    if (queue->stream != NULL) (void)cu()->cuStreamSynchronize(queue->stream);
    for (uint32_t i = 0; i < PS_MARKS_MAX; i++)
        if (queue->event[i] != NULL) (void)cu()->cuEventDestroy(queue->event[i]);
    while (queue->calls != NULL) {
        ps_call *call = queue->calls;
        queue->calls = call->next;
        free(call);
    }
    if (queue->stream != NULL) (void)cu()->cuStreamDestroy(queue->stream);
    free(queue);
}

static ps_status queue_open(ps_device *device, const ps_wake *wake, ps_queue **out,
                            ps_error *error) {
    (void)cu()->cuCtxSetCurrent(device->context);
    ps_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a queue");
    queue->device = device;
    queue->wake = wake;
    int status = cu()->cuStreamCreate(&queue->stream, CU_STREAM_APART);
    for (uint32_t i = 0; i < PS_MARKS_MAX && status == CU_SUCCESS; i++)
        status = cu()->cuEventCreate(&queue->event[i], CU_EVENT_PLAIN);
    if (status == CU_SUCCESS) {
        *out = queue;
        return PS_OK;
    }
    queue_close(queue);
    return ps_fail(error, PS_DEVICE, "CUDA device %s gives no queue: %s", device->about.name,
                   name_of(status));
}

/* Machine code first. A driver older than the compiler takes only the text, whose version was
 * lowered when it was embedded. */
static int load(const ps_device *device, ps_kernel_id kernel, cu_object *module) {
    const ps_kernel_image *image = &ps_kernel_images[kernel];
    (void)cu()->cuCtxSetCurrent(device->context);
    const int status = cu()->cuModuleLoadData(module, image->fatbin);
    return status == CU_SUCCESS || image->ptx == NULL ? status
                                                      : cu()->cuModuleLoadData(module, image->ptx);
}

static ps_status module_of(ps_device *device, ps_kernel_id kernel, cu_object *module,
                           ps_error *error) {
    int status = CU_SUCCESS;
    if (ps_kernel_images[kernel].fatbin == NULL)
        return ps_fail(error, PS_UNSUPPORTED, "kernel %s has no CUDA code",
                       ps_kernels[kernel].name);
    (void)pthread_mutex_lock(&machine.lock);
    if (device->module[kernel] == NULL) status = load(device, kernel, &device->module[kernel]);
    *module = device->module[kernel];
    (void)pthread_mutex_unlock(&machine.lock);
    if (status == CU_SUCCESS) return PS_OK;
    return ps_fail(error, PS_UNSUPPORTED, "CUDA device %s (%s) does not load kernel %s: %s",
                   device->about.name, device->about.driver, ps_kernels[kernel].name,
                   name_of(status));
}

static ps_status bind(ps_queue *queue, ps_kernel_id kernel, const ps_span *operands, ps_call **out,
                      ps_error *error) {
    const ps_kernel *row = &ps_kernels[kernel];
    char name[64];
    cu_object module = NULL;
    PS_TRY(module_of(queue->device, kernel, &module, error));
    ps_call *call = calloc(1, sizeof *call);
    if (call == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a kernel call");
    (void)snprintf(name, sizeof name, "ps_%s", row->name);
    const int status = cu()->cuModuleGetFunction(&call->function, module, name);
    if (status != CU_SUCCESS) {
        free(call);
        return ps_fail(error, PS_UNSUPPORTED, "CUDA device %s: no kernel %s in its module: %s",
                       queue->device->about.name, row->name, name_of(status));
    }
    call->buffers = row->buffers;
    for (uint32_t i = 0; i < row->buffers; i++)
        call->buffer[i] = mirror_of(operands[i].block)->memory + operands[i].offset;
    call->next = queue->calls;
    queue->calls = call;
    *out = call;
    return PS_OK;
}

/* Every failure on the data path is the device's: what it held is lost. */
static ps_status told(ps_queue *queue, const char *what, int status) {
    if (status == CU_SUCCESS) return PS_OK;
    (void)snprintf(queue->fault, sizeof queue->fault, "%s: %s", what, name_of(status));
    return PS_DEVICE;
}

static ps_status launch(ps_queue *queue, ps_call *call, const void *params, uint32_t begin,
                        uint32_t end) {
    void *argument[PS_OPERANDS_MAX + 3];
    if (begin >= end) return PS_OK;
    for (uint32_t i = 0; i < call->buffers; i++) argument[i] = &call->buffer[i];
    /* The driver copies what these point to before it returns. */
    argument[call->buffers] = (void *)(uintptr_t)params;
    argument[call->buffers + 1] = &begin;
    argument[call->buffers + 2] = &end;
    const uint32_t groups = (uint32_t)(((uint64_t)(end - begin) + PS_GROUP - 1) / PS_GROUP);
    return told(queue, "launch",
                cu()->cuLaunchKernel(call->function, groups, 1, 1, PS_GROUP, 1, 1, 0, queue->stream,
                                     argument, NULL));
}

static ps_status upload(ps_queue *queue, ps_span span, size_t bytes) {
    if (bytes == 0) return PS_OK;
    return told(queue, "upload",
                cu()->cuMemcpyHtoDAsync(mirror_of(span.block)->memory + span.offset,
                                        span.block->host + span.offset, bytes, queue->stream));
}

static ps_status download(ps_queue *queue, ps_span span, size_t bytes) {
    if (bytes == 0) return PS_OK;
    return told(queue, "download",
                cu()->cuMemcpyDtoHAsync(span.block->host + span.offset,
                                        mirror_of(span.block)->memory + span.offset, bytes,
                                        queue->stream));
}

static void ring(void *user) {
    ps_wake_signal(user);
}

static ps_status mark(ps_queue *queue, uint64_t ticket) {
    PS_CHECK_OP(queue->marked - queue->done, <, (uint64_t)PS_MARKS_MAX);
    const uint64_t at = queue->marked % PS_MARKS_MAX;
    PS_TRY(told(queue, "mark", cu()->cuEventRecord(queue->event[at], queue->stream)));
    queue->ticket[at] = ticket;
    queue->marked++;
    return told(queue, "mark",
                cu()->cuLaunchHostFunc(queue->stream, ring, (void *)(uintptr_t)queue->wake));
}

static ps_status done(ps_queue *queue, uint64_t *ticket) {
    while (queue->done < queue->marked) {
        const uint64_t at = queue->done % PS_MARKS_MAX;
        const int status = cu()->cuEventQuery(queue->event[at]);
        if (status == CU_NOT_READY) break;
        PS_TRY(told(queue, "batch", status));
        queue->newest = queue->ticket[at];
        queue->done++;
    }
    if (queue->newest > *ticket) *ticket = queue->newest;
    return PS_OK;
}

static const char *fault(const ps_queue *queue) {
    return queue->fault;
}

const ps_backend ps_backend_cuda = {
    .name = "cuda",
    .driver_bytes = (size_t)256 << 20, /* an estimate: not measured on a GPU yet */
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
