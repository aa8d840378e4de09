/* SPDX-License-Identifier: Apache-2.0 */
#include "host/device/backend.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const ps_backend *const backends[] = {&ps_backend_cuda, &ps_backend_opencl, &ps_backend_cpu};
enum { BACKENDS = sizeof backends / sizeof *backends };

const ps_backend *ps_backend_at(uint32_t index) {
    return index < BACKENDS ? backends[index] : NULL;
}

const ps_backend *ps_backend_find(const char *name) {
    for (uint32_t i = 0; i < BACKENDS; i++)
        if (strcmp(name, backends[i]->name) == 0) return backends[i];
    return NULL;
}

bool ps_backend_ignored(const ps_backend *backend) {
    const char *said = getenv("PS_GPU");
    return said != NULL && strcmp(said, "ignore") == 0 && !backend->shares_memory;
}

bool ps_backend_likely(const ps_backend *backend) {
    const char *said = getenv("PS_GPU");
    if (said != NULL && strcmp(said, "look") == 0) return true;
    return !ps_backend_ignored(backend) && backend->likely();
}

size_t ps_backend_driver_bytes(const ps_backend *named) {
    size_t bytes = 0;
    bool follows = named == NULL;
    if (named != NULL && named->shares_memory) return 0;
    for (uint32_t i = 0; i < BACKENDS; i++) {
        const bool may = backends[i] == named || (follows && ps_backend_likely(backends[i]));
        if (may && backends[i]->driver_bytes > bytes) bytes = backends[i]->driver_bytes;
        follows = follows || backends[i] == named;
    }
    return bytes;
}

static bool has_accelerator(const ps_backend *backend) {
    ps_device *device = NULL;
    if (!ps_backend_likely(backend) || backend->devices(NULL) == 0) return false;
    if (backend->open(0, &device, NULL) != PS_OK) return false;
    ps_device_about about;
    backend->about(device, &about);
    backend->close(device);
    return !about.processor;
}

const ps_backend *ps_backend_after(const ps_backend *lost) {
    if (lost == &ps_backend_cpu) return NULL;
    uint32_t i = 0;
    while (i < BACKENDS && backends[i] != lost) i++;
    for (i++; i < BACKENDS; i++)
        if (has_accelerator(backends[i])) return backends[i];
    return &ps_backend_cpu;
}

ps_status ps_backend_wait(const ps_backend *backend, ps_queue *queue, uint64_t ticket) {
    uint64_t newest = 0;
    for (uint32_t looks = 0;; looks++) {
        PS_TRY(backend->done(queue, &newest));
        if (newest >= ticket) return PS_OK;
        const struct timespec nap = {0, looks < 100 ? 10000 : 200000};
        (void)nanosleep(&nap, NULL);
    }
}
