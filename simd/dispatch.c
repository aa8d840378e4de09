/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/dispatch.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/check.h"
#include "simd/cpu.h"
#include "simd/sha256_node.h"

typedef enum level { SCALAR, NEON, AVX2, AVX512, LEVEL_COUNT } level;

/* What a level needs from the processor. Arm's and Intel's levels exclude each other by these bits.
 */
static const struct {
    const char *name;
    uint32_t features;
} levels[LEVEL_COUNT] = {
    [SCALAR] = {"scalar", 0},
    [NEON] = {"neon", PS_CPU_NEON},
    [AVX2] = {"avx2", PS_CPU_AVX2},
    [AVX512] = {"avx512", PS_CPU_AVX2 | PS_CPU_AVX512},
};

#define PS_IMPLEMENTATION(kernel, function, text, level, features) ps_kernel_fn function;
#include "simd/implementations.def"
#undef PS_IMPLEMENTATION

#define PS_KERNEL_ROW(name, NAME, buffers, ulp) ps_kernel_fn ps_##name##_c;
#include "kernels/kernels.def"
#undef PS_KERNEL_ROW

typedef struct implementation {
    ps_kernel_id kernel;
    level level;
    uint32_t features;
    ps_kernel_fn *fn;
    const char *name;
} implementation;

static const implementation implementations[] = {
#define PS_KERNEL_ROW(name, NAME, buffers, ulp) \
    {PS_KERNEL_##NAME, SCALAR, 0, ps_##name##_c, "scalar"},
#include "kernels/kernels.def"
#undef PS_KERNEL_ROW
#define PS_IMPLEMENTATION(kernel, function, text, level, features) \
    {PS_KERNEL_##kernel, level, features, function, text},
#include "simd/implementations.def"
#undef PS_IMPLEMENTATION
};
enum { IMPLEMENTATIONS = sizeof implementations / sizeof implementations[0] };

/* Written by ps_dispatch_init(); afterwards only the choice changes. All zeros: scalar, where the
 * first rows are the references in kernel order. */
static struct {
    level level;
    uint32_t features;
    const implementation *_Atomic chosen[PS_KERNEL_COUNT];
} dispatch;

static bool usable(const implementation *row) {
    const uint32_t needs = row->features | levels[row->level].features;
    return row->level <= dispatch.level && (dispatch.features & needs) == needs;
}

static ps_status forced_level(const char *name, uint32_t features, level *chosen, ps_error *error) {
    char there[64] = "";
    size_t used = 0;
    for (level i = SCALAR; i < LEVEL_COUNT; i++) {
        if ((features & levels[i].features) != levels[i].features) continue;
        if (strcmp(name, levels[i].name) == 0) {
            *chosen = i;
            return PS_OK;
        }
        used += (size_t)snprintf(there + used, sizeof there - used, "%s%s", used ? ", " : "",
                                 levels[i].name);
    }
    for (level i = SCALAR; i < LEVEL_COUNT; i++)
        if (strcmp(name, levels[i].name) == 0)
            return ps_fail(error, PS_BAD_CONFIG, "PS_ISA=%s: this machine lacks it; it has %s",
                           name, there);
    return ps_fail(error, PS_BAD_CONFIG, "PS_ISA=%s: no such instruction set; this machine has %s",
                   name, there);
}

ps_status ps_dispatch_init(ps_error *error) {
    const uint32_t features = ps_cpu_features();
    const char *forced = getenv("PS_ISA");
    level best = SCALAR;
    for (level i = SCALAR; i < LEVEL_COUNT; i++)
        if ((features & levels[i].features) == levels[i].features) best = i;
    if (forced && *forced) PS_TRY(forced_level(forced, features, &best, error));
    if (features & (PS_CPU_SHANI | PS_CPU_SHA2)) ps_sha256_node_init();
    dispatch.features = features;
    dispatch.level = best;
    for (uint32_t i = 0; i < IMPLEMENTATIONS; i++)
        if (usable(&implementations[i]))
            dispatch.chosen[implementations[i].kernel] = &implementations[i];
    return PS_OK;
}

static const implementation *chosen(ps_kernel_id id) {
    PS_CHECK((uint32_t)id < PS_KERNEL_COUNT);
    const implementation *const one =
        atomic_load_explicit(&dispatch.chosen[id], memory_order_relaxed);
    return one ? one : &implementations[id];
}

ps_kernel_fn *ps_dispatch(ps_kernel_id id) {
    return chosen(id)->fn;
}
const char *ps_dispatch_chosen(ps_kernel_id id) {
    return chosen(id)->name;
}
const char *ps_dispatch_isa(void) {
    return levels[dispatch.level].name;
}

uint32_t ps_dispatch_count(ps_kernel_id id) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < IMPLEMENTATIONS; i++)
        count += implementations[i].kernel == id && usable(&implementations[i]);
    return count;
}

ps_kernel_fn *ps_dispatch_at(ps_kernel_id id, uint32_t index, const char **name) {
    for (uint32_t i = 0; i < IMPLEMENTATIONS; i++) {
        if (implementations[i].kernel != id || !usable(&implementations[i])) continue;
        if (index-- != 0) continue;
        *name = implementations[i].name;
        return implementations[i].fn;
    }
    *name = NULL;
    return NULL;
}

bool ps_dispatch_choose(ps_kernel_id id, const char *name) {
    for (uint32_t i = 0; i < IMPLEMENTATIONS; i++) {
        if (implementations[i].kernel != id || !usable(&implementations[i])) continue;
        if (strcmp(implementations[i].name, name) != 0) continue;
        atomic_store_explicit(&dispatch.chosen[id], &implementations[i], memory_order_relaxed);
        return true;
    }
    return false;
}
