/* SPDX-License-Identifier: Apache-2.0
 * Fills a source topic for the acceptance tests: at full speed or at a rate, in transactions if
 * wanted, some of them aborted.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/integration/payloads.h"

typedef struct arguments {
    const char *brokers, *topic, *codec, *batch_bytes;
    payload_make *make;
    uint64_t first, rows, rate;
    uint64_t transaction_rows, abort_every;
    payload_config payload;
} arguments;

static const struct option options[] = {{"brokers", required_argument, NULL, 'b'},
                                        {"topic", required_argument, NULL, 't'},
                                        {"mode", required_argument, NULL, 'm'},
                                        {"rows", required_argument, NULL, 'n'},
                                        {"first", required_argument, NULL, 'f'},
                                        {"rate", required_argument, NULL, 'r'},
                                        {"series", required_argument, NULL, 's'},
                                        {"bytes", required_argument, NULL, 'y'},
                                        {"big-bytes", required_argument, NULL, 'B'},
                                        {"seed", required_argument, NULL, 'S'},
                                        {"transaction-rows", required_argument, NULL, 'T'},
                                        {"codec", required_argument, NULL, 'c'},
                                        {"batch-bytes", required_argument, NULL, 'W'},
                                        {"abort-every", required_argument, NULL, 'A'},
                                        {NULL, 0, NULL, 0}};

static const char usage[] =
    "producer --brokers B --topic TOPIC [--mode "
    "telemetry|each|even|sparse|large|odd|odd-json|tiny|headers|bad|some-bad]\n"
    "         [--rows N] [--first N] [--rate R] [--series K] [--bytes B] [--big-bytes B] [--seed "
    "S]\n"
    "         [--codec zstd|lz4] [--batch-bytes B] [--transaction-rows N [--abort-every K]]";

static payload_make *make_of(const char *mode) {
    if (strcmp(mode, "telemetry") == 0) return payload_telemetry;
    if (strcmp(mode, "each") == 0) return payload_each;
    if (strcmp(mode, "even") == 0) return payload_even;
    if (strcmp(mode, "sparse") == 0) return payload_sparse;
    if (strcmp(mode, "large") == 0) return payload_large;
    if (strcmp(mode, "odd") == 0) return payload_odd;
    if (strcmp(mode, "odd-json") == 0) return payload_odd_json;
    if (strcmp(mode, "tiny") == 0) return payload_tiny;
    if (strcmp(mode, "headers") == 0) return payload_headers;
    if (strcmp(mode, "bad") == 0) return payload_bad;
    if (strcmp(mode, "some-bad") == 0) return payload_some_bad;
    client_die("%s", usage);
}

static uint64_t number(const char *digits) {
    char *end;
    const uint64_t value = strtoull(digits, &end, 10);
    if (*end || end == digits) client_die("%s is not a number", digits);
    return value;
}

static void take(arguments *a, int option) {
    switch (option) {
    case 'b':
        a->brokers = optarg;
        break;
    case 't':
        a->topic = optarg;
        break;
    case 'm':
        a->make = make_of(optarg);
        break;
    case 'n':
        a->rows = number(optarg);
        break;
    case 'f':
        a->first = number(optarg);
        break;
    case 'r':
        a->rate = number(optarg);
        break;
    case 's':
        a->payload.series = (uint32_t)number(optarg);
        break;
    case 'y':
        a->payload.bytes = (uint32_t)number(optarg);
        break;
    case 'B':
        a->payload.big_bytes = (uint32_t)number(optarg);
        break;
    case 'S':
        a->payload.seed = number(optarg);
        break;
    case 'T':
        a->transaction_rows = number(optarg);
        break;
    case 'c':
        a->codec = optarg;
        break;
    case 'W':
        a->batch_bytes = optarg;
        break;
    case 'A':
        a->abort_every = number(optarg);
        break;
    default:
        client_die("%s", usage);
    }
    if (a->payload.big_bytes > PAYLOAD_BYTES_MAX - 64) client_die("--big-bytes: at most 2 MiB");
    if (a->payload.bytes < 200 || a->payload.bytes > 65536) client_die("--bytes: 200 to 65536");
}

static void check(rd_kafka_error_t *error, const char *what) {
    if (error) client_die("%s: %s", what, rd_kafka_error_string(error));
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
    (void)producer;
    uint64_t *failed = opaque;
    /* What an aborted transaction takes along is meant to go. */
    if (message->err && message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
        message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        (*failed)++;
}

static void pace(double begin, uint64_t sent, uint64_t rate) {
    if (rate == 0) return;
    const double ahead = begin + (double)sent / (double)rate - client_seconds();
    if (ahead < 0.001) return;
    (void)nanosleep(
        &(struct timespec){(time_t)ahead, (long)((ahead - (double)(time_t)ahead) * 1e9)}, NULL);
}

static void end_transaction(const arguments *a, rd_kafka_t *producer, uint64_t transaction) {
    check(rd_kafka_flush(producer, 60000)
              ? rd_kafka_error_new(RD_KAFKA_RESP_ERR__TIMED_OUT, "flush")
              : NULL,
          "transaction");
    if (a->abort_every && transaction % a->abort_every == a->abort_every - 1)
        check(rd_kafka_abort_transaction(producer, 60000), "abort");
    else
        check(rd_kafka_commit_transaction(producer, 60000), "commit");
}

static void send_all(const arguments *a, rd_kafka_t *producer, uint8_t *buffer) {
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, a->topic, NULL);
    const double begin = client_seconds();
    record r;
    for (uint64_t i = 0; i < a->rows; i++) {
        if (a->transaction_rows && i % a->transaction_rows == 0) {
            if (i > 0) end_transaction(a, producer, i / a->transaction_rows - 1);
            check(rd_kafka_begin_transaction(producer), "begin");
        }
        a->make(&a->payload, a->first + i, buffer, &r);
        client_send(producer, topic, &r);
        if (i % 64 == 63) {
            (void)rd_kafka_poll(producer, 0);
            pace(begin, i + 1, a->rate);
        }
    }
    if (a->transaction_rows && a->rows > 0)
        end_transaction(a, producer, (a->rows - 1) / a->transaction_rows);
    if (rd_kafka_flush(producer, 60000)) client_die("flush: not everything was delivered");
    rd_kafka_topic_destroy(topic);
    (void)fprintf(stderr, "producer: %" PRIu64 " rows into %s in %.1f s\n", a->rows, a->topic,
                  client_seconds() - begin);
}

int main(int argc, char **argv) {
    arguments a = {.make = payload_telemetry,
                   .rows = 1000,
                   .payload = {.series = 1000, .bytes = 256, .big_bytes = 900000, .seed = 1}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) take(&a, option);
    if (!a.brokers || !a.topic || optind != argc) client_die("%s", usage);

    uint64_t failed = 0;
    char id[128];
    (void)snprintf(id, sizeof id, "producer-%s", a.topic);
    const char *const properties[] = {"linger.ms",
                                      a.batch_bytes ? "2000"
                                      : a.rate      ? "5"
                                                    : "20",
                                      "enable.idempotence",
                                      "true",
                                      "message.max.bytes",
                                      a.batch_bytes ? "1000000000" : "4000000",
                                      "batch.size",
                                      a.batch_bytes ? a.batch_bytes : "1000000",
                                      "batch.num.messages",
                                      a.batch_bytes ? "1000000" : "10000",
                                      "queue.buffering.max.kbytes",
                                      "2097151",
                                      "queue.buffering.max.messages",
                                      a.batch_bytes ? "2000000" : "200000",
                                      "delivery.report.only.error",
                                      "true",
                                      "compression.type",
                                      a.codec ? a.codec : "none",
                                      "message.timeout.ms",
                                      "60000",
                                      a.transaction_rows ? "transactional.id" : NULL,
                                      id,
                                      NULL};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char error[512];
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, &failed);
    (void)rd_kafka_conf_set(conf, "bootstrap.servers", a.brokers, error, sizeof error);
    for (uint32_t i = 0; properties[i]; i += 2)
        if (rd_kafka_conf_set(conf, properties[i], properties[i + 1], error, sizeof error) !=
            RD_KAFKA_CONF_OK)
            client_die("%s: %s", properties[i], error);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    uint8_t *buffer = malloc(PAYLOAD_BYTES_MAX);
    if (!producer || !buffer) client_die("no producer: %s", error);
    a.payload.partitions = (uint32_t)client_partitions(producer, a.topic);
    if (a.transaction_rows) check(rd_kafka_init_transactions(producer, 60000), "init");
    send_all(&a, producer, buffer);
    rd_kafka_destroy(producer);
    free(buffer);
    if (failed) client_die("%" PRIu64 " records were not delivered", failed);
    return 0;
}
