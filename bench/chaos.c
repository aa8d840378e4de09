/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/chaos.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char script_name[] = "tests/chaos/run";

/* The script in the folder of the program or in the nearest one above it. */
static bool find_script(const char *build, char *out, size_t bytes) {
    char folder[PATH_MAX];
    (void)snprintf(folder, sizeof folder, "%s", build);
    for (;;) {
        (void)snprintf(out, bytes, "%s/%s", folder, script_name);
        if (access(out, X_OK) == 0) return true;
        char *slash = strrchr(folder, '/');
        if (slash == NULL) return false;
        *slash = '\0';
    }
}

ps_status ps_bench_chaos(const ps_chaos_config *config, ps_error *error) {
    char build[PATH_MAX], script[PATH_MAX + sizeof script_name], minutes[32], seed[24], rate[24];
    const ssize_t length = readlink("/proc/self/exe", build, sizeof build - 1);
    if (length < 0) return ps_fail(error, PS_IO, "/proc/self/exe: %s", strerror(errno));
    build[length] = '\0';
    *strrchr(build, '/') = '\0';
    if (!find_script(build, script, sizeof script))
        return ps_fail(error, PS_UNSUPPORTED,
                       "no %s above %s: chaos needs the source tree that the program was built in",
                       script_name, build);
    (void)snprintf(minutes, sizeof minutes, "%g", config->minutes);
    (void)snprintf(seed, sizeof seed, "%" PRId64, config->seed);
    (void)snprintf(rate, sizeof rate, "%" PRId64, config->rate);
    const char *argv[16] = {script,   "--build", build,     "--minutes",  minutes,
                            "--seed", seed,      "--state", config->state};
    size_t words = 9;
    if (config->rate > 0) {
        argv[words++] = "--rate";
        argv[words++] = rate;
    }
    if (config->json != NULL) {
        argv[words++] = "--json";
        argv[words++] = config->json;
    }
    (void)execv(script, (char *const *)(uintptr_t)argv);
    return ps_fail(error, PS_IO, "%s: %s", script, strerror(errno));
}
