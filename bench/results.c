/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bench/cases.h"

static const ps_result *find_result(const ps_bench *b, const char *kernel, const char *impl) {
    for (uint32_t i = 0; i < b->count; i++)
        if (strcmp(b->results[i].kernel, kernel) == 0 && strcmp(b->results[i].impl, impl) == 0)
            return &b->results[i];
    return NULL;
}

ps_result *ps_result_of(ps_bench *b, const char *kernel, const char *impl, bool own) {
    const ps_result *there = find_result(b, kernel, impl);
    if (there) return &b->results[there - b->results];
    b->results[b->count] = (ps_result){.kernel = kernel, .impl = impl, .own = own};
    return &b->results[b->count++];
}

void ps_result_add(ps_result *r, const ps_measure *m, double fixed_cpu_s, uint64_t rows,
                   double wall_s) {
    const double cpu_s = m->cpu_s > fixed_cpu_s ? m->cpu_s - fixed_cpu_s : 0;
    r->rows = rows;
    ps_samples_add(&r->cpu_ns, cpu_s / (double)rows * 1e9);
    ps_samples_add(&r->wall_ns, wall_s / (double)rows * 1e9);
    ps_samples_add(&r->rss_mib, m->rss_mib);
    ps_samples_add(&r->fixed_cpu_ms, fixed_cpu_s * 1e3);
}

static void find_ratios(ps_bench *b) {
    for (uint32_t i = 0; i < b->count; i++) {
        ps_result *r = &b->results[i];
        if (!r->own) continue;
        const ps_result *bare = find_result(b, r->kernel, "bare loop");
        if (!bare) bare = find_result(b, r->kernel, PS_IMPL_PROCESSOR);
        const ps_result *least = find_result(b, r->kernel, PS_IMPL_LEAST);
        if (bare && bare != r)
            r->ratio_to_bare = ps_samples_ratio(&r->cpu_ns, &bare->cpu_ns, NULL, NULL);
        if (least)
            r->ratio_to_least =
                ps_samples_ratio(&least->wall_ns, &r->wall_ns, NULL, &r->ratio_spread);
    }
}

static void print_row(const ps_result *r) {
    if (r->start_ms.count > 0) {
        (void)printf("%-36s %-27s %8.1f ms (spread %.0f %%)\n", r->kernel, r->impl,
                     ps_samples_median(&r->start_ms), 100 * ps_samples_spread(&r->start_ms));
    } else if (r->p99_ms > 0) {
        (void)printf("%-36s %-27s p50 %.2f  p99 %.2f  p99.9 %.2f  max %.1f ms\n", r->kernel,
                     r->impl, r->p50_ms, r->p99_ms, r->p999_ms, r->max_ms);
    } else {
        (void)printf("%-36s %-27s %6.0f ns CPU/event (spread %.0f %%)  %5.2f M events/s  %4.0f MiB",
                     r->kernel, r->impl, ps_samples_median(&r->cpu_ns),
                     100 * ps_samples_spread(&r->cpu_ns), 1e3 / ps_samples_median(&r->wall_ns),
                     ps_samples_median(&r->rss_mib));
        if (r->ratio_to_bare > 0) (void)printf("  %.2fx", r->ratio_to_bare);
        if (r->ratio_to_least > 0)
            (void)printf("  %.2fx at least once (spread %.0f %%)", r->ratio_to_least,
                         100 * r->ratio_spread);
        if (r->ratio_to_plain > 0)
            (void)printf("  %.2fx uncompressed and the codec", r->ratio_to_plain);
        if (r->idle_us.count > 0)
            (void)printf("  idle: %.2f ms CPU/s", ps_samples_median(&r->idle_us) / 1e3);
        (void)printf("\n");
    }
}

static void write_row(FILE *out, const ps_result *r) {
    const bool start = r->start_ms.count > 0, late = r->p99_ms > 0;
    const double ns = start  ? ps_samples_median(&r->start_ms) * 1e6
                      : late ? r->p99_ms * 1e6
                             : ps_samples_median(&r->cpu_ns);
    const double wall_ns = ps_samples_median(&r->wall_ns), unit = start ? 1e6 : 1.0;
    const ps_samples *const timed = start ? &r->start_ms : &r->cpu_ns;
    (void)fprintf(
        out,
        "{\"kernel\":\"%s\",\"case\":\"%d\",\"impl\":\"%s\",\"kind\":\"%s\",\"chosen\":%s,"
        "\"ns_per_record\":%.1f,\"gb_per_s\":%.4f,\"spread\":%.3f",
        r->kernel, PS_EVENT_BYTES, r->impl, r->own ? "own" : "library", r->own ? "true" : "false",
        ns, wall_ns > 0 ? PS_EVENT_BYTES / wall_ns : 0.0,
        ps_samples_spread(start ? &r->start_ms : &r->cpu_ns));
    if (start)
        (void)fprintf(out, ",\"runs\":%u,\"start_ms\":%.2f", r->start_ms.count, ns / 1e6);
    else if (late)
        (void)fprintf(out,
                      ",\"runs\":%u,\"events\":%" PRIu64
                      ",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,"
                      "\"max_ms\":%.3f",
                      r->late_runs, r->rows, r->p50_ms, r->p99_ms, r->p999_ms, r->max_ms);
    else
        (void)fprintf(
            out,
            ",\"runs\":%u,\"records\":%" PRIu64
            ",\"events_per_s\":%.0f,\"cpu_ns\":%.1f,\"fixed_cpu_ms\":%.1f,\"rss_mib\":%.1f,"
            "\"ratio_to_bare\":%.3f,\"ratio_to_least\":%.3f,"
            "\"ratio_spread\":%.3f",
            r->cpu_ns.count, r->rows, 1e9 / wall_ns, ns, ps_samples_median(&r->fixed_cpu_ms),
            ps_samples_median(&r->rss_mib), r->ratio_to_bare, r->ratio_to_least, r->ratio_spread);
    if (!late)
        (void)fprintf(out, ",\"mean_ns\":%.2f,\"deviation_ns\":%.3f", ps_samples_mean(timed) * unit,
                      ps_samples_deviation(timed) * unit);
    if (r->ratio_to_plain > 0) (void)fprintf(out, ",\"ratio_to_plain\":%.3f", r->ratio_to_plain);
    if (r->idle_us.count > 0)
        (void)fprintf(out, ",\"idle_us_per_s\":%.1f", ps_samples_median(&r->idle_us));
    (void)fprintf(out, "}");
}

ps_status ps_results_write(const ps_bench *b, ps_error *error) {
    if (!b->config->json) return PS_OK;
    FILE *out = fopen(b->config->json, "we");
    if (!out) return ps_fail(error, PS_IO, "%s: %s", b->config->json, strerror(errno));
    (void)fprintf(out, "{");
    ps_machine_print(out);
    (void)fprintf(out, ",\n\"rows\":[");
    for (uint32_t i = 0; i < b->count; i++) {
        (void)fprintf(out, i ? ",\n" : "\n");
        write_row(out, &b->results[i]);
    }
    (void)fprintf(out, "\n]}\n");
    if (fclose(out)) return ps_fail(error, PS_IO, "%s: %s", b->config->json, strerror(errno));
    return PS_OK;
}

void ps_results_print(ps_bench *b) {
    find_ratios(b);
    for (uint32_t i = 0; i < b->count; i++) print_row(&b->results[i]);
}
