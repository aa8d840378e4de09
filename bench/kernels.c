/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/kernels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/devices.h"
#include "bench/quiet.h"
#include "host/base/check.h"
#include "host/base/clock.h"
#include "host/device/choice.h"
#include "simd/dispatch.h"

enum { ROUNDS = 31, SAMPLE_NS = 700000, TIME_MAX_S = 120, NAMES_MAX = 256 };

/* Samples beside which somebody else was on the core are taken again: so often, and so long. */
enum { TRIES = 10, PATIENCE_NS = 1000000000 };

typedef struct run {
    const ps_kernels_config *config;
    FILE *json;
    bool rows; /* whether the JSON has one already */
    uint32_t samples, disturbed;
    int64_t begin_ns;
} run;

const char *ps_bench_kernels_names(void) {
    static char names[NAMES_MAX];
    const ps_kernel_case *row;
    size_t used = 0;
    const char *before = "";
    for (uint32_t i = 0; (row = ps_kernel_case_at(i)) != NULL; i++) {
        if (strcmp(before, row->kernel) != 0 && used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? " " : "",
                                     row->kernel);
        before = row->kernel;
    }
    return names;
}

static bool wanted(const ps_kernels_config *config, const char *kernel) {
    for (uint32_t i = 0; i < config->name_count; i++)
        if (strcmp(config->names[i], kernel) == 0) return true;
    return config->name_count == 0;
}

static void add_own(ps_contest *c, ps_kernel_id id) {
    for (uint32_t i = 0; i < ps_dispatch_count(id); i++) {
        ps_contestant *const one = &c->contestant[c->count++];
        PS_CHECK_OP(c->count, <, (uint32_t)PS_CASE_CONTESTANTS_MAX);
        one->fn = ps_dispatch_at(id, i, &one->name);
        one->own = true;
        one->chosen = one->fn == ps_dispatch(id);
    }
}

static void call(const ps_contest *c, uint32_t who) {
    const ps_contestant *const one = &c->contestant[who];
    if (one->on == NULL)
        one->fn(c->buf, c->params, 0, c->n);
    else
        PS_CHECK(ps_bench_device_call(one->on, one->copies) == PS_OK);
}

/* What runs here is measured by what it takes of its thread; a device, and all where somebody has
 * several threads, by the clock. */
static int64_t now(const ps_contest *c, uint32_t who) {
    const bool by_clock = c->wall || c->contestant[who].on != NULL;
    return ps_clock_read(by_clock ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID);
}

/* Before anything is measured, everybody's answer is compared with the reference's. */
static ps_status compare(const ps_contest *c, ps_error *error) {
    uint8_t *const expected = malloc(c->out_bytes);
    PS_CHECK(expected != NULL);
    call(c, 0);
    memcpy(expected, c->buf[c->out], c->out_bytes);
    ps_status status = PS_OK;
    for (uint32_t i = 1; i < c->count && status == PS_OK; i++) {
        if (c->contestant[i].free || c->contestant[i].on != NULL) continue;
        memset(c->buf[c->out], 0xa5, c->out_bytes);
        call(c, i);
        if (memcmp(expected, c->buf[c->out], c->out_bytes) != 0)
            status = ps_fail(error, PS_DEVICE, "%s %s: %s does not agree with the reference",
                             c->kernel, c->name, c->contestant[i].name);
    }
    free(expected);
    return status;
}

static double take_sample(const ps_contest *c, uint32_t who, uint32_t calls) {
    const ps_contestant *const one = &c->contestant[who];
    const uint64_t records = c->records * (one->on != NULL ? one->times : 1);
    const int64_t from = now(c, who);
    for (uint32_t k = 0; k < calls; k++) call(c, who);
    return (double)(now(c, who) - from) / calls / (double)records;
}

/* A sample of a quiet core where one is to be had before `until`. What has several threads or runs
 * elsewhere is taken as it comes. */
static void add_sample(ps_contest *c, uint32_t who, uint32_t calls, int64_t until) {
    ps_contestant *const one = &c->contestant[who];
    const bool here = !c->wall && one->on == NULL;
    double ns = 0;
    bool quiet = false;
    for (uint32_t tries = 0; !quiet && tries < TRIES; tries++) {
        if (tries > 0 && ps_clock_ns() > until) break;
        const bool before = !here || ps_quiet_core();
        ns = take_sample(c, who, calls);
        quiet = before && (!here || ps_quiet_core());
    }
    one->disturbed += !quiet;
    ps_samples_add(&one->ns, ns);
}

/* Rounds in which everybody has a turn, so that what else the machine does meets all alike. */
static void measure(ps_contest *c, uint32_t rounds) {
    uint32_t calls[PS_CASE_CONTESTANTS_MAX];
    for (uint32_t i = 0; i < c->count; i++) {
        const int64_t from = now(c, i);
        call(c, i);
        calls[i] = 1 + (uint32_t)(SAMPLE_NS / (now(c, i) - from + 1));
    }
    const int64_t until = ps_clock_ns() + PATIENCE_NS;
    for (uint32_t round = 0; round < rounds; round++)
        for (uint32_t i = 0; i < c->count; i++) add_sample(c, i, calls[i], until);
}

static int compare_numbers(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Half of what four fifths of the rounds lie within, over the median: one round that was disturbed
 * does not widen it. */
static double spread(const ps_samples *samples) {
    ps_samples sorted = *samples;
    qsort(sorted.at, sorted.count, sizeof *sorted.at, compare_numbers);
    const uint32_t tenth = sorted.count / 10;
    return (sorted.at[sorted.count - 1 - tenth] - sorted.at[tenth]) / 2 /
           ps_samples_median(samples);
}

/* The fastest library's place; c->count where there is none. */
static uint32_t best_library(const ps_contest *c) {
    uint32_t best = c->count;
    for (uint32_t i = 0; i < c->count; i++)
        if (!c->contestant[i].own && !c->contestant[i].limit &&
            (best == c->count ||
             ps_samples_median(&c->contestant[i].ns) < ps_samples_median(&c->contestant[best].ns)))
            best = i;
    return best;
}

/* How many times as fast as `other`: the ratio within each round, then their median. */
static double times_as_fast(const ps_samples *one, const ps_samples *other) {
    ps_samples ratios = {.count = 0};
    for (uint32_t i = 0; i < one->count; i++) ps_samples_add(&ratios, other->at[i] / one->at[i]);
    return ps_samples_median(&ratios);
}

static void print_rows(const ps_contest *c, run *r) {
    const uint32_t library = best_library(c);
    for (uint32_t i = 0; i < c->count; i++) {
        const ps_contestant *const one = &c->contestant[i];
        r->samples += one->ns.count;
        r->disturbed += one->disturbed;
        const double ns = ps_samples_median(&one->ns);
        const double gb_per_s = (double)c->bytes / (double)c->records / ns;
        const double beside_reference = times_as_fast(&one->ns, &c->contestant[0].ns);
        const double beside_library =
            library < c->count ? times_as_fast(&one->ns, &c->contestant[library].ns) : 0;
        char text[24] = "-";
        if (library < c->count) (void)snprintf(text, sizeof text, "%.2fx", beside_library);
        (void)printf("%-13s %-8s %-1s %-26s %11.2f %7.2f %8.2fx %9s ±%.0f%%\n", c->kernel, c->name,
                     one->chosen ? "*" : "", one->name, ns, gb_per_s, beside_reference, text,
                     100 * spread(&one->ns));
        if (!r->json) continue;
        (void)fprintf(r->json,
                      "%s\n{\"kernel\":\"%s\",\"case\":\"%s\",\"impl\":\"%s\",\"kind\":\"%s\","
                      "\"chosen\":%s,\"ns_per_record\":%.3f,\"gb_per_s\":%.4f,\"spread\":%.4f,"
                      "\"x_reference\":%.3f,\"x_library\":%.3f,\"rounds\":%u,\"disturbed\":%u,"
                      "\"mean_ns\":%.4f,"
                      "\"deviation_ns\":%.5f}",
                      r->rows ? "," : "", c->kernel, c->name, one->name,
                      one->own ? "own" : "library", one->chosen ? "true" : "false", ns, gb_per_s,
                      spread(&one->ns), beside_reference, beside_library, one->ns.count,
                      one->disturbed, ps_samples_mean(&one->ns), ps_samples_deviation(&one->ns));
        r->rows = true;
    }
}

static ps_status run_case(const ps_kernel_case *row, run *r, ps_error *error) {
    ps_contest *const c = calloc(1, sizeof *c);
    if (!c) return ps_fail(error, PS_NO_MEMORY, "out of memory");
    c->kernel = row->kernel;
    c->name = row->name;
    c->id = row->id;
    row->open(row, c);
    if (c->count == 0) add_own(c, row->id);
    ps_libraries_add(c);
    ps_status status = compare(c, error);
    if (status == PS_OK) status = ps_devices_add(c, error);
    if (status == PS_OK) {
        /* A slow machine gets fewer rounds, and the rows say how many. */
        const bool late = (ps_clock_ns() - r->begin_ns) / PS_NS_PER_S > TIME_MAX_S;
        measure(c, late ? 3 : ROUNDS);
        print_rows(c, r);
    }
    ps_devices_remove(c);
    for (uint32_t i = 0; i < PS_CASE_BUFFERS_MAX; i++) free(c->buf[i]);
    free(c);
    return status;
}

static ps_status run_cases(run *r, ps_error *error) {
    const ps_kernel_case *row;
    (void)printf("%-13s %-8s %-1s %-26s %11s %7s %9s %9s %s\n", "kernel", "case", "", "impl",
                 "ns/record", "GB/s", "x-vs-ref", "x-vs-lib", "spread");
    for (uint32_t i = 0; (row = ps_kernel_case_at(i)) != NULL; i++)
        if (wanted(r->config, row->kernel)) PS_TRY(run_case(row, r, error));
    (void)printf("* runs on this machine; x-vs-lib: times as fast as the fastest library beside\n");
    if (r->disturbed > 0)
        (void)printf("somebody else was on the core beside %u of %u samples\n", r->disturbed,
                     r->samples);
    return PS_OK;
}

ps_status ps_bench_kernels(const ps_kernels_config *config, ps_error *error) {
    run r = {.config = config, .begin_ns = ps_clock_ns()};
    PS_TRY(ps_choice_init(error));
    ps_choice_measure(NULL);
    PS_TRY(ps_kernels_self_test(error));
    if (config->json) {
        r.json = fopen(config->json, "we");
        if (!r.json) return ps_fail(error, PS_IO, "%s: %s", config->json, strerror(errno));
        (void)fprintf(r.json, "{");
        ps_machine_print(r.json);
        (void)fprintf(r.json, ",\n\"rows\":[");
    }
    ps_status status = run_cases(&r, error);
    if (!r.json) return status;
    (void)fprintf(r.json, "\n]}\n");
    if (fclose(r.json) && status == PS_OK)
        status = ps_fail(error, PS_IO, "%s: %s", config->json, strerror(errno));
    return status;
}
