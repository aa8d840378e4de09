/* SPDX-License-Identifier: Apache-2.0
 * Starting while memory is short: a job is run with its 1st, 2nd, 3rd, … allocation refused until
 * it gets through. Each time it ends with a sentence and an exit code, or does without; if this
 * fails, a worker crashes, hangs or leaks where it should have said what it lacks.
 *
 * The linker turns the calls of our own code into the functions below (--wrap); what libraries
 * allocate by themselves is not counted. librdkafka aborts without memory: so this program takes it
 * as a shared library, whose calls the linker does not touch, and its mock cluster as the broker.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/cli/commands.h"
#include "ingest/kafka_feed.h"
#include "ingest/kafka_mock.h"

enum {
    ALLOCATIONS_MAX = 4000,
    SECONDS_MAX = 60,
    TEXT_MAX = 4096,
    POLL_MS = 5,
    RUN_MS = 500,
    AT_ONCE_MAX = 8
};

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

/* What a job without an end says once it runs: soon after that it is stopped. NULL: it ends. */
static const char *runs_once_said;

static bool has_said(int fd, const char *what) {
    char said[TEXT_MAX];
    const ssize_t got = pread(fd, said, sizeof said - 1, 0);
    said[got > 0 ? got : 0] = '\0';
    return strstr(said, what) != NULL;
}

static int await(pid_t child, int said) {
    int status = 0;
    for (uint32_t running_ms = 0; runs_once_said != NULL; running_ms += POLL_MS) {
        const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
        if (waitpid(child, &status, WNOHANG) == child) return status;
        if (!has_said(said, runs_once_said)) running_ms = 0;
        if (running_ms == RUN_MS) assert_int_equal(kill(child, SIGTERM), 0);
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* The command in a process of its own, which writes its messages into a file without a name. */
typedef struct attempt {
    pid_t child;
    int said;
} attempt;

static attempt begin(const ps_command *command, char **words, int refused) {
    char name[] = "/tmp/penstock-no-memory.XXXXXX";
    const int fd = mkstemp(name);
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
    assert_true(child > 0);
    return (attempt){child, fd};
}

/* What waitpid() tells of it. */
static int end(const attempt *of, char *said) {
    const int status = await(of->child, of->said);
    const ssize_t got = pread(of->said, said, TEXT_MAX - 1, 0);
    said[got > 0 ? got : 0] = '\0';
    (void)close(of->said);
    return status;
}

static bool names_the_lack(const char *said) {
    static const char *const words[] = {"memory", "thread"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(said, words[i]) != NULL) return true;
    return false;
}

/* Writes into the last word what every attempt has for itself. */
typedef void renewal(char *word, int n);

static void new_place(char *word, int n) {
    (void)snprintf(word, TEXT_MAX, "sink.file.path=%s/out-%d", folder, n);
}

/* Whether it could not do without. */
static bool was_refused(const char *job, int n, int status, const char *said) {
    if (strstr(said, "got through") != NULL && status != 0)
        fail_msg("fails without any refusal: %s", said);
    if (!WIFEXITED(status) || WEXITSTATUS(status) > PS_EXIT_USAGE)
        fail_msg("%s, allocation %d refused: status %x, said: %s", job, n, status, said);
    /* AddressSanitizer's own exit code is 1 too. */
    if (strstr(said, "Sanitizer") != NULL) fail_msg("%s, allocation %d refused: %s", job, n, said);
    if (WEXITSTATUS(status) == 0) return false;
    if (!names_the_lack(said)) fail_msg("%s, allocation %d refused: not told in: %s", job, n, said);
    if (strstr(said, "internal error") != NULL)
        fail_msg("%s, allocation %d refused: %s", job, n, said);
    return true;
}

/* How many attempts run beside each other: those with a broker wait most of the time. */
static int at_once = 1;

static void starve(const ps_command *command, char **words, renewal *renew, char *fresh) {
    char said[TEXT_MAX];
    bool through = false;
    int refused = 0;
    for (int n = 1; !through && n < ALLOCATIONS_MAX; n += at_once) {
        attempt running[AT_ONCE_MAX];
        for (int i = 0; i < at_once; i++) {
            if (renew != NULL) renew(fresh, n + i);
            running[i] = begin(command, words, n + i);
        }
        for (int i = 0; i < at_once; i++) {
            const int status = end(&running[i], said);
            refused += was_refused(words[1], n + i, status, said);
            through = through || strstr(said, "got through") != NULL;
        }
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
    starve(&ps_command_run, words, NULL, NULL);
}

static void run_csv(void **state) {
    (void)state;
    char *words[] = {"run", path_of("csv.yaml"), NULL};
    starve(&ps_command_run, words, NULL, NULL);
}

static void run_files(void **state) {
    (void)state;
    char place[TEXT_MAX];
    char *words[] = {"run", path_of("files.yaml"), "--set", place, NULL};
    starve(&ps_command_run, words, new_place, place);
}

/* In one place: the first that gets through leaves progress and state, which the next read back. */
static void run_files_again(void **state) {
    (void)state;
    char *words[] = {"run", path_of("files.yaml"), "--summary", "json", NULL};
    starve(&ps_command_run, words, NULL, NULL);
}

/* A port that is free, or was just now. */
static unsigned free_port(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 &&
                getsockname(fd, (struct sockaddr *)&at, &length) == 0);
    (void)close(fd);
    return ntohs(at.sin_port);
}

static void new_port(char *word, int n) {
    (void)n;
    (void)snprintf(word, TEXT_MAX, "metrics.listen=127.0.0.1:%u", free_port());
}

static void run_with_metrics(void **state) {
    (void)state;
    char listen[TEXT_MAX];
    char *words[] = {"run", path_of("synthetic.yaml"), "--set", listen, NULL};
    starve(&ps_command_run, words, new_port, listen);
}

/* The broker has a process of its own, because a process with threads should not fork. It is told
 * the number of a pipeline, and answers once that one's topic of state is there. */
static struct {
    pid_t pid;
    int to, from;
} broker;

static void feed(const char *brokers) {
    static const char *const records[] = {"{\"host\":\"a\",\"cpu\":1}", "{}", "x",
                                          "{\"host\":\"b\",\"cpu\":2}"};
    ps_kafka_feed *feed = NULL;
    ps_error error;
    assert_int_equal(ps_kafka_feed_open(brokers, "in", NULL, &feed, &error), PS_OK);
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        const ps_bytes value = {(const uint8_t *)records[i], (uint32_t)strlen(records[i])};
        const ps_bytes key = {(const uint8_t *)"k", 1};
        assert_int_equal(ps_kafka_feed_put(feed, key, value, 0, &error), PS_OK);
    }
    assert_int_equal(ps_kafka_feed_flush(feed, &error), PS_OK);
    ps_kafka_feed_close(feed);
}

static void write_pipeline(const char *brokers) {
    char text[2048];
    (void)snprintf(text, sizeof text,
                   "pipeline: starve\nsource: {kafka: {brokers: \"%s\", topics: [in]}}\n"
                   "decode: {json: {fields: {host: string, cpu: float}}, series: host}\n"
                   "stages:\n  - detect: {field: cpu, detectors: [ewma]}\n"
                   "sink: {kafka: {topic: out, commit_interval: 1ms}}\n"
                   "dead_letter: {topic: dead}\n"
                   "runtime: {lanes: 1, batch_rows: 64, batch_bytes: 64KiB, series_max: 64, "
                   "depth: 2, backend: cpu, client: librdkafka}\n",
                   brokers); /* the mock cluster's versions of messages are older than ours */
    write_file("kafka.yaml", text);
}

static void be_broker(int asked, int answer) {
    static const char *const topics[] = {"in", "out", "dead"};
    ps_kafka_mock *mock = NULL;
    ps_error error;
    char topic[64];
    int n = 0;
    assert_int_equal(ps_kafka_mock_open(1, &mock, &error), PS_OK);
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
        assert_int_equal(ps_kafka_mock_topic(mock, topics[i], 2, &error), PS_OK);
    feed(ps_kafka_mock_brokers(mock));
    write_pipeline(ps_kafka_mock_brokers(mock));
    do {
        (void)snprintf(topic, sizeof topic, "starve%d.state", n);
        assert_int_equal(ps_kafka_mock_topic(mock, topic, 2, &error), PS_OK);
        assert_int_equal(write(answer, &n, sizeof n), sizeof n);
    } while (read(asked, &n, sizeof n) == sizeof n);
    _exit(0);
}

static int open_broker(void **state) {
    (void)state;
    int asked[2], answer[2], n = -1;
    if (pipe(asked) != 0 || pipe(answer) != 0) return -1;
    broker.pid = fork();
    if (broker.pid == 0) {
        (void)close(asked[1]);
        be_broker(asked[0], answer[1]);
    }
    (void)close(asked[0]);
    (void)close(answer[1]);
    broker.to = asked[1];
    broker.from = answer[0];
    at_once = AT_ONCE_MAX;
    return read(broker.from, &n, sizeof n) == sizeof n ? 0 : -1;
}

static int close_broker(void **state) {
    (void)state;
    runs_once_said = NULL;
    at_once = 1;
    (void)close(broker.to);
    (void)close(broker.from);
    return waitpid(broker.pid, NULL, 0) == broker.pid ? 0 : -1;
}

/* With a group, transactions and state of its own. */
static void new_pipeline(char *word, int n) {
    int done = 0;
    assert_int_equal(write(broker.to, &n, sizeof n), sizeof n);
    assert_true(read(broker.from, &done, sizeof done) == sizeof done && done == n);
    (void)snprintf(word, TEXT_MAX, "pipeline=starve%d", n);
}

/* It has no end: the mock keeps no offsets of transactions. */
static void run_kafka(void **state) {
    (void)state;
    char place[TEXT_MAX];
    char *words[] = {"run", path_of("kafka.yaml"), "--set", place, NULL};
    runs_once_said = "partitions assigned";
    starve(&ps_command_run, words, new_pipeline, place);
}

static void run_kafka_least(void **state) {
    (void)state;
    char place[TEXT_MAX];
    char *words[] = {"run",
                     path_of("kafka.yaml"),
                     "--until-end",
                     "--set",
                     "sink.kafka.delivery=at_least_once",
                     "--set",
                     "sink.kafka.form=packed",
                     "--set",
                     place,
                     NULL};
    starve(&ps_command_run, words, new_pipeline, place);
}

static void explain(void **state) {
    (void)state;
    char *words[] = {"explain", path_of("files.yaml"), "--set", "runtime.depth=3", NULL};
    starve(&ps_command_explain, words, NULL, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explain),
        cmocka_unit_test(run_synthetic),
        cmocka_unit_test(run_csv),
        cmocka_unit_test(run_files),
        cmocka_unit_test(run_files_again),
        cmocka_unit_test(run_with_metrics),
        cmocka_unit_test_setup_teardown(run_kafka, open_broker, close_broker),
        cmocka_unit_test_setup_teardown(run_kafka_least, open_broker, close_broker),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
