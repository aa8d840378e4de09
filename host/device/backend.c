/* SPDX-License-Identifier: Apache-2.0 */
#include "host/device/backend.h"

#include <string.h>

static const ps_backend *const backends[] = {&ps_backend_cpu};

const ps_backend *ps_backend_at(uint32_t index) {
    return index < sizeof backends / sizeof *backends ? backends[index] : NULL;
}

const ps_backend *ps_backend_find(const char *name) {
    for (uint32_t i = 0; ps_backend_at(i) != NULL; i++) {
        const ps_backend *backend = ps_backend_at(i);
        if (strcmp(name, "auto") == 0 ? backend->devices() > 0 : strcmp(name, backend->name) == 0)
            return backend;
    }
    return NULL;
}
