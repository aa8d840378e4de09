/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/measure.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/clock.h"

/* Keeps the last line of what the child writes. */
static void read_last_line(int from, char *line, size_t bytes) {
    char text[4096], partial[4096];
    size_t used = 0;
    line[0] = 0;
    for (;;) {
        const ssize_t n = read(from, text, sizeof text);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] != '\n') {
                if (used < sizeof partial - 1) partial[used++] = text[i];
                continue;
            }
            partial[used] = 0;
            if (used > 0) (void)snprintf(line, bytes, "%s", partial);
            used = 0;
        }
    }
    partial[used] = 0;
    if (used > 0) (void)snprintf(line, bytes, "%s", partial);
}

/* The end of what a child said, in one line; closes the file. */
static void read_last_words(int log, char *out, size_t bytes) {
    out[0] = 0;
    if (log < 0) return;
    const off_t end = lseek(log, 0, SEEK_END), room = (off_t)bytes - 1;
    const ssize_t n = pread(log, out, bytes - 1, end > room ? end - room : 0);
    out[n > 0 ? n : 0] = 0;
    for (char *at = out; (at = strchr(at, '\n')) != NULL;) *at = at[1] == 0 ? 0 : '|';
    (void)close(log);
}

static double seconds(struct timeval t) {
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* `log`: where its messages go, or -1: where ours go. */
static void in_child(ps_child *child, void *context, int log, const int pipe_ends[2]) {
    (void)dup2(pipe_ends[1], STDOUT_FILENO);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)dup2(null, STDIN_FILENO);
    if (log >= 0) (void)dup2(log, STDERR_FILENO);
    const int code = child(context);
    (void)fflush(stdout);
    _exit(code);
}

ps_status ps_measure_child(ps_child *child, void *context, bool quiet, ps_measure *out,
                           ps_error *error) {
    int ends[2], status = 0;
    struct rusage usage;
    (void)fflush(NULL);
    if (pipe2(ends, O_CLOEXEC)) return ps_fail(error, PS_IO, "pipe: %s", strerror(errno));
    const int log = quiet ? memfd_create("messages", MFD_CLOEXEC) : -1;
    const int64_t begin = ps_clock_ns();
    const pid_t pid = fork();
    if (pid < 0) return ps_fail(error, PS_IO, "fork: %s", strerror(errno));
    if (pid == 0) in_child(child, context, log, ends);
    (void)close(ends[1]);
    read_last_line(ends[0], out->line, sizeof out->line);
    (void)close(ends[0]);
    while (wait4(pid, &status, 0, &usage) < 0)
        if (errno != EINTR) return ps_fail(error, PS_IO, "wait4: %s", strerror(errno));
    out->wall_s = (double)(ps_clock_ns() - begin) / 1e9;
    out->cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    out->rss_mib = (double)usage.ru_maxrss / 1024;
    read_last_words(log, out->last_words, sizeof out->last_words);
    out->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return PS_OK;
}

static int become(void *context) {
    char *const *argv = context;
    (void)execv("/proc/self/exe", argv);
    perror("exec");
    return 127;
}

ps_status ps_measure_self(const char *const *argv, bool quiet, ps_measure *out, ps_error *error) {
    PS_TRY(ps_measure_child(become, (void *)(uintptr_t)argv, quiet, out, error));
    if (out->exit_code == 0) return PS_OK;
    return ps_fail(error, PS_IO, "penstock %s ended with %d%s%s", argv[1], out->exit_code,
                   quiet ? ": " : "", quiet ? out->last_words : "");
}

void ps_samples_add(ps_samples *samples, double value) {
    if (samples->count < PS_SAMPLES_MAX) samples->at[samples->count++] = value;
}

static int compare(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double ps_samples_median(const ps_samples *samples) {
    ps_samples sorted = *samples;
    if (sorted.count == 0) return 0;
    qsort(sorted.at, sorted.count, sizeof *sorted.at, compare);
    const uint32_t half = sorted.count / 2;
    return sorted.count % 2 ? sorted.at[half] : (sorted.at[half - 1] + sorted.at[half]) / 2;
}

double ps_samples_spread(const ps_samples *samples) {
    double min = 0, max = 0;
    const double median = ps_samples_median(samples);
    for (uint32_t i = 0; i < samples->count; i++) {
        if (i == 0 || samples->at[i] < min) min = samples->at[i];
        if (i == 0 || samples->at[i] > max) max = samples->at[i];
    }
    return median > 0 ? (max - min) / median : 0;
}

double ps_samples_mean(const ps_samples *samples) {
    double sum = 0;
    for (uint32_t i = 0; i < samples->count; i++) sum += samples->at[i];
    return samples->count > 0 ? sum / samples->count : 0;
}

double ps_samples_deviation(const ps_samples *samples) {
    const double mean = ps_samples_mean(samples);
    double squares = 0;
    for (uint32_t i = 0; i < samples->count; i++)
        squares += (samples->at[i] - mean) * (samples->at[i] - mean);
    return samples->count > 1 ? sqrt(squares / (samples->count - 1)) : 0;
}

double ps_samples_ratio(const ps_samples *own, const ps_samples *other, const ps_samples *more,
                        double *spread) {
    ps_samples ratios = {.count = 0};
    uint32_t rounds = own->count < other->count ? own->count : other->count;
    if (more != NULL && more->count < rounds) rounds = more->count;
    for (uint32_t i = 0; i < rounds; i++) {
        const double beside = other->at[i] + (more != NULL ? more->at[i] : 0);
        if (beside > 0) ps_samples_add(&ratios, own->at[i] / beside);
    }
    if (spread != NULL) *spread = ps_samples_spread(&ratios);
    return ps_samples_median(&ratios);
}

double ps_json_number(const char *line, const char *name) {
    char quoted[64];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *at = strstr(line, quoted);
    return at ? strtod(at + strlen(quoted), NULL) : -1;
}

/* The text behind the first line of FILE that begins with `name`. */
static void file_field(const char *file, const char *name, char *out, size_t bytes) {
    char line[512];
    out[0] = 0;
    FILE *in = fopen(file, "re");
    while (in && fgets(line, sizeof line, in)) {
        if (strncmp(line, name, strlen(name)) != 0) continue;
        const char *colon = strchr(line, ':');
        if (!colon) continue;
        colon += strspn(colon, ": \t");
        (void)snprintf(out, bytes, "%.*s", (int)strcspn(colon, "\n\"\\"), colon);
        break;
    }
    if (in) (void)fclose(in);
}

void ps_machine_print(FILE *out) {
    char cpu[256], memory[256];
    struct utsname name;
    file_field("/proc/cpuinfo", "model name", cpu, sizeof cpu);
    file_field("/proc/meminfo", "MemTotal", memory, sizeof memory);
    if (uname(&name)) (void)memset(&name, 0, sizeof name);
#ifdef __OPTIMIZE__
    const char *build = "optimised";
#else
    const char *build = "not optimised";
#endif
    const char *rdkafka = *PS_RDKAFKA ? PS_RDKAFKA : "none";
    const char *allocator = dlsym(RTLD_DEFAULT, "mallctl") ? "jemalloc" : "libc";
    (void)fprintf(out,
                  "\"machine\":{\"cpu\":\"%s\",\"cores\":%ld,\"memory\":\"%s\",\"kernel\":\"%s "
                  "%s\",\"compiler\":\"%s\",\"build\":\"%s, %s\",\"penstock\":\"%s\","
                  "\"librdkafka\":\"%s\",\"allocator\":\"%s\"}",
                  cpu, sysconf(_SC_NPROCESSORS_ONLN), memory, name.sysname, name.release,
                  __VERSION__, build, PS_BUILD_FLAGS, PS_VERSION, rdkafka, allocator);
}
