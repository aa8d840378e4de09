/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/latency.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "host/base/clock.h"

enum { SERIES = 100, VALUE_BYTES = 256, PATIENCE_S = 30 };

#define DUE_MEMBER "\"due\":"

typedef struct timetable {
    const ps_latency_config *config;
    int64_t start_ns;
    uint64_t events;
} timetable;

static rd_kafka_t *client(rd_kafka_type_t type, const char *const *properties) {
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (uint32_t i = 0; properties[i]; i += 2)
        if (rd_kafka_conf_set(conf, properties[i], properties[i + 1], why, sizeof why) !=
            RD_KAFKA_CONF_OK) {
            (void)fprintf(stderr, "latency: %s: %s\n", properties[i], why);
            return NULL;
        }
    rd_kafka_t *made = rd_kafka_new(type, conf, why, sizeof why);
    if (!made) (void)fprintf(stderr, "latency: %s\n", why);
    return made;
}

/* Naps of a millisecond: an event leaves up to that late, which counts, and never early. A nap for
 * every event would be 20,000 wake-ups a second on the cores that are being measured. */
static void wait_until(int64_t due_ns) {
    while (ps_clock_ns() < due_ns) (void)nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static void write_event(uint64_t number, int64_t due_ns, char *value) {
    int at = snprintf(value, VALUE_BYTES,
                      "{\"host\":\"host-%06" PRIu64 "\",\"cpu\":%" PRIu64 ".5," DUE_MEMBER
                      "%" PRId64 ",\"msg\":\"",
                      number % SERIES, 40 + number * 7919 % 13, due_ns);
    memset(value + at, '.', (size_t)(VALUE_BYTES - 2 - at));
    memcpy(value + VALUE_BYTES - 2, "\"}", 2);
}

static void *send_events(void *argument) {
    const timetable *t = argument;
    const char *const properties[] = {"bootstrap.servers",
                                      t->config->brokers,
                                      "linger.ms",
                                      "1",
                                      "log_level",
                                      "3",
                                      "acks",
                                      "1",
                                      NULL};
    rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, properties);
    if (!producer) return NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, t->config->source, NULL);
    char key[16], value[VALUE_BYTES + 1];
    for (uint64_t i = 0; i < t->events; i++) {
        const int64_t due = t->start_ns + (int64_t)((double)i / t->config->rate * 1e9);
        wait_until(due);
        write_event(i, due, value);
        const int length = snprintf(key, sizeof key, "host-%06" PRIu64, i % SERIES);
        while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value,
                                VALUE_BYTES, key, (size_t)length, NULL) != 0)
            (void)rd_kafka_poll(producer, 1);
        if (i % 256 == 0) (void)rd_kafka_poll(producer, 0);
    }
    (void)rd_kafka_flush(producer, PATIENCE_S * 1000);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    return NULL;
}

static rd_kafka_t *open_consumer(const ps_latency_config *c) {
    const char *const properties[] = {"bootstrap.servers",
                                      c->brokers,
                                      "group.id",
                                      "penstock-latency",
                                      "enable.auto.commit",
                                      "false",
                                      "fetch.wait.max.ms",
                                      "100",
                                      "fetch.queue.backoff.ms",
                                      "1",
                                      "log_level",
                                      "3",
                                      NULL};
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, properties);
    if (!consumer) return NULL;
    (void)rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer, c->output, NULL);
    if (rd_kafka_metadata(consumer, 0, topic, &metadata, PATIENCE_S * 1000)) return NULL;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (int32_t i = 0; i < metadata->topics[0].partition_cnt; i++)
        rd_kafka_topic_partition_list_add(list, c->output, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    (void)rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return consumer;
}

static int64_t due_of(const rd_kafka_message_t *message) {
    const char *at = memmem(message->payload, message->len, DUE_MEMBER, sizeof DUE_MEMBER - 1);
    return at ? strtoll(at + sizeof DUE_MEMBER - 1, NULL, 10) : 0;
}

/* Latencies of all events that were due from `from_ns` on; returns how many came. */
static uint64_t receive(rd_kafka_t *consumer, const timetable *t, int64_t from_ns, int64_t *late) {
    uint64_t count = 0, seen = 0;
    int64_t last = ps_clock_ns();
    while (seen < t->events && ps_clock_ns() - last < PATIENCE_S * PS_NS_PER_S) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (!message) continue;
        const int64_t now = ps_clock_ns();
        if (!message->err && message->payload) {
            const int64_t due = due_of(message);
            last = now;
            seen++;
            if (due >= from_ns && count < t->events) late[count++] = now - due;
        }
        rd_kafka_message_destroy(message);
    }
    return seen < t->events ? 0 : count;
}

static int compare(const void *left, const void *right) {
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static double at_share(const int64_t *late, uint64_t count, double share) {
    const uint64_t index = (uint64_t)((double)count * share);
    return (double)late[index < count ? index : count - 1] / 1e6;
}

static pid_t start_worker(const char *file) {
    if (!file) return 0;
    const pid_t pid = fork();
    if (pid != 0) return pid;
    const char *const argv[] = {"penstock", "run", file, NULL};
    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    (void)execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
    _exit(127);
}

int ps_latency_child(void *context) {
    const ps_latency_config *c = context;
    timetable t = {.config = c, .events = (uint64_t)(c->rate * (c->warmup_s + c->measure_s))};
    int64_t *late = calloc(t.events, sizeof *late);
    const pid_t worker = start_worker(c->pipeline_file);
    rd_kafka_t *consumer = open_consumer(c);
    pthread_t sender;
    if (!late || worker < 0 || !consumer) return 1;
    /* The worker gets a second to join its group before the timetable begins. */
    t.start_ns = ps_clock_ns() + PS_NS_PER_S;
    if (pthread_create(&sender, NULL, send_events, &t)) return 1;
    const uint64_t count = receive(consumer, &t, t.start_ns + (int64_t)(c->warmup_s * 1e9), late);
    (void)pthread_join(sender, NULL);
    rd_kafka_destroy(consumer);
    if (worker > 0) {
        (void)kill(worker, SIGTERM);
        (void)waitpid(worker, NULL, 0);
    }
    if (count == 0) {
        (void)fprintf(stderr, "latency: not every event came out\n");
        return 1;
    }
    qsort(late, count, sizeof *late, compare);
    (void)printf(
        "{\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,\"events\":%" PRIu64
        "}\n",
        at_share(late, count, 0.5), at_share(late, count, 0.99), at_share(late, count, 0.999),
        (double)late[count - 1] / 1e6, count);
    free(late);
    return 0;
}
