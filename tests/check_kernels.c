/* SPDX-License-Identifier: Apache-2.0
 * Runs every implementation of every kernel that this machine has against the reference. A kernel
 * row without its ps_check_<name> does not link. With --bench it also measures what passed. With
 * --level NAME it forces that level and, where the processor lacks it, wants exactly the error
 * that says so; --choice leaves it at what depends on the level. With --backend NAME, or all, the
 * implementations are the devices of that back-end. A kernel's name restricts the run to it.
 */
#include "tests/check_kernels.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/kernels.h"
#include "host/base/clock.h"
#include "simd/cpu.h"
#include "simd/dispatch.h"
#include "tests/check_device.h"

enum { GUARD = 0xa5, FRONT = 64, ROUNDS = 9 };

typedef void check_fn(ps_check *c);
#define PS_KERNEL_ROW(name, NAME, buffers, ulp) check_fn ps_check_##name;
#include "kernels/kernels.def"
#undef PS_KERNEL_ROW
check_fn ps_check_score;

#define PS_KERNEL_ROW(name, NAME, buffers, ulp) ps_check_##name,
static check_fn *const checks[PS_KERNEL_COUNT] = {
#include "kernels/kernels.def"
};
#undef PS_KERNEL_ROW

bool check_that(ps_check *c, bool right, const char *format, ...) {
    if (right) {
        c->passed++;
        return true;
    }
    if (c->failed++ >= 5) return false;
    va_list arguments;
    va_start(arguments, format);
    printf("  FAILED %s (%s): ", c->kernel ? c->kernel->name : "score", c->name);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    return false;
}

/* splitmix64: S. Vigna's, public domain. */
uint64_t check_random(ps_check *c) {
    uint64_t z = (c->random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void *check_take(ps_check *c, size_t bytes) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t rounded = (bytes + 7) / 8 * 8;
    const size_t mapped = (rounded + FRONT + page - 1) / page * page + page;
    if (c->memory_count == CHECK_MEMORY_MAX) abort();
    uint8_t *base = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + mapped - page, page, PROT_NONE) != 0) abort();
    uint8_t *data = base + mapped - page - rounded;
    memset(data - FRONT, GUARD, FRONT);
    memset(data + bytes, GUARD, rounded - bytes);
    c->memory[c->memory_count++] = (check_memory){base, data, mapped, bytes};
    return data;
}

void check_release(ps_check *c) {
    uint32_t broken = 0;
    while (c->memory_count > 0) {
        const check_memory m = c->memory[--c->memory_count];
        for (size_t i = 1; i <= FRONT; i++) broken += *(m.data - i) != GUARD;
        for (size_t i = m.bytes; i < (m.bytes + 7) / 8 * 8; i++) broken += m.data[i] != GUARD;
        munmap(m.base, m.mapped);
    }
    check_that(c, broken == 0, "%u guard bytes were overwritten", broken);
}

static int compare_numbers(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void check_bench_other(ps_check *c, const char *library, const char *what, ps_kernel_fn *fn,
                       void *const *buf, const void *params, uint32_t n, uint64_t bytes) {
    double ns[ROUNDS];
    const int64_t begun = ps_clock_read(CLOCK_THREAD_CPUTIME_ID);
    fn(buf, params, 0, n);
    const int64_t once = ps_clock_read(CLOCK_THREAD_CPUTIME_ID) - begun + 1;
    const int64_t calls = 1 + 2 * PS_NS_PER_MS / once;
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t from = ps_clock_read(CLOCK_THREAD_CPUTIME_ID);
        for (int64_t i = 0; i < calls; i++) fn(buf, params, 0, n);
        ns[round] = (double)(ps_clock_read(CLOCK_THREAD_CPUTIME_ID) - from) / (double)calls;
    }
    qsort(ns, ROUNDS, sizeof ns[0], compare_numbers);
    const double median = ns[ROUNDS / 2];
    printf("  %-8s %-24s %-18s %9.2f ns/item", c->kernel->name, library, what, median / n);
    if (bytes > 0) printf(" %8.2f GB/s", (double)bytes / median);
    printf("\n");
}

void check_bench(ps_check *c, const char *what, void *const *buf, const void *params, uint32_t n,
                 uint64_t bytes) {
    if (c->device)
        check_device_bench(c, what, buf, params, n, bytes);
    else
        check_bench_other(c, c->name, what, c->fn, buf, params, n, bytes);
}

/* Whether this processor has the level, asked without the dispatch. */
static bool has_level(const char *name) {
    static const struct {
        const char *name;
        uint32_t features;
    } levels[] = {
        {"scalar", 0}, {"neon", PS_CPU_NEON}, {"avx2", PS_CPU_AVX2}, {"avx512", PS_CPU_AVX512}};
    for (uint32_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (strcmp(name, levels[i].name) == 0)
            return (ps_cpu_features() & levels[i].features) == levels[i].features;
    return false;
}

/* What a level must say that is not there: a bad configuration, its name, and at least scalar as a
 * choice. */
static void check_absent_level(ps_check *c, const char *level) {
    ps_error error = {{0}};
    const ps_status status = ps_dispatch_init(&error);
    printf("level %s: %s: %s\n", level, ps_status_text(status), error.message);
    check_that(c, status == PS_BAD_CONFIG, "level %s: %s", level, ps_status_text(status));
    check_that(c, strstr(error.message, level) && strstr(error.message, "scalar"),
               "level %s: \"%s\"", level, error.message);
    check_that(c, strcmp(ps_dispatch_isa(), "scalar") == 0, "a failed choice changed something");
}

static void check_kernel(ps_check *total, ps_kernel_id id, bool bench) {
    for (uint32_t i = 0; i < ps_dispatch_count(id); i++) {
        ps_check c = {.kernel = &ps_kernels[id], .random = 20261121, .bench = bench};
        c.fn = ps_dispatch_at(id, i, &c.name);
        checks[id](&c);
        const bool chosen = c.fn == ps_dispatch(id);
        printf("%s %-8s %s%s: %u checks\n", c.failed ? "FAIL" : "ok  ", c.kernel->name, c.name,
               chosen ? " (chosen)" : "", c.passed + c.failed);
        total->passed += c.passed;
        total->failed += c.failed;
    }
}

static void check_on_device(ps_check *total, ps_kernel_id id, bool bench) {
    ps_error error = {{0}};
    ps_check c = {.kernel = &ps_kernels[id], .random = 20261121, .bench = bench, .device = true};
    c.name = check_device_name();
    if (!check_device_takes(id, &error)) {
        printf("none %-8s refused: %s\n", c.kernel->name, error.message);
        return;
    }
    check_device_use(&c);
    checks[id](&c);
    printf("%s %-8s %s: %u checks\n", c.failed ? "FAIL" : "ok  ", c.kernel->name, c.name,
           c.passed + c.failed);
    total->passed += c.passed;
    total->failed += c.failed;
}

/* Every device of one back-end: its self-test, then all kernels. */
static void check_devices(ps_check *total, const ps_backend *backend, const char *only,
                          bool bench) {
    const char *why = "";
    const uint32_t count = backend->devices(&why);
    if (count == 0) printf("none %s: not run, no device: %s\n", backend->name, why);
    for (uint32_t i = 0; i < count; i++) {
        ps_error error = {{0}};
        ps_device *device = NULL;
        ps_status status = backend->open(i, &device, &error);
        if (status == PS_OK) status = ps_device_self_test(backend, device, PS_KERNEL_COUNT, &error);
        if (device) backend->close(device);
        if (!check_that(total, status == PS_OK, "%s", error.message)) continue;
        if (!check_that(total, check_device_open(backend, i, &error), "%s", error.message))
            continue;
        for (uint32_t id = 0; id < PS_KERNEL_COUNT; id++)
            if (!only || strcmp(only, ps_kernels[id].name) == 0)
                check_on_device(total, (ps_kernel_id)id, bench);
        check_device_close();
    }
}

static void check_backends(ps_check *total, const char *wanted, const char *only, bool bench) {
    bool known = false;
    for (uint32_t i = 0; ps_backend_at(i) != NULL; i++) {
        const ps_backend *backend = ps_backend_at(i);
        if (backend->shares_memory) continue;
        if (strcmp(wanted, "all") != 0 && strcmp(wanted, backend->name) != 0) continue;
        known = true;
        /* Named, it has to be there. */
        if (strcmp(wanted, "all") != 0)
            check_that(total, backend->devices(NULL) > 0, "back-end %s has no device", wanted);
        check_devices(total, backend, only, bench);
    }
    check_that(total, known, "there is no back-end %s", wanted);
}

/* The same functions are compared wherever they may be chosen. Which of them are is the level's,
 * and so is what hashes Merkle nodes. */
static void check_choice(ps_check *total) {
    for (uint32_t id = 0; id < PS_KERNEL_COUNT; id++) {
        const char *name = "", *chosen = NULL;
        for (uint32_t i = 0; i < ps_dispatch_count((ps_kernel_id)id); i++)
            if (ps_dispatch_at((ps_kernel_id)id, i, &name) == ps_dispatch((ps_kernel_id)id))
                chosen = name;
        if (check_that(total, chosen != NULL, "%s: another level's is chosen", ps_kernels[id].name))
            printf("     %-8s %s\n", ps_kernels[id].name, chosen);
    }
    check_kernel(total, PS_KERNEL_MERKLE, false);
}

static void check_all(ps_check *total, const char *level, const char *only, bool choice,
                      bool bench) {
    ps_error error = {{0}};
    const ps_status started = ps_dispatch_init(&error);
    if (!check_that(total, started == PS_OK, "%s", error.message)) return;
    if (level) check_that(total, !strcmp(level, ps_dispatch_isa()), "level %s", ps_dispatch_isa());
    const int64_t from = ps_clock_ns();
    const ps_status status = ps_kernels_self_test(&error);
    const int64_t took = ps_clock_ns() - from;
    check_that(total, status == PS_OK, "%s", error.message);
    printf("level %s, self-test %lld us\n", ps_dispatch_isa(), (long long)(took / PS_NS_PER_US));
    if (choice) {
        check_choice(total);
        return;
    }
    if (!only) ps_check_score(total);
    for (uint32_t id = 0; id < PS_KERNEL_COUNT; id++)
        if (!only || strcmp(only, ps_kernels[id].name) == 0)
            check_kernel(total, (ps_kernel_id)id, bench);
}

/* What has cases in bench/kernels.h, once all of it has passed. */
static void bench_beside_libraries(ps_check *total, const char *only) {
    const ps_kernels_config config = {.names = &only, .name_count = only ? 1 : 0};
    ps_error error = {{0}};
    check_that(total, ps_bench_kernels(&config, &error) == PS_OK, "%s", error.message);
}

int main(int count, char **arguments) {
    bool bench = false, choice = false;
    const char *only = NULL, *level = NULL, *backend = NULL;
    ps_check total = {.name = "all", .random = 1};
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--level") == 0 && i + 1 < count)
            level = arguments[++i];
        else if (strcmp(arguments[i], "--backend") == 0 && i + 1 < count)
            backend = arguments[++i];
        else if (strcmp(arguments[i], "--bench") == 0)
            bench = true;
        else if (strcmp(arguments[i], "--choice") == 0)
            choice = true;
        else
            only = arguments[i];
    }
    if (level) setenv("PS_ISA", level, 1);
    if (level && !has_level(level))
        check_absent_level(&total, level);
    else if (backend)
        check_backends(&total, backend, only, bench);
    else
        check_all(&total, level, only, choice, bench);
    if (bench && !backend && total.failed == 0) bench_beside_libraries(&total, only);
    printf("%u passed, %u failed\n", total.passed, total.failed);
    return total.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
