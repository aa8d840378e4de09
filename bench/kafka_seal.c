/* SPDX-License-Identifier: Apache-2.0
 * What sealing costs: a pipeline that hashes each value with SHA-256, and the same with `seal`
 * behind it; what its hashes and its files take by themselves; and what it takes to check the topic
 * against the logs that were written.
 */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench/kafka_runs.h"
#include "bench/seal_floor.h"
#include "bench/topics.h"

static const char kernel[] = "kafka_seal", verify[] = "seal_verify_topic";
static const char sink[] = "form: headers, commit_interval: 100ms";

#define HASH "stages:\n  - hash: {algorithm: sha256, of: value}\n"

/* The logs of all rounds stay until the last one is over: ext4 without a journal does not use an
 * inode again that was freed within the last minutes, and looks at each of those when a file is
 * made. */
typedef struct place {
    char key[112], all[112], logs[128];
} place;

static place place_of(const ps_bench *b) {
    place at;
    (void)snprintf(at.key, sizeof at.key, "%s/seal.key", b->folder);
    (void)snprintf(at.all, sizeof at.all, "%s/logs", b->folder);
    (void)snprintf(at.logs, sizeof at.logs, "%s/%u", at.all, b->runs);
    return at;
}

static ps_status run_penstock(const char *const *argv, ps_measure *out, ps_error *error) {
    PS_TRY(ps_measure_self(argv, true, out, error));
    return out->exit_code == 0 ? PS_OK : ps_fail(error, PS_IO, "penstock seal %s failed", argv[2]);
}

ps_status ps_bench_seal_begin(ps_bench *b, ps_error *error) {
    const place at = place_of(b);
    ps_measure unused;
    const char *const argv[] = {"penstock", "seal", "keygen", "example.org/bench",
                                "-o",       at.key, NULL};
    return run_penstock(argv, &unused, error);
}

static int forget(const char *path, const struct stat *about, int kind, struct FTW *level) {
    (void)about;
    (void)kind;
    (void)level;
    return remove(path);
}

ps_status ps_bench_seal_end(ps_bench *b, ps_error *error) {
    const place at = place_of(b);
    (void)remove(at.key);
    if (nftw(at.all, forget, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT) return PS_OK;
    return ps_fail(error, PS_IO, "%s: %s", at.all, strerror(errno));
}

/* Every record against its log: CPU and time of a process that does nothing else. */
static ps_status verify_round(ps_bench *b, const place *at, ps_error *error) {
    ps_measure done;
    const char *const argv[] = {"penstock",         "seal",   "verify", "topic",
                                b->source,          "--dir",  at->logs, "--brokers",
                                b->config->brokers, "--json", NULL};
    PS_TRY(run_penstock(argv, &done, error));
    ps_result_add(ps_result_of(b, verify, "penstock", true), &done, 0, b->config->rows,
                  done.wall_s);
    return PS_OK;
}

static ps_status plain_run(ps_bench *b, ps_error *error) {
    const ps_bench_job job = {.kernel = kernel, .stages = HASH, .sink = sink};
    PS_TRY(ps_bench_run_job(b, &job, "sha256", error));
    return ps_bench_output_end(b, true, error);
}

static ps_status sealed_run(ps_bench *b, ps_error *error) {
    const place at = place_of(b);
    char stages[PS_YAML_LINE_MAX], tiles[96];
    (void)snprintf(stages, sizeof stages,
                   HASH "  - seal: {origin: example.org/bench, key: %s, dir: %s}\n", at.key,
                   at.logs);
    const ps_bench_job job = {.kernel = kernel, .stages = stages, .sink = sink};
    PS_TRY(ps_bench_run_job(b, &job, "sha256 and seal", error));
    PS_TRY(verify_round(b, &at, error));
    (void)snprintf(tiles, sizeof tiles, "%s.seal", b->group);
    PS_TRY(ps_topic_delete(b->config->brokers, tiles, error));
    return ps_bench_output_end(b, true, error);
}

/* The difference of a round is one sample: the machine was the same for both. */
static void subtract(ps_bench *b) {
    const ps_result *plain = ps_result_of(b, kernel, "sha256", true);
    const ps_result *sealed = ps_result_of(b, kernel, "sha256 and seal", true);
    ps_result *r = ps_result_of(b, kernel, "what seal adds", true);
    const uint32_t last = sealed->cpu_ns.count - 1;
    r->rows = sealed->rows;
    ps_samples_add(&r->cpu_ns, sealed->cpu_ns.at[last] - plain->cpu_ns.at[last]);
    ps_samples_add(&r->wall_ns, sealed->wall_ns.at[last]);
    ps_samples_add(&r->rss_mib, sealed->rss_mib.at[last]);
}

static ps_status floor_run(ps_bench *b, const char *impl, ps_child *child, ps_error *error) {
    const place at = place_of(b);
    char folder[160];
    ps_measure done;
    (void)snprintf(folder, sizeof folder, "%s-files", at.logs);
    ps_seal_floor floor = {b->config->rows, PS_BENCH_PARTITIONS, folder};
    PS_TRY(ps_measure_child(child, &floor, false, &done, error));
    if (done.exit_code != 0) return ps_fail(error, PS_IO, "%s failed", impl);
    ps_result_add(ps_result_of(b, kernel, impl, false), &done, 0, b->config->rows, done.wall_s);
    return PS_OK;
}

ps_status ps_bench_seal_round(ps_bench *b, uint32_t round, ps_error *error) {
    const bool plain_first = round % 2 == 0;
    if (plain_first) PS_TRY(plain_run(b, error));
    PS_TRY(sealed_run(b, error));
    if (!plain_first) PS_TRY(plain_run(b, error));
    subtract(b);
    PS_TRY(floor_run(b, "its hashes alone", ps_seal_floor_hashes, error));
    return floor_run(b, "its files alone", ps_seal_floor_files, error);
}
