/* SPDX-License-Identifier: Apache-2.0
 * The part of the CUDA driver interface that penstock calls, declared here and found in the driver
 * at run time: no toolkit is needed to build the host side, and a machine without a GPU loads
 * nothing.
 * Source: CUDA Driver API reference (NVIDIA), version 12 and later.
 */
#ifndef PS_HOST_DEVICE_CUDA_H
#define PS_HOST_DEVICE_CUDA_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/table.h"

typedef void *cu_object; /* context, module, function, stream, event */
typedef void (*cu_notify)(void *user);

enum {
    CU_SUCCESS = 0,
    CU_NOT_READY = 600,
    CU_ALREADY_REGISTERED = 712,
    CU_EVENT_PLAIN = 2,    /* no timing */
    CU_STREAM_APART = 1,   /* does not wait for the default stream */
    CU_COMPUTE_MAJOR = 75, /* of cuDeviceGetAttribute */
    CU_COMPUTE_MINOR = 76
};

#define PS_CUDA_FUNCTIONS(X)                                                                       \
    X(cuInit, "cuInit", (unsigned))                                                                \
    X(cuDriverGetVersion, "cuDriverGetVersion", (int *))                                           \
    X(cuGetErrorName, "cuGetErrorName", (int, const char **))                                      \
    X(cuDeviceGetCount, "cuDeviceGetCount", (int *))                                               \
    X(cuDeviceGet, "cuDeviceGet", (int *, int))                                                    \
    X(cuDeviceGetName, "cuDeviceGetName", (char *, int, int))                                      \
    X(cuDeviceTotalMem, "cuDeviceTotalMem_v2", (size_t *, int))                                    \
    X(cuDeviceGetAttribute, "cuDeviceGetAttribute", (int *, int, int))                             \
    X(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain", (cu_object *, int))                    \
    X(cuDevicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2", (int))                            \
    X(cuCtxSetCurrent, "cuCtxSetCurrent", (cu_object))                                             \
    X(cuModuleLoadData, "cuModuleLoadData", (cu_object *, const void *))                           \
    X(cuModuleUnload, "cuModuleUnload", (cu_object))                                               \
    X(cuModuleGetFunction, "cuModuleGetFunction", (cu_object *, cu_object, const char *))          \
    X(cuMemAlloc, "cuMemAlloc_v2", (uint64_t *, size_t))                                           \
    X(cuMemFree, "cuMemFree_v2", (uint64_t))                                                       \
    X(cuMemHostRegister, "cuMemHostRegister_v2", (void *, size_t, unsigned))                       \
    X(cuMemHostUnregister, "cuMemHostUnregister", (void *))                                        \
    X(cuMemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2", (uint64_t, const void *, size_t, cu_object))      \
    X(cuMemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2", (void *, uint64_t, size_t, cu_object))            \
    X(cuStreamCreate, "cuStreamCreate", (cu_object *, unsigned))                                   \
    X(cuStreamDestroy, "cuStreamDestroy_v2", (cu_object))                                          \
    X(cuStreamSynchronize, "cuStreamSynchronize", (cu_object))                                     \
    X(cuLaunchHostFunc, "cuLaunchHostFunc", (cu_object, cu_notify, void *))                        \
    X(cuEventCreate, "cuEventCreate", (cu_object *, unsigned))                                     \
    X(cuEventRecord, "cuEventRecord", (cu_object, cu_object))                                      \
    X(cuEventQuery, "cuEventQuery", (cu_object))                                                   \
    X(cuEventDestroy, "cuEventDestroy_v2", (cu_object))                                            \
    X(cuLaunchKernel, "cuLaunchKernel",                                                            \
      (cu_object, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, cu_object, \
       void **, void **))

#define PS_CUDA_MEMBER(name, symbol, arguments) int(*name) arguments;
typedef struct ps_cuda {
    PS_CUDA_FUNCTIONS(PS_CUDA_MEMBER)
} ps_cuda;
#undef PS_CUDA_MEMBER

/* The driver, loaded and started at the first call; NULL: there is none, and `why` says so. */
const ps_cuda *ps_cuda_load(const char **why);

/* What nvcc made of a kernel when penstock was built: machine code of the newer devices and, for
 * the rest and for older drivers, text that the driver compiles. All NULL in a build without nvcc.
 */
typedef struct ps_kernel_image {
    const void *fatbin;
    const char *ptx;
} ps_kernel_image;
extern const ps_kernel_image ps_kernel_images[PS_KERNEL_COUNT];

#endif
