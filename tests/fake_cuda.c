/* SPDX-License-Identifier: Apache-2.0
 * A libcuda.so.1 without a GPU: the entry points that penstock calls, with memory of its own and
 * the reference kernels as the device. It fails where FAKE_CUDA says, e.g. "launch:40", "alloc:3",
 * "event:9": that call and, but for alloc, every later one. "wrong:ewma": that kernel computes
 * nothing. With FAKE_CUDA_FAST it computes nothing at all, in no time. So the driver's side of the
 * CUDA back-end is run where there is none.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/limits.h"
#include "host/device/cuda.h"

enum { INVALID = 1, NO_MEMORY = 2, LOST = 719, FATBIN_MAGIC = (int)0xba55ed50 };

static atomic_bool lost;

/* Whether this call of kind `what` is the one to fail. */
static bool fails(const char *what) {
    static atomic_int calls;
    const char *plan = getenv("FAKE_CUDA");
    const size_t length = strlen(what);
    if (plan == NULL || strncmp(plan, what, length) != 0 || plan[length] != ':') return false;
    return atomic_fetch_add(&calls, 1) + 1 == strtol(plan + length + 1, NULL, 10);
}

static int step(const char *what) {
    if (fails(what)) atomic_store(&lost, true);
    return atomic_load(&lost) ? LOST : CU_SUCCESS;
}

/* The definitions take their types from the table that the back-end looks them up with. */
#define PS_CUDA_DECLARE(name, symbol, arguments) int name##_fake arguments __asm__(symbol);
PS_CUDA_FUNCTIONS(PS_CUDA_DECLARE)

int cuInit_fake(unsigned flags) {
    (void)flags;
    return step("init");
}
int cuDriverGetVersion_fake(int *version) {
    *version = 13000;
    return CU_SUCCESS;
}
int cuGetErrorName_fake(int status, const char **name) {
    *name = status == LOST        ? "CUDA_ERROR_LAUNCH_FAILED"
            : status == NO_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY"
                                  : "CUDA_ERROR_INVALID_VALUE";
    return CU_SUCCESS;
}
int cuDeviceGetCount_fake(int *count) {
    *count = 1;
    return CU_SUCCESS;
}
int cuDeviceGet_fake(int *device, int index) {
    *device = index;
    return CU_SUCCESS;
}
int cuDeviceGetName_fake(char *name, int bytes, int device) {
    (void)device;
    (void)snprintf(name, (size_t)bytes, "no GPU at all");
    return CU_SUCCESS;
}
int cuDeviceTotalMem_fake(size_t *bytes, int device) {
    (void)device;
    *bytes = (size_t)1 << 30;
    return CU_SUCCESS;
}
int cuDeviceGetAttribute_fake(int *value, int attribute, int device) {
    (void)device;
    *value = attribute == CU_COMPUTE_MAJOR ? 9 : 0;
    return CU_SUCCESS;
}

int cuDevicePrimaryCtxRetain_fake(cu_object *context, int device) {
    (void)device;
    *context = (cu_object)(uintptr_t)0xc0;
    return step("context");
}
int cuDevicePrimaryCtxRelease_fake(int device) {
    (void)device;
    return CU_SUCCESS;
}
int cuCtxSetCurrent_fake(cu_object context) {
    (void)context;
    return CU_SUCCESS;
}

int cuModuleLoadData_fake(cu_object *module, const void *image) {
    int32_t magic;
    memcpy(&magic, image, sizeof magic);
    if (magic != FATBIN_MAGIC && strstr(image, ".version 7.0") == NULL) return INVALID;
    /* As an old driver does: only the text is taken. */
    if (magic == FATBIN_MAGIC && getenv("FAKE_CUDA_OLD") != NULL) return INVALID;
    *module = (cu_object)(uintptr_t)image;
    return step("module");
}
int cuModuleUnload_fake(cu_object module) {
    (void)module;
    return CU_SUCCESS;
}
int cuModuleGetFunction_fake(cu_object *function, cu_object module, const char *name) {
    (void)module;
    for (uint32_t i = 0; i < PS_KERNEL_COUNT; i++)
        if (strncmp(name, "ps_", 3) == 0 && strcmp(name + 3, ps_kernels[i].name) == 0) {
            *function = (cu_object)(uintptr_t)&ps_kernels[i];
            return CU_SUCCESS;
        }
    return INVALID;
}

int cuMemAlloc_fake(uint64_t *memory, size_t bytes) {
    if (fails("alloc")) return NO_MEMORY;
    void *at = malloc(bytes);
    if (at != NULL) memset(at, 0xdb, bytes);
    *memory = (uint64_t)(uintptr_t)at;
    return at != NULL ? CU_SUCCESS : NO_MEMORY;
}
int cuMemFree_fake(uint64_t memory) {
    free((void *)(uintptr_t)memory);
    return CU_SUCCESS;
}
int cuMemHostRegister_fake(void *host, size_t bytes, unsigned flags) {
    (void)host;
    (void)bytes;
    (void)flags;
    return fails("pin") ? NO_MEMORY : CU_SUCCESS;
}
int cuMemHostUnregister_fake(void *host) {
    (void)host;
    return CU_SUCCESS;
}
int cuMemcpyHtoDAsync_fake(uint64_t to, const void *from, size_t bytes, cu_object stream) {
    (void)stream;
    const int status = step("upload");
    if (status == CU_SUCCESS) memcpy((void *)(uintptr_t)to, from, bytes);
    return status;
}
int cuMemcpyDtoHAsync_fake(void *to, uint64_t from, size_t bytes, cu_object stream) {
    (void)stream;
    const int status = step("download");
    if (status == CU_SUCCESS) memcpy(to, (const void *)(uintptr_t)from, bytes);
    return status;
}

int cuStreamCreate_fake(cu_object *stream, unsigned flags) {
    (void)flags;
    *stream = (cu_object)(uintptr_t)0x57;
    return step("stream");
}
int cuStreamDestroy_fake(cu_object stream) {
    (void)stream;
    return CU_SUCCESS;
}
int cuStreamSynchronize_fake(cu_object stream) {
    (void)stream;
    return step("synchronize");
}
int cuLaunchHostFunc_fake(cu_object stream, cu_notify notify, void *user) {
    (void)stream;
    const int status = step("notify");
    if (status == CU_SUCCESS) notify(user);
    return status;
}

/* An event is done when it is asked for the second time. */
int cuEventCreate_fake(cu_object *event, unsigned flags) {
    (void)flags;
    *event = calloc(1, sizeof(int));
    return *event != NULL ? CU_SUCCESS : NO_MEMORY;
}
int cuEventRecord_fake(cu_object event, cu_object stream) {
    (void)stream;
    *(int *)event = 1;
    return step("record");
}
int cuEventQuery_fake(cu_object event) {
    const int status = step("event");
    if (status != CU_SUCCESS) return status;
    return (*(int *)event)-- > 0 ? CU_NOT_READY : CU_SUCCESS;
}
int cuEventDestroy_fake(cu_object event) {
    free(event);
    return CU_SUCCESS;
}

int cuLaunchKernel_fake(cu_object function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                        unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                        cu_object stream, void **arguments, void **extra) {
    const ps_kernel *kernel = function;
    const char *plan = getenv("FAKE_CUDA");
    void *buf[PS_OPERANDS_MAX];
    uint32_t begin, end;
    const int status = step("launch");
    (void)stream;
    if (status != CU_SUCCESS) return status;
    for (uint32_t i = 0; i < kernel->buffers; i++) memcpy(&buf[i], arguments[i], sizeof buf[i]);
    memcpy(&begin, arguments[kernel->buffers + 1], sizeof begin);
    memcpy(&end, arguments[kernel->buffers + 2], sizeof end);
    if (shared != 0 || extra != NULL || grid_y * grid_z * block_y * block_z != 1) return INVALID;
    if ((uint64_t)grid_x * block_x < end - begin || block_x > 1024) return INVALID;
    if (getenv("FAKE_CUDA_FAST") != NULL) return CU_SUCCESS;
    if (plan != NULL && strncmp(plan, "wrong:", 6) == 0 && strcmp(plan + 6, kernel->name) == 0)
        return CU_SUCCESS;
    kernel->reference(buf, arguments[kernel->buffers], begin, end);
    return CU_SUCCESS;
}
