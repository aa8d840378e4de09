/* SPDX-License-Identifier: Apache-2.0
 * `penstock bench kernels` as a program of its own, for a machine that has no more than a compiler:
 * bench_kernels [NAME…] [--json FILE].
 */
#include <stdlib.h>
#include <string.h>

#include "bench/kernels.h"

int main(int count, char **arguments) {
    const char *names[64];
    ps_kernels_config config = {.names = names};
    ps_error error = {{0}};
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--json") == 0 && i + 1 < count)
            config.json = arguments[++i];
        else if (config.name_count < sizeof names / sizeof names[0])
            names[config.name_count++] = arguments[i];
    }
    if (ps_bench_kernels(&config, &error) == PS_OK) return EXIT_SUCCESS;
    (void)fprintf(stderr, "bench_kernels: %s\n", error.message);
    return EXIT_FAILURE;
}
