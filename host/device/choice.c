/* SPDX-License-Identifier: Apache-2.0 */
#include "host/device/choice.h"

#include <stdlib.h>
#include <string.h>

#include "simd/calibrate.h"
#include "simd/cpu.h"
#include "simd/dispatch.h"

/* What is chosen by: written by the main thread, or by the one that measures. */
static const char unknown[] = "not measured yet", measured[] = "measured", forced[] = "PS_ISA";
static _Atomic(const char *) by = unknown;

void ps_choice_cache_name(const char *build, char name[PS_CACHE_NAME_MAX]) {
    char model[PS_CPU_MODEL_MAX], there[PS_CALIBRATION_TEXT_MAX];
    size_t used = 0;
    ps_cpu_model(model);
    for (uint32_t id = 0; id < PS_KERNEL_COUNT; id++)
        for (uint32_t i = 0; i < ps_dispatch_count((ps_kernel_id)id); i++) {
            const char *implementation;
            (void)ps_dispatch_at((ps_kernel_id)id, i, &implementation);
            const size_t length = strlen(implementation);
            if (used + length + 2 > sizeof there) break;
            memcpy(there + used, implementation, length);
            there[used + length] = '\n';
            used += length + 1;
        }
    there[used] = 0;
    const char *const texts[] = {PS_VERSION, __VERSION__, build, model, there};
    ps_cache_name("implementations", texts, sizeof texts / sizeof *texts, name);
}

ps_status ps_choice_init(ps_error *error) {
    char name[PS_CACHE_NAME_MAX];
    size_t bytes;
    PS_TRY(ps_dispatch_init(error));
    atomic_store(&by, unknown);
    const char *const isa = getenv("PS_ISA");
    if (isa && *isa) {
        atomic_store(&by, forced);
        return PS_OK;
    }
    ps_choice_cache_name(PS_BUILD_FLAGS, name);
    uint8_t *const text = ps_cache_read(name, &bytes);
    if (text && ps_calibration_apply((const char *)text, bytes)) atomic_store(&by, measured);
    free(text);
    return PS_OK;
}

bool ps_choice_known(void) {
    const char *const now = atomic_load(&by);
    return now == measured || now == forced;
}

void ps_choice_forget(void) {
    if (atomic_load(&by) == measured) atomic_store(&by, unknown);
}

void ps_choice_measure(const atomic_bool *stop) {
    static const atomic_bool never = false;
    char name[PS_CACHE_NAME_MAX], text[PS_CALIBRATION_TEXT_MAX];
    if (ps_choice_known() || !ps_calibrate(stop != NULL ? stop : &never)) return;
    ps_choice_cache_name(PS_BUILD_FLAGS, name);
    ps_cache_write(name, text, ps_calibration_text(text));
    atomic_store(&by, measured);
}

const char *ps_choice_by(void) {
    return atomic_load(&by);
}
