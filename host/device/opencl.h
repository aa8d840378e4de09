/* SPDX-License-Identifier: Apache-2.0
 * The part of OpenCL 1.2 that penstock calls, declared here and found in the driver at run time: no
 * header and no library is needed to build, and a machine without a GPU loads nothing.
 * Source: The OpenCL Specification 1.2 (Khronos), sections 4 to 5.
 */
#ifndef PS_HOST_DEVICE_OPENCL_H
#define PS_HOST_DEVICE_OPENCL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/device/backend.h"

/* The driver's objects, all opaque; its values keep the names of the specification, shortened. */
typedef void *cl_object;
typedef void (*cl_notify)(cl_object event, int32_t status, void *user);

enum {
    CL_TYPE_CPU = 2,
    CL_TYPE_ANY = 2 | 4 | 8,
    CL_DEVICE_TYPE_INFO = 0x1000,
    CL_DEVICE_GROUP_MAX = 0x1004,
    CL_DEVICE_SINGLE_FP = 0x101B,
    CL_DEVICE_MEMORY = 0x101F,
    CL_DEVICE_LITTLE = 0x1026,
    CL_DEVICE_NAME_INFO = 0x102B,
    CL_DRIVER_VERSION_INFO = 0x102D,
    CL_DEVICE_VERSION_INFO = 0x102F,
    CL_DEVICE_DOUBLE_FP = 0x1032,
    CL_FP_DENORMALS = 1,
    CL_FP_INFINITE = 2,
    CL_FP_NEAREST = 4,
    CL_FP_FUSED = 32,
    CL_FP_EXACT_DIVIDE = 128, /* CORRECTLY_ROUNDED_DIVIDE_SQRT */
    CL_READ_WRITE = 1,
    CL_USE_HOST = 8,
    CL_MAP_BOTH = 3,
    CL_BINARY_SIZES = 0x1165,
    CL_BINARIES = 0x1166,
    CL_BUILD_LOG = 0x1183,
    CL_EVENT_STATUS = 0x11D3
};

#define PS_OPENCL_FUNCTIONS(X)                                                                     \
    X(int32_t, clGetPlatformIDs, (uint32_t, cl_object *, uint32_t *))                              \
    X(int32_t, clGetDeviceIDs, (cl_object, uint64_t, uint32_t, cl_object *, uint32_t *))           \
    X(int32_t, clGetDeviceInfo, (cl_object, uint32_t, size_t, void *, size_t *))                   \
    X(cl_object, clCreateContext,                                                                  \
      (const intptr_t *, uint32_t, const cl_object *, void *, void *, int32_t *))                  \
    X(int32_t, clReleaseContext, (cl_object))                                                      \
    X(cl_object, clCreateCommandQueue, (cl_object, cl_object, uint64_t, int32_t *))                \
    X(int32_t, clReleaseCommandQueue, (cl_object))                                                 \
    X(cl_object, clCreateBuffer, (cl_object, uint64_t, size_t, void *, int32_t *))                 \
    X(int32_t, clReleaseMemObject, (cl_object))                                                    \
    X(cl_object, clCreateProgramWithSource,                                                        \
      (cl_object, uint32_t, const char *const *, const size_t *, int32_t *))                       \
    X(cl_object, clCreateProgramWithBinary,                                                        \
      (cl_object, uint32_t, const cl_object *, const size_t *, const uint8_t *const *, int32_t *,  \
       int32_t *))                                                                                 \
    X(int32_t, clBuildProgram,                                                                     \
      (cl_object, uint32_t, const cl_object *, const char *, void *, void *))                      \
    X(int32_t, clGetProgramInfo, (cl_object, uint32_t, size_t, void *, size_t *))                  \
    X(int32_t, clGetProgramBuildInfo, (cl_object, cl_object, uint32_t, size_t, void *, size_t *))  \
    X(int32_t, clReleaseProgram, (cl_object))                                                      \
    X(cl_object, clCreateKernel, (cl_object, const char *, int32_t *))                             \
    X(int32_t, clReleaseKernel, (cl_object))                                                       \
    X(int32_t, clSetKernelArg, (cl_object, uint32_t, size_t, const void *))                        \
    X(int32_t, clEnqueueNDRangeKernel,                                                             \
      (cl_object, cl_object, uint32_t, const size_t *, const size_t *, const size_t *, uint32_t,   \
       const cl_object *, cl_object *))                                                            \
    X(int32_t, clEnqueueWriteBuffer,                                                               \
      (cl_object, cl_object, uint32_t, size_t, size_t, const void *, uint32_t, const cl_object *,  \
       cl_object *))                                                                               \
    X(int32_t, clEnqueueReadBuffer,                                                                \
      (cl_object, cl_object, uint32_t, size_t, size_t, void *, uint32_t, const cl_object *,        \
       cl_object *))                                                                               \
    X(void *, clEnqueueMapBuffer,                                                                  \
      (cl_object, cl_object, uint32_t, uint64_t, size_t, size_t, uint32_t, const cl_object *,      \
       cl_object *, int32_t *))                                                                    \
    X(int32_t, clEnqueueUnmapMemObject,                                                            \
      (cl_object, cl_object, void *, uint32_t, const cl_object *, cl_object *))                    \
    X(int32_t, clEnqueueMarkerWithWaitList, (cl_object, uint32_t, const cl_object *, cl_object *)) \
    X(int32_t, clSetEventCallback, (cl_object, int32_t, cl_notify, void *))                        \
    X(int32_t, clGetEventInfo, (cl_object, uint32_t, size_t, void *, size_t *))                    \
    X(int32_t, clReleaseEvent, (cl_object))                                                        \
    X(int32_t, clFlush, (cl_object))                                                               \
    X(int32_t, clFinish, (cl_object))

#define PS_OPENCL_MEMBER(result, name, arguments) result(*name) arguments;
typedef struct ps_opencl {
    PS_OPENCL_FUNCTIONS(PS_OPENCL_MEMBER)
} ps_opencl;
#undef PS_OPENCL_MEMBER

/* The driver, loaded at the first call; NULL: there is none, and `why` says so. */
const ps_opencl *ps_opencl_load(const char **why);

/* A program of one kernel, from the cache or compiled; `exact`: the device divides floats as IEEE
 * 754 says; `group`: work-items of a group. UNSUPPORTED: its compiler refuses the text. */
typedef struct ps_opencl_target {
    cl_object context, device;
    const ps_device_about *about;
    bool exact;
    uint32_t group;
} ps_opencl_target;
ps_status ps_opencl_build(const ps_opencl *cl, const ps_opencl_target *target, ps_kernel_id kernel,
                          cl_object *program, ps_error *error) PS_MUST_USE;

#endif
