/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bare_loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <openssl/evp.h>

#include "host/base/clock.h"

enum {
    POLL_MESSAGES = 1000,
    KEPT_MAX = 400000, /* messages of one transaction */
    TIMEOUT_MS = 30000,
    SOURCE_MAX = 320,
    MEMBER_MAX = SOURCE_MAX + 192,
    PARTITIONS_MAX = 256
};

#define SCORE   "0.84316075"
#define ANOMALY "0"

/* What all threads share. */
typedef struct shared {
    const ps_bare_config *config;
    _Atomic uint64_t rows;
    uint64_t target;
    atomic_bool failed;
    ps_error error;
    pthread_mutex_t lock;
} shared;

typedef struct loop {
    shared *shared;
    uint32_t number;
    rd_kafka_t *consumer, *producer;
    rd_kafka_queue_t *queue;
    rd_kafka_topic_t *output;
    EVP_MD_CTX *digest;
    EVP_MD *sha256;
    rd_kafka_message_t **kept;
    uint32_t kept_count;
    uint8_t *text; /* JSON values of the running transaction */
    size_t text_used, text_bytes;
    int64_t next[PARTITIONS_MAX]; /* -1: nothing read */
    char source[SOURCE_MAX];
    size_t source_prefix;
} loop;

static bool failed(loop *l, const char *what, const char *why) {
    pthread_mutex_lock(&l->shared->lock);
    if (!atomic_load(&l->shared->failed))
        (void)ps_fail(&l->shared->error, PS_IO, "bare loop: %s: %s", what, why);
    atomic_store(&l->shared->failed, true);
    pthread_mutex_unlock(&l->shared->lock);
    return false;
}

static bool check(loop *l, rd_kafka_error_t *error, const char *what) {
    if (!error) return true;
    (void)failed(l, what, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return false;
}

static rd_kafka_t *client(loop *l, rd_kafka_type_t type, const char *const *properties) {
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (uint32_t i = 0; properties[i]; i += 2)
        if (rd_kafka_conf_set(conf, properties[i], properties[i + 1], why, sizeof why) !=
            RD_KAFKA_CONF_OK) {
            (void)failed(l, properties[i], why);
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    rd_kafka_t *made = rd_kafka_new(type, conf, why, sizeof why);
    if (!made) (void)failed(l, "client", why);
    return made;
}

/* Whether a broker that has just started gives this answer while its coordinators move. */
static bool is_moving(rd_kafka_resp_err_t status) {
    switch (status) {
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
        return true;
    default:
        return false;
    }
}

/* The group's committed offsets, RD_KAFKA_OFFSET_INVALID where there is none. */
static rd_kafka_resp_err_t committed(loop *l, rd_kafka_topic_partition_list_t *list) {
    enum { ATTEMPT_MS = 2000, PAUSE_US = 100000 };
    const int64_t due = ps_clock_ns() + TIMEOUT_MS * PS_NS_PER_MS;
    rd_kafka_resp_err_t status;
    while (is_moving(status = rd_kafka_committed(l->consumer, list, ATTEMPT_MS)) &&
           ps_clock_ns() < due)
        (void)usleep(PAUSE_US);
    for (int i = 0; !status && i < list->cnt; i++) status = list->elems[i].err;
    return status;
}

/* Every threads-th partition, from the group's committed offsets: a rebalance would be noise. The
 * offsets are asked for here, because a consumer that is told to use "the committed ones" gives up
 * for good when the coordinator moves at that moment. */
static bool assign_share(loop *l) {
    const ps_bare_config *c = l->shared->config;
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(l->consumer, c->source, NULL);
    rd_kafka_resp_err_t status = rd_kafka_metadata(l->consumer, 0, topic, &metadata, TIMEOUT_MS);
    rd_kafka_topic_destroy(topic);
    if (status) return failed(l, "metadata", rd_kafka_err2str(status));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (int32_t i = 0; i < metadata->topics[0].partition_cnt; i++)
        if ((uint32_t)i % c->threads == l->number)
            (void)rd_kafka_topic_partition_list_add(list, c->source, i);
    rd_kafka_metadata_destroy(metadata);
    status = committed(l, list);
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset < 0) list->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
    if (!status) status = rd_kafka_assign(l->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return !status || failed(l, "assign", rd_kafka_err2str(status));
}

static bool open_consumer(loop *l) {
    const ps_bare_config *c = l->shared->config;
    const char *const properties[] = {"bootstrap.servers",
                                      c->brokers,
                                      "group.id",
                                      c->group,
                                      "isolation.level",
                                      "read_committed",
                                      "enable.auto.commit",
                                      "false",
                                      "enable.auto.offset.store",
                                      "false",
                                      "auto.offset.reset",
                                      "earliest",
                                      "fetch.queue.backoff.ms",
                                      "2",
                                      "fetch.wait.max.ms",
                                      "100",
                                      "queued.max.messages.kbytes",
                                      "32768",
                                      "fetch.message.max.bytes",
                                      "1048576",
                                      "log_level",
                                      "3",
                                      NULL};
    l->consumer = client(l, RD_KAFKA_CONSUMER, properties);
    if (!l->consumer) return false;
    (void)rd_kafka_poll_set_consumer(l->consumer);
    l->queue = rd_kafka_queue_get_consumer(l->consumer);
    return assign_share(l);
}

static bool open_producer(loop *l) {
    const ps_bare_config *c = l->shared->config;
    char id[128], linger[16], batch[16];
    (void)snprintf(id, sizeof id, "%s-%u", c->group, l->number);
    (void)snprintf(linger, sizeof linger, "%u", c->linger_ms);
    (void)snprintf(batch, sizeof batch, "%u", c->batch_bytes > 0 ? c->batch_bytes : 1000000);
    const char *const properties[] = {"bootstrap.servers",
                                      c->brokers,
                                      "enable.idempotence",
                                      "true",
                                      "linger.ms",
                                      linger,
                                      "batch.size",
                                      batch,
                                      "compression.codec",
                                      c->codec != NULL ? c->codec : "none",
                                      "queue.buffering.max.messages",
                                      "1000000",
                                      "queue.buffering.max.kbytes",
                                      "1048576",
                                      "message.max.bytes",
                                      "2000000",
                                      "delivery.report.only.error",
                                      "true",
                                      "retry.backoff.ms",
                                      "10",
                                      "log_level",
                                      "3",
                                      c->exactly_once ? "transactional.id" : NULL,
                                      id,
                                      NULL};
    l->producer = client(l, RD_KAFKA_PRODUCER, properties);
    if (!l->producer) return false;
    l->output = rd_kafka_topic_new(l->producer, c->output, NULL);
    return !c->exactly_once ||
           (check(l, rd_kafka_init_transactions(l->producer, TIMEOUT_MS), "init_transactions") &&
            check(l, rd_kafka_begin_transaction(l->producer), "begin"));
}

static bool open_loop(loop *l, shared *s, uint32_t number) {
    *l = (loop){.shared = s, .number = number, .text_bytes = (size_t)256 << 20};
    for (uint32_t i = 0; i < PARTITIONS_MAX; i++) l->next[i] = -1;
    l->source_prefix = (size_t)snprintf(l->source, sizeof l->source, "%s/", s->config->source);
    l->kept = malloc(KEPT_MAX * sizeof *l->kept);
    /* Touched as far as it is used. */
    l->text = malloc(s->config->form == PS_BARE_JSON ? l->text_bytes : 1);
    l->digest = EVP_MD_CTX_new();
    l->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!l->kept || !l->text || !l->digest || !l->sha256)
        return failed(l, "start", "out of memory");
    return open_consumer(l) && open_producer(l);
}

static void release_kept(loop *l) {
    for (uint32_t i = 0; i < l->kept_count; i++) rd_kafka_message_destroy(l->kept[i]);
    l->kept_count = 0;
    l->text_used = 0;
}

static void close_loop(loop *l) {
    if (l->output) rd_kafka_topic_destroy(l->output);
    if (l->producer) {
        (void)rd_kafka_purge(l->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_flush(l->producer, 5000);
        rd_kafka_destroy(l->producer);
    }
    release_kept(l);
    if (l->queue) rd_kafka_queue_destroy(l->queue);
    if (l->consumer) {
        (void)rd_kafka_consumer_close(l->consumer);
        rd_kafka_destroy(l->consumer);
    }
    EVP_MD_CTX_free(l->digest);
    EVP_MD_free(l->sha256);
    free(l->kept);
    free(l->text);
}

static size_t put_number(char *to, uint64_t value) {
    char digits[20];
    size_t count = 0, i = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (count > 0) to[i++] = digits[--count];
    return i;
}

static size_t put_source(loop *l, const rd_kafka_message_t *m) {
    size_t at = l->source_prefix;
    at += put_number(l->source + at, (uint64_t)m->partition);
    l->source[at++] = '/';
    return at + put_number(l->source + at, (uint64_t)m->offset);
}

static void put_digest(loop *l, const rd_kafka_message_t *m, char hex[64]) {
    static const char digit[] = "0123456789abcdef";
    uint8_t digest[32] = {0};
    if (l->shared->config->hash) {
        (void)EVP_DigestInit_ex2(l->digest, l->sha256, NULL);
        (void)EVP_DigestUpdate(l->digest, m->payload, m->len);
        (void)EVP_DigestFinal_ex(l->digest, digest, NULL);
    }
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digit[digest[i] >> 4];
        hex[2 * i + 1] = digit[digest[i] & 15];
    }
}

static rd_kafka_headers_t *headers_of(loop *l, const rd_kafka_message_t *m) {
    rd_kafka_headers_t *had, *headers;
    char hex[64];
    if (rd_kafka_message_headers(m, &had) == RD_KAFKA_RESP_ERR_NO_ERROR)
        headers = rd_kafka_headers_copy(had);
    else
        headers = rd_kafka_headers_new(4);
    const size_t source = put_source(l, m);
    put_digest(l, m, hex);
    (void)rd_kafka_header_add(headers, "ps-source", 9, l->source, (ssize_t)source);
    (void)rd_kafka_header_add(headers, "ps-sha256", 9, hex, 64);
    (void)rd_kafka_header_add(headers, "ps-score", 8, SCORE, sizeof SCORE - 1);
    (void)rd_kafka_header_add(headers, "ps-anomaly", 10, ANOMALY, sizeof ANOMALY - 1);
    return headers;
}

static uint8_t *put_text(uint8_t *to, const char *text, size_t size) {
    memcpy(to, text, size);
    return to + size;
}
#define PUT(to, literal) put_text(to, literal, sizeof(literal) - 1)

/* The value without its last brace, then the member. */
static size_t json_of(loop *l, const rd_kafka_message_t *m, uint8_t *to) {
    char hex[64];
    const size_t source = put_source(l, m);
    put_digest(l, m, hex);
    uint8_t *at = put_text(to, m->payload, m->len - 1);
    at = PUT(at, ",\"penstock\":{\"source\":\"");
    at = put_text(at, l->source, source);
    at = PUT(at, "\",\"sha256\":\"");
    at = put_text(at, hex, 64);
    at = PUT(at, "\",\"score\":" SCORE ",\"anomaly\":false}}");
    return (size_t)(at - to);
}

static rd_kafka_vu_t vu_bytes(rd_kafka_vtype_t type, void *data, size_t size) {
    return (rd_kafka_vu_t){.vtype = type, .u.mem = {data, size}};
}

static rd_kafka_vu_t vu_number(rd_kafka_vtype_t type, int number) {
    return type == RD_KAFKA_VTYPE_PARTITION ? (rd_kafka_vu_t){.vtype = type, .u.i32 = number}
                                            : (rd_kafka_vu_t){.vtype = type, .u.i = number};
}

static bool produce(loop *l, const rd_kafka_message_t *m) {
    rd_kafka_timestamp_type_t type;
    const ps_bare_config *c = l->shared->config;
    void *value = m->payload;
    size_t size = m->len;
    rd_kafka_headers_t *headers = NULL;
    if (c->form == PS_BARE_HEADERS) headers = headers_of(l, m);
    if (c->form == PS_BARE_JSON) {
        value = l->text + l->text_used;
        size = json_of(l, m, value);
        l->text_used += size;
    }
    rd_kafka_vu_t parts[7] = {{.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = l->output}};
    parts[1] = vu_number(RD_KAFKA_VTYPE_PARTITION, m->partition);
    parts[2] = vu_bytes(RD_KAFKA_VTYPE_KEY, m->key, m->key_len);
    parts[3] = vu_bytes(RD_KAFKA_VTYPE_VALUE, value, size);
    parts[4] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_TIMESTAMP,
                               .u.i64 = rd_kafka_message_timestamp(m, &type)};
    parts[5] = vu_number(RD_KAFKA_VTYPE_MSGFLAGS, 0); /* our memory until delivered: no copy */
    parts[6] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers};
    const size_t count = sizeof parts / sizeof *parts - (headers == NULL);
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_produceva(l->producer, parts, count);
        if (!error) return true;
        if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return check(l, error, "produce");
        rd_kafka_error_destroy(error);
        (void)rd_kafka_poll(l->producer, 5);
    }
}

static rd_kafka_topic_partition_list_t *positions(const loop *l) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (int32_t i = 0; i < PARTITIONS_MAX; i++)
        if (l->next[i] >= 0)
            rd_kafka_topic_partition_list_add(list, l->shared->config->source, i)->offset =
                l->next[i];
    return list;
}

static bool commit_transaction(loop *l, const rd_kafka_topic_partition_list_t *list) {
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(l->consumer);
    const bool sent = check(
        l, rd_kafka_send_offsets_to_transaction(l->producer, list, group, TIMEOUT_MS), "offsets");
    rd_kafka_consumer_group_metadata_destroy(group);
    return sent && check(l, rd_kafka_commit_transaction(l->producer, TIMEOUT_MS), "commit") &&
           check(l, rd_kafka_begin_transaction(l->producer), "begin");
}

static bool commit(loop *l) {
    if (l->kept_count == 0) return true;
    rd_kafka_topic_partition_list_t *list = positions(l);
    bool good = true;
    if (l->shared->config->exactly_once) {
        good = commit_transaction(l, list);
    } else {
        rd_kafka_resp_err_t status = rd_kafka_flush(l->producer, TIMEOUT_MS);
        if (!status) status = rd_kafka_commit(l->consumer, list, 1);
        if (status) good = failed(l, "commit", rd_kafka_err2str(status));
    }
    rd_kafka_topic_partition_list_destroy(list);
    atomic_fetch_add(&l->shared->rows, l->kept_count);
    release_kept(l);
    return good;
}

static bool pass_on(loop *l, rd_kafka_message_t *m) {
    if (m->err) {
        const bool ignore = m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (!ignore) (void)failed(l, "consume", rd_kafka_message_errstr(m));
        rd_kafka_message_destroy(m);
        return ignore;
    }
    l->kept[l->kept_count++] = m;
    if (m->partition < PARTITIONS_MAX) l->next[m->partition] = m->offset + 1;
    return produce(l, m);
}

static bool is_full(const loop *l) {
    return l->kept_count > KEPT_MAX - POLL_MESSAGES ||
           (l->shared->config->form == PS_BARE_JSON &&
            l->text_used + (size_t)POLL_MESSAGES * 20000 > l->text_bytes);
}

static void *run(void *argument) {
    loop *l = argument;
    rd_kafka_message_t *messages[POLL_MESSAGES];
    const ps_bare_config *c = l->shared->config;
    int64_t due = ps_clock_ns() + c->commit_interval_ns;
    while (!atomic_load(&l->shared->failed) && atomic_load(&l->shared->rows) < l->shared->target) {
        const int wait_ms = l->kept_count > 0 ? 5 : 20;
        const ssize_t n = rd_kafka_consume_batch_queue(l->queue, wait_ms, messages, POLL_MESSAGES);
        for (ssize_t i = 0; i < n; i++)
            if (!pass_on(l, messages[i])) return NULL;
        if (ps_clock_ns() >= due || is_full(l)) {
            if (!commit(l)) return NULL;
            due = ps_clock_ns() + c->commit_interval_ns;
        }
    }
    return NULL;
}

/* Rows between the group's committed offsets and the topic's ends. */
static bool rows_due(loop *l, uint64_t *rows) {
    const ps_bare_config *c = l->shared->config;
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(l->consumer, c->source, NULL);
    rd_kafka_resp_err_t status = rd_kafka_metadata(l->consumer, 0, topic, &metadata, TIMEOUT_MS);
    if (status) return failed(l, "metadata", rd_kafka_err2str(status));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (int32_t i = 0; i < metadata->topics[0].partition_cnt; i++)
        rd_kafka_topic_partition_list_add(list, c->source, i);
    status = committed(l, list);
    *rows = 0;
    for (int i = 0; !status && i < list->cnt; i++) {
        int64_t low, high;
        status =
            rd_kafka_query_watermark_offsets(l->consumer, c->source, i, &low, &high, TIMEOUT_MS);
        const int64_t from = list->elems[i].offset > low ? list->elems[i].offset : low;
        if (!status) *rows += (uint64_t)(high - from);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return !status || failed(l, "ends", rd_kafka_err2str(status));
}

ps_status ps_bare_loop(const ps_bare_config *config, uint64_t *rows, ps_error *error) {
    shared s = {.config = config, .target = UINT64_MAX, .lock = PTHREAD_MUTEX_INITIALIZER};
    loop *loops = calloc(config->threads, sizeof *loops);
    pthread_t *threads = calloc(config->threads, sizeof *threads);
    uint32_t opened = 0, started = 0;
    if (!loops || !threads) {
        free(loops);
        free(threads);
        return ps_fail(error, PS_NO_MEMORY, "bare loop: out of memory");
    }
    while (opened < config->threads && open_loop(&loops[opened], &s, opened)) opened++;
    if (opened == config->threads && rows_due(&loops[0], &s.target))
        while (started < opened && !pthread_create(&threads[started], NULL, run, &loops[started]))
            started++;
    for (uint32_t i = 0; i < started; i++) (void)pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < config->threads; i++) close_loop(&loops[i]);
    free(loops);
    free(threads);
    *rows = atomic_load(&s.rows);
    if (error) *error = s.error;
    return atomic_load(&s.failed) ? PS_IO : PS_OK;
}
