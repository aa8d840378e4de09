/* SPDX-License-Identifier: Apache-2.0
 * Any text as a pipeline file: it is planned, or every fault has a sentence and a place.
 */
#include "host/cli/config.h"

#include "tests/fuzz/fuzz.h"

/* libfyaml 0.7 loses what it holds of a text that it refuses, once in a process's life here. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libfyaml\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const ps_string_list sets = {NULL, 0};
    if (memchr(data, 0, size) != NULL) return 0; /* refused before it is parsed */
    char *text = fuzz_text(data, size);
    ps_config config;
    if (ps_config_init(&config, "fuzz.yaml", text, &sets)) {
        ps_plan *plan = calloc(1, sizeof *plan);
        ps_error error;
        FUZZ_CHECK(ps_config_plan(&config, plan, &error) == PS_OK);
        ps_plan_deinit(plan);
        free(plan);
    } else {
        FUZZ_CHECK(config.faults.count > 0 && config.faults.at[0].message[0] != '\0');
    }
    ps_config_deinit(&config);
    free(text);
    return 0;
}
