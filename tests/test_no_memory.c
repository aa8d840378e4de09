/* SPDX-License-Identifier: Apache-2.0
 * Starting while memory is short: a job is run with its 1st, 2nd, 3rd, … allocation refused until
 * it gets through. Each time it ends with a sentence and an exit code, or does without; if this
 * fails, a worker crashes, hangs or leaks where it should have said what it lacks.
 *
 * The linker turns the calls of our own code into the functions below (--wrap); what libraries
 * allocate by themselves is not counted. librdkafka aborts without memory, so no job here has it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/cli/commands.h"

enum { ALLOCATIONS_MAX = 4000, SECONDS_MAX = 60, TEXT_MAX = 4096 };

static char folder[] = "/tmp/penstock-starve.XXXXXX";
static atomic_int countdown; /* 1: the next one is refused; 0 and below: none */

static bool is_refused(void) {
    if (atomic_load(&countdown) <= 0 || atomic_fetch_sub(&countdown, 1) != 1) return false;
    errno = ENOMEM;
    return true;
}

#define WRAPPED(type, name, parameters, arguments, refusal)      \
    type __real_##name parameters;                               \
    type __wrap_##name parameters;                               \
    type __wrap_##name parameters {                              \
        return is_refused() ? refusal : __real_##name arguments; \
    }

WRAPPED(void *, malloc, (size_t n), (n), NULL)
WRAPPED(void *, calloc, (size_t n, size_t of), (n, of), NULL)
WRAPPED(void *, realloc, (void *p, size_t n), (p, n), NULL)
WRAPPED(void *, aligned_alloc, (size_t to, size_t n), (to, n), NULL)
WRAPPED(char *, strdup, (const char *text), (text), NULL)
WRAPPED(void *, mmap, (void *p, size_t n, int a, int b, int fd, off_t at), (p, n, a, b, fd, at),
        MAP_FAILED)
WRAPPED(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL)
WRAPPED(FILE *, open_memstream, (char **text, size_t *n), (text, n), NULL)
WRAPPED(DIR *, fdopendir, (int fd), (fd), NULL)
WRAPPED(int, glob, (const char *a, int b, int (*c)(const char *, int), glob_t *d), (a, b, c, d),
        GLOB_NOSPACE)
WRAPPED(int, pthread_create, (pthread_t * a, const pthread_attr_t *b, void *(*c)(void *), void *d),
        (a, b, c, d), EAGAIN)

/* The command in a process of its own, its messages into `said`; what waitpid() tells. */
static int attempt(const ps_command *command, char **words, int refused, char *said,
                   bool *through) {
    char name[] = "/tmp/penstock-no-memory.XXXXXX";
    const int fd = mkstemp(name);
    int status = 0;
    assert_true(fd >= 0 && unlink(name) == 0);
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        int count = 0;
        while (words[count] != NULL) count++;
        const int null = open("/dev/null", O_RDWR);
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        (void)alarm(SECONDS_MAX); /* a hang becomes a signal */
        atomic_store(&countdown, refused);
        const int code = command->run(count, words);
        if (atomic_load(&countdown) > 0) (void)fputs("\ngot through\n", stderr);
        atomic_store(&countdown, 0);
        exit(code); /* not _exit(): the leak checker looks at what is left */
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    const ssize_t got = pread(fd, said, TEXT_MAX - 1, 0);
    said[got > 0 ? got : 0] = '\0';
    (void)close(fd);
    *through = strstr(said, "got through") != NULL;
    return status;
}

static bool names_the_lack(const char *said) {
    static const char *const words[] = {"memory", "thread"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(said, words[i]) != NULL) return true;
    return false;
}

/* `fresh`: the last word is where the sink writes, a new place for every attempt. */
static void starve(const ps_command *command, char **words, char *fresh) {
    char said[TEXT_MAX];
    bool through = false;
    int refused = 0;
    for (int n = 1; !through && n < ALLOCATIONS_MAX; n++) {
        if (fresh != NULL) (void)snprintf(fresh, TEXT_MAX, "sink.file.path=%s/out-%d", folder, n);
        const int status = attempt(command, words, n, said, &through);
        if (through && status != 0) fail_msg("fails without any refusal: %s", said);
        if (!WIFEXITED(status) || WEXITSTATUS(status) > PS_EXIT_USAGE)
            fail_msg("%s, allocation %d refused: status %x, said: %s", words[1], n, status, said);
        /* AddressSanitizer's own exit code is 1 too. */
        if (strstr(said, "Sanitizer") != NULL)
            fail_msg("%s, allocation %d refused: %s", words[1], n, said);
        if (WEXITSTATUS(status) == 0) continue; /* it can do without */
        refused++;
        if (!names_the_lack(said))
            fail_msg("%s, allocation %d refused: not told in: %s", words[1], n, said);
        if (strstr(said, "internal error") != NULL)
            fail_msg("%s, allocation %d refused: %s", words[1], n, said);
    }
    assert_true(through && refused > 5);
}

static char *path_of(const char *name) {
    static char path[4][128];
    static unsigned next;
    char *at = path[next++ % 4];
    (void)snprintf(at, sizeof path[0], "%s/%s", folder, name);
    return at;
}

static void write_file(const char *name, const char *text) {
    FILE *file = fopen(path_of(name), "we");
    assert_true(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static int prepare(void **state) {
    (void)state;
    char text[2048];
    static const char runtime[] =
        "runtime: {lanes: 2, batch_rows: 64, batch_bytes: 64KiB, series_max: 64, depth: 2, "
        "backend: cpu}\n";
    if (mkdtemp(folder) == NULL) return -1;
    (void)snprintf(text, sizeof text,
                   "pipeline: starve\nsource: {synthetic: {rows: 300, series: 5}}\n"
                   "decode: {json: {fields: {host: string, cpu: float}}, series: host}\n"
                   "stages:\n  - hash: {algorithm: sha256, of: value}\n"
                   "  - detect: {field: cpu, detectors: [ewma]}\n"
                   "  - filter: {where: \"cpu > 3 or host in ('a', 'b')\"}\n"
                   "sink: {discard: {}}\n%s",
                   runtime);
    write_file("synthetic.yaml", text);
    (void)snprintf(text, sizeof text,
                   "pipeline: starve\nsource: {file: {paths: [\"%s/*.csv\"], format: csv}}\n"
                   "decode: {csv: {fields: {host: string, cpu: float}}, series: host}\n"
                   "sink: {discard: {}}\ndead_letter: {file: %s/dead-1}\n%s",
                   folder, folder, runtime);
    write_file("csv.yaml", text);
    (void)snprintf(text, sizeof text,
                   "pipeline: starve\nsource: {file: {paths: [\"%s/*.json\"]}}\n"
                   "decode: {json: {fields: {host: string, cpu: float}}, series: host}\n"
                   "stages:\n  - detect: {field: cpu, detectors: [ewma]}\n"
                   "sink: {file: {path: %s/out}}\ndead_letter: {file: %s/dead-2}\n%s",
                   folder, folder, folder, runtime);
    write_file("files.yaml", text);
    write_file("a.csv", "host,cpu\na,1\nb,x\n\"c,2\n");
    write_file("b.csv", "cpu,host\n1,a\n2,b\n");
    write_file("a.json", "{\"host\":\"a\",\"cpu\":1}\n{\"host\":\"b\",\"cpu\":1}\n{}\n");
    write_file("b.json", "{\"host\":\"a\",\"cpu\":\"x\"}\n{\"host\":\"b\",\"cpu\":1}\n");
    return 0;
}

static int clean(void **state) {
    char *words[] = {"rm", "-rf", folder, NULL};
    (void)state;
    const pid_t child = fork();
    if (child == 0) _exit(execvp(words[0], words));
    return waitpid(child, NULL, 0) == child ? 0 : -1;
}

static void run_synthetic(void **state) {
    (void)state;
    char *words[] = {"run", path_of("synthetic.yaml"), NULL};
    starve(&ps_command_run, words, NULL);
}

static void run_csv(void **state) {
    (void)state;
    char *words[] = {"run", path_of("csv.yaml"), NULL};
    starve(&ps_command_run, words, NULL);
}

static void run_files(void **state) {
    (void)state;
    char place[TEXT_MAX];
    char *words[] = {"run", path_of("files.yaml"), "--set", place, NULL};
    starve(&ps_command_run, words, place);
}

/* In one place: the first that gets through leaves progress and state, which the next read back. */
static void run_files_again(void **state) {
    (void)state;
    char *words[] = {"run", path_of("files.yaml"), "--summary", "json", NULL};
    starve(&ps_command_run, words, NULL);
}

static void explain(void **state) {
    (void)state;
    char *words[] = {"explain", path_of("files.yaml"), "--set", "runtime.depth=3", NULL};
    starve(&ps_command_explain, words, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explain),   cmocka_unit_test(run_synthetic),   cmocka_unit_test(run_csv),
        cmocka_unit_test(run_files), cmocka_unit_test(run_files_again),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
