/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "host/device/cuda.h"

static struct {
    pthread_once_t once;
    bool there;
    ps_cuda functions;
    char why[256];
} driver = {.once = PTHREAD_ONCE_INIT};

static void load(void) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        (void)snprintf(driver.why, sizeof driver.why, "%s", dlerror());
        return;
    }
#define PS_CUDA_FIND(name, symbol, arguments)                                             \
    {                                                                                     \
        void *at = dlsym(library, symbol);                                                \
        if (at == NULL) {                                                                 \
            (void)snprintf(driver.why, sizeof driver.why, "libcuda.so.1 has no " symbol); \
            return;                                                                       \
        }                                                                                 \
        memcpy(&driver.functions.name, &at, sizeof at);                                   \
    }
    PS_CUDA_FUNCTIONS(PS_CUDA_FIND)
#undef PS_CUDA_FIND
    const int status = driver.functions.cuInit(0);
    if (status == CU_SUCCESS) {
        driver.there = true;
        return;
    }
    const char *name = "unknown error";
    (void)driver.functions.cuGetErrorName(status, &name);
    (void)snprintf(driver.why, sizeof driver.why, "the CUDA driver does not start: %s", name);
}

const ps_cuda *ps_cuda_load(const char **why) {
    (void)pthread_once(&driver.once, load);
    if (why != NULL) *why = driver.why;
    return driver.there ? &driver.functions : NULL;
}
