/* SPDX-License-Identifier: Apache-2.0
 * What a worker takes while little comes, and while nothing comes: its CPU over some seconds of a
 * steady stream, and over some seconds of silence, read from its clock so that starting and
 * stopping are not in it.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/kafka_runs.h"
#include "bench/topics.h"
#include "host/base/clock.h"

/* Milliseconds from the stream's beginning: it is watched from SETTLED to WATCHED and ends at
 * STREAMED; then it is quiet for a while, and silence is watched for IDLE. */
enum { RATE = 10000, SETTLED = 3000, WATCHED = 9000, STREAMED = 9500, QUIET = 1500, IDLE = 4000 };
enum { ROWS = RATE / 1000 * STREAMED };

typedef struct slow_config {
    const char *file, *brokers, *topic;
} slow_config;

static pid_t start(const char *const *argv, int out) {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    (void)dup2(out, STDOUT_FILENO);
    (void)execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
    _exit(127);
}

static void sleep_until(int64_t at_ns) {
    const int64_t left = at_ns - ps_clock_ns();
    const struct timespec pause = {left / PS_NS_PER_S, left % PS_NS_PER_S};
    if (left > 0) (void)nanosleep(&pause, NULL);
}

/* A moment: what time it is, and what all threads of the process have taken. */
typedef struct moment {
    int64_t wall_ns, cpu_ns;
} moment;

static bool look(pid_t pid, int64_t at_ns, moment *out) {
    clockid_t clock;
    struct timespec taken;
    sleep_until(at_ns);
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &taken) != 0) return false;
    *out = (moment){ps_clock_ns(), taken.tv_sec * PS_NS_PER_S + taken.tv_nsec};
    return true;
}

/* CPU nanoseconds of a second. */
static double per_second(const moment *from, const moment *to) {
    return (double)(to->cpu_ns - from->cpu_ns) / (double)(to->wall_ns - from->wall_ns) * 1e9;
}

/* The line that the worker's summary is. */
static double rows_in(int summary) {
    char line[1024];
    const ssize_t length = pread(summary, line, sizeof line - 1, 0);
    line[length > 0 ? length : 0] = '\0';
    return ps_json_number(line, "rows_in");
}

static int complain(const char *what) {
    (void)fprintf(stderr, "%s\n", what);
    return 1;
}

static bool watch(const slow_config *c, pid_t worker, moment at[4]) {
    char rows[16], rate[16], to[PS_YAML_LINE_MAX];
    (void)snprintf(rows, sizeof rows, "%d", ROWS);
    (void)snprintf(rate, sizeof rate, "%d", RATE);
    (void)snprintf(to, sizeof to, "%s/%s", c->brokers, c->topic);
    const char *const argv[] = {"penstock", "gen",  "--rows", rows, "--rate",
                                rate,       "--to", to,       NULL};
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int64_t begin = ps_clock_ns();
    const pid_t stream = start(argv, null);
    int status = 0;
    bool seen = stream > 0 && look(worker, begin + SETTLED * PS_NS_PER_MS, &at[0]) &&
                look(worker, begin + WATCHED * PS_NS_PER_MS, &at[1]);
    if (stream > 0) (void)waitpid(stream, &status, 0);
    const int64_t ended = ps_clock_ns();
    (void)close(null);
    /* A stream that was late has another rate than it is counted with. */
    if (status != 0 || ended - begin > (STREAMED + QUIET) * PS_NS_PER_MS) return false;
    seen = seen && look(worker, ended + QUIET * PS_NS_PER_MS, &at[2]) &&
           look(worker, ended + (QUIET + IDLE) * PS_NS_PER_MS, &at[3]);
    return seen;
}

static int slow_child(void *context) {
    const slow_config *c = context;
    const char *const argv[] = {"penstock", "run", c->file, "--summary", "json", NULL};
    const int summary = memfd_create("summary", MFD_CLOEXEC);
    const pid_t worker = start(argv, summary);
    struct rusage usage;
    moment at[4];
    int status = 0;
    if (summary < 0 || worker < 0) return complain("no worker");
    sleep_until(ps_clock_ns() + 2 * PS_NS_PER_S); /* to join its group */
    const bool seen = watch(c, worker, at);
    (void)kill(worker, SIGTERM);
    if (wait4(worker, &status, 0, &usage) != worker || status != 0)
        return complain("the worker failed");
    if (!seen) return complain("the stream was not what it should be");
    if (rows_in(summary) != ROWS) return complain("the worker did not keep up");
    (void)printf("{\"cpu_ns\":%.1f,\"idle_us\":%.1f,\"rss_mib\":%.1f}\n",
                 per_second(&at[0], &at[1]) / RATE, per_second(&at[2], &at[3]) / 1e3,
                 (double)usage.ru_maxrss / 1024);
    return 0;
}

static ps_status slow_run(ps_bench *b, const ps_bench_client *client, ps_error *error) {
    static const char kernel[] = "kafka_slow_10000_per_s";
    char all[sizeof b->source];
    ps_measure done;
    memcpy(all, b->source, sizeof all);
    (void)snprintf(b->source, sizeof b->source, "%s.slow-%u", b->prefix, b->runs);
    PS_TRY(ps_topic_create(b->config->brokers, b->source, PS_BENCH_PARTITIONS, error));
    PS_TRY(ps_bench_output_begin(b, PS_BENCH_PARTITIONS, error));
    const ps_bench_job job = {.sink = "form: headers, commit_interval: 100ms",
                              .client = client->name};
    PS_TRY(ps_bench_write_job(b, &job, error));
    slow_config config = {.file = b->file, .brokers = b->config->brokers, .topic = b->source};
    PS_TRY(ps_measure_child(slow_child, &config, true, &done, error));
    if (done.exit_code != 0) return ps_fail(error, PS_IO, "%s: %s", kernel, done.last_words);
    ps_result *r = ps_result_of(b, kernel, client->impl, true);
    r->rows = ROWS;
    ps_samples_add(&r->cpu_ns, ps_json_number(done.line, "cpu_ns"));
    ps_samples_add(&r->wall_ns, 1e9 / RATE);
    ps_samples_add(&r->rss_mib, ps_json_number(done.line, "rss_mib"));
    ps_samples_add(&r->idle_us, ps_json_number(done.line, "idle_us"));
    PS_TRY(ps_topic_delete(b->config->brokers, b->source, error));
    memcpy(b->source, all, sizeof all);
    return ps_bench_output_end(b, true, error);
}

ps_status ps_bench_slow_round(ps_bench *b, uint32_t round, ps_error *error) {
    for (uint32_t i = 0; i < PS_BENCH_CLIENTS; i++)
        PS_TRY(slow_run(b, &ps_bench_clients[(round + i) % PS_BENCH_CLIENTS], error));
    return PS_OK;
}
