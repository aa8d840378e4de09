/* SPDX-License-Identifier: Apache-2.0
 * The driver itself and what it compiles: a kernel's text once per device and driver, kept on disk.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/log.h"
#include "host/device/cache.h"
#include "host/device/kernel_text.h"
#include "host/device/opencl.h"

static struct {
    pthread_once_t once;
    bool there;
    ps_opencl functions;
    char why[256];
} driver = {.once = PTHREAD_ONCE_INIT};

static void load(void) {
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        (void)snprintf(driver.why, sizeof driver.why, "%s", dlerror());
        return;
    }
#define PS_OPENCL_FIND(result, name, arguments)                                            \
    {                                                                                      \
        void *at = dlsym(library, #name);                                                  \
        if (at == NULL) {                                                                  \
            (void)snprintf(driver.why, sizeof driver.why, "libOpenCL.so.1 has no " #name); \
            return;                                                                        \
        }                                                                                  \
        memcpy(&driver.functions.name, &at, sizeof at);                                    \
    }
    PS_OPENCL_FUNCTIONS(PS_OPENCL_FIND)
#undef PS_OPENCL_FIND
    driver.there = true;
}

const ps_opencl *ps_opencl_load(const char **why) {
    (void)pthread_once(&driver.once, load);
    if (why != NULL) *why = driver.why;
    return driver.there ? &driver.functions : NULL;
}

enum { OPTIONS_MAX = 96 };

static void options_of(const ps_opencl_target *target, char options[OPTIONS_MAX]) {
    (void)snprintf(options, OPTIONS_MAX, "-cl-std=CL1.2 -DPS_GROUP=%uu%s", target->group,
                   target->exact ? " -cl-fp32-correctly-rounded-divide-sqrt" : "");
}

static void name_of(const ps_opencl_target *target, ps_kernel_id kernel, const char *options,
                    char name[PS_CACHE_NAME_MAX]) {
    char prefix[40];
    (void)snprintf(prefix, sizeof prefix, "opencl-%.30s", ps_kernels[kernel].name);
    const char *const texts[] = {ps_dialect_text, ps_kernel_texts[kernel].text, options,
                                 target->about->name, target->about->driver};
    ps_cache_name(prefix, texts, sizeof texts / sizeof *texts, name);
}

static cl_object from_cache(const ps_opencl *cl, const ps_opencl_target *target, const char *name,
                            const char *options) {
    size_t bytes = 0;
    int32_t status = 0, error = 0;
    uint8_t *binary = ps_cache_read(name, &bytes);
    if (binary == NULL) return NULL;
    const uint8_t *const binaries[] = {binary};
    cl_object program = cl->clCreateProgramWithBinary(target->context, 1, &target->device, &bytes,
                                                      binaries, &status, &error);
    free(binary);
    if (program == NULL || error != 0) return NULL;
    if (cl->clBuildProgram(program, 1, &target->device, options, NULL, NULL) == 0) return program;
    (void)cl->clReleaseProgram(program);
    return NULL;
}

static void to_cache(const ps_opencl *cl, cl_object program, const char *name) {
    size_t bytes = 0;
    if (cl->clGetProgramInfo(program, CL_BINARY_SIZES, sizeof bytes, &bytes, NULL) != 0) return;
    uint8_t *binary = bytes > 0 ? malloc(bytes) : NULL;
    if (binary == NULL) return;
    if (cl->clGetProgramInfo(program, CL_BINARIES, sizeof binary, (void *)&binary, NULL) == 0)
        ps_cache_write(name, binary, bytes);
    free(binary);
}

ps_status ps_opencl_build(const ps_opencl *cl, const ps_opencl_target *target, ps_kernel_id kernel,
                          cl_object *out, ps_error *error) {
    char name[PS_CACHE_NAME_MAX], log[256] = "", options[OPTIONS_MAX];
    options_of(target, options);
    name_of(target, kernel, options, name);
    *out = from_cache(cl, target, name, options);
    if (*out != NULL) return PS_OK;
    static atomic_flag told = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&told))
        ps_log(PS_LOG_INFO, "opencl", "%s builds its kernels, once: this may take half a minute",
               target->about->name);
    int32_t status = 0;
    const char *const texts[] = {ps_dialect_text, ps_kernel_texts[kernel].text};
    cl_object program = cl->clCreateProgramWithSource(target->context, 2, texts, NULL, &status);
    if (program == NULL)
        return ps_fail(error, PS_NO_MEMORY, "OpenCL device %s: no memory for kernel %s (error %d)",
                       target->about->name, ps_kernels[kernel].name, status);
    status = cl->clBuildProgram(program, 1, &target->device, options, NULL, NULL);
    if (status != 0) {
        (void)cl->clGetProgramBuildInfo(program, target->device, CL_BUILD_LOG, sizeof log - 1, log,
                                        NULL);
        (void)cl->clReleaseProgram(program);
        log[strcspn(log, "\r\n")] = 0;
        return ps_fail(error, PS_UNSUPPORTED,
                       "OpenCL device %s: kernel %s does not compile (error %d): %.150s",
                       target->about->name, ps_kernels[kernel].name, status, log);
    }
    to_cache(cl, program, name);
    *out = program;
    return PS_OK;
}
