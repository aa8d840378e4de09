/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/kafka_client.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/base/secret.h"
#include "ingest/kafka_token.h"

enum { RECEIVE_BYTES = 100000000 }; /* librdkafka's default of receive.message.max.bytes */

/* A lane's linger, its default: who takes a shorter one asks for latency. */
#define PATIENT_NS (5 * PS_NS_PER_MS)

/* What librdkafka says on its own. Connection trouble repeats for as long as a broker is away; we
 * say that ourselves, once every 10 s, so theirs is for debugging only. */
static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text) {
    static const char *const chatter[] = {"FAIL",           "ERROR",    "REQTMOUT",
                                          "METADATAUPDATE", "METADATA", "TXNERR",
                                          "TERMINATE",      "GETPID",   "COMMITFAIL"};
    ps_log_level to = level <= LOG_WARNING ? PS_LOG_WARNING : PS_LOG_DEBUG;
    for (size_t i = 0; i < sizeof chatter / sizeof chatter[0]; i++)
        if (strcmp(facility, chatter[i]) == 0) to = PS_LOG_DEBUG;
    ps_log(to, client == NULL ? "kafka" : rd_kafka_name(client), "%s: %s", facility, text);
}

/* A broker is who its certificate says, unless the pipeline file says otherwise: that is heard. */
static void warn_of(const ps_string_pair *pair) {
    const bool unchecked = strcmp(pair->name, "enable.ssl.certificate.verification") == 0 &&
                           strcmp(pair->value, "true") != 0;
    const bool anybody = strcmp(pair->name, "ssl.endpoint.identification.algorithm") == 0 &&
                         strcmp(pair->value, "https") != 0;
    if (unchecked || anybody)
        ps_log(PS_LOG_WARNING, "kafka", "%s: %s: whoever answers is taken for the broker",
               pair->name, pair->value);
}

static ps_status set_user(rd_kafka_conf_t *conf, const ps_string_pair *pair, ps_error *error) {
    char reason[256];
    if (ps_secret_is_in(pair->name)) ps_secret_protect();
    if (ps_kafka_token_is_ours(pair->name)) return ps_kafka_token_set(conf, pair, error);
    const rd_kafka_conf_res_t result =
        rd_kafka_conf_set(conf, pair->name, pair->value, reason, sizeof reason);
    warn_of(pair);
    if (result == RD_KAFKA_CONF_OK) return PS_OK;
    if (result == RD_KAFKA_CONF_UNKNOWN)
        return ps_fail(error, PS_BAD_CONFIG, "properties: librdkafka %s knows no '%s'",
                       rd_kafka_version_str(), pair->name);
    return ps_fail(error, PS_BAD_CONFIG, "properties: '%s' is refused%s%s", pair->name,
                   ps_secret_is_in(pair->name) ? "" : ": ",
                   ps_secret_is_in(pair->name) ? "" : reason);
}

/* Our own settings are right or a bug, except that an older library may lack one. */
static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char reason[256];
    const rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, reason, sizeof reason);
    if (result == RD_KAFKA_CONF_INVALID) ps_log(PS_LOG_ERROR, "kafka", "%s: %s", name, reason);
    PS_CHECK(result != RD_KAFKA_CONF_INVALID);
}

static void set_number(rd_kafka_conf_t *conf, const char *name, int64_t value) {
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    set(conf, name, text);
}

static int64_t clamp(int64_t value, int64_t min, int64_t max) {
    return value < min ? min : value > max ? max : value;
}

static void set_common(rd_kafka_conf_t *conf, const ps_kafka_recipe *recipe) {
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_opaque(conf, recipe->opaque);
    if (recipe->failed != NULL) rd_kafka_conf_set_error_cb(conf, recipe->failed);
    if (recipe->closed != NULL) rd_kafka_conf_set_closesocket_cb(conf, recipe->closed);
    if (recipe->born != NULL)
        (void)rd_kafka_conf_interceptor_add_on_new(conf, "penstock", recipe->born, recipe->opaque);
    set(conf, "bootstrap.servers", recipe->brokers);
    set(conf, "client.id", "penstock");
    /* The default's 10 s: a few lost answers would outlast the transaction. */
    set(conf, "reconnect.backoff.ms", "20");
    set(conf, "reconnect.backoff.max.ms", "500");
    /* The first step after a commit is refused while its markers are written, and waits. */
    set(conf, "retry.backoff.ms", "20");
    set(conf, "log.connection.close", "false"); /* brokers close idle connections: no news */
    set(conf, "topic.metadata.refresh.interval.ms", "60000");
    /* An answer that never comes (a network that forgets a connection tells nobody) must not stop a
     * partition for the default's minute. Slow brokers answer within a second or so. */
    set(conf, "socket.timeout.ms", "10000");
    set(conf, "socket.keepalive.enable", "true"); /* firewalls forget quiet connections */
    set(conf, "socket.nagle.disable", "true");    /* commits are small and waited for */
}

/* Reads what is committed, and nothing moves but by our own hand. */
static void set_reading(rd_kafka_conf_t *conf) {
    set(conf, "isolation.level", "read_committed");
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.auto.offset.store", "false"); /* positions are counted by the batches */
    /* Where a committed offset no longer exists is a decision for people: reset names it. */
    set(conf, "auto.offset.reset", "error");
    /* Says how far a partition goes past its last record: transaction markers, compacted records.
     */
    set(conf, "enable.partition.eof", "true");
    set(conf, "check.crcs", "true");
    /* The default of 1000 stops fetching for a second when the queue is full, which every commit
     * of a busy lane makes it: 7 times slower. librdkafka before 2.2 lacks it. */
    set(conf, "fetch.queue.backoff.ms", "2");
    set(conf, "fetch.error.backoff.ms", "50");
}

static void set_queues(rd_kafka_conf_t *conf, const ps_kafka_recipe *recipe) {
    const ps_kafka_queues own =
        ps_kafka_queues_of(recipe->memory_bytes, recipe->expansion, recipe->servers);
    const int64_t queue = own.payload_bytes, fetch = own.fetch_bytes;
    set_number(conf, "queued.max.messages.kbytes", queue >> 10);
    set_number(conf, "queued.min.messages", own.records);
    /* Per partition; a larger batch still comes through. */
    set_number(conf, "fetch.message.max.bytes", fetch);
    set_number(conf, "message.max.bytes", clamp(fetch, 1, 1000000)); /* at most fetch.max.bytes */
    set_number(conf, "fetch.max.bytes", fetch);
    /* Also the most that zstd may unpack a batch to, and it tries three times as much as before
     * until that is enough; with the default a batch of 0.9 MB that becomes 70 is "invalid". */
    set_number(conf, "receive.message.max.bytes",
               clamp(3 * recipe->batch_max * recipe->expansion, RECEIVE_BYTES, INT32_MAX));
    /* A record arrives when it is there; batching is the lane's business. */
    set(conf, "fetch.wait.max.ms", recipe->role == PS_KAFKA_READER ? "10" : "100");
    if (rd_kafka_version() < 0x02020000) {
        /* Without fetch.queue.backoff.ms only a queue that never fills up keeps fetching. */
        set(conf, "queued.min.messages", "10000000");
        set_number(conf, "queued.max.messages.kbytes", clamp(queue >> 9, 65536, INT32_MAX >> 1));
    }
}

static void set_member(rd_kafka_conf_t *conf, const ps_kafka_recipe *recipe) {
    const char *protocol = ps_kafka_property(recipe->properties, "group.protocol");
    const bool modern = protocol != NULL && strcmp(protocol, "consumer") == 0;
    set(conf, "group.id", recipe->group);
    /* A worker that was killed and started again gets its partitions back without a rebalance. */
    if (recipe->member != NULL) set(conf, "group.instance.id", recipe->member);
    set(conf, "max.poll.interval.ms", "300000");
    rd_kafka_conf_set_rebalance_cb(conf, recipe->rebalanced);
    rd_kafka_conf_set_offset_commit_cb(conf, recipe->committed);
    if (modern) return; /* the broker decides what follows, and librdkafka refuses it here */
    /* Others go on while some partitions move. */
    set(conf, "partition.assignment.strategy", "cooperative-sticky");
    /* Long enough for a restart, short enough that a lost machine's partitions move on. */
    set(conf, "session.timeout.ms", "10000");
    set(conf, "heartbeat.interval.ms", "1000");
}

static void set_writing(rd_kafka_conf_t *conf, const ps_kafka_recipe *recipe) {
    /* A commit flushes anyhow, so a transaction may wait for full requests. At least once waits as
     * long unless latency was asked for: requests of 5 ms are four times as many, which cost more
     * than transactions do. Where it was, only the rest of the lane's batch is waited for. */
    const bool patient = recipe->role == PS_KAFKA_TRANSACTIONAL || recipe->linger_ns >= PATIENT_NS;
    const int64_t linger_us = patient ? 20000 : recipe->linger_ns / 4000;
    char linger[24];
    (void)snprintf(linger, sizeof linger, "%" PRId64 ".%03" PRId64, linger_us / 1000,
                   linger_us % 1000);
    set(conf, "enable.idempotence", "true");
    set(conf, "acks", "all");
    set(conf, "linger.ms", linger);
    /* What is not yet acknowledged: the payload is the slots', the structures are counted here. */
    set_number(conf, "queue.buffering.max.messages",
               ps_kafka_producer_records(recipe->memory_bytes, 0, 0));
    set(conf, "queue.buffering.max.kbytes", "2097151"); /* bytes are bounded by the slots */
    set(conf, "batch.num.messages", "10000");
    /* A record that is too large is refused here at once, by name; a batch of records never. */
    if (recipe->message_bytes_max > 0)
        set_number(conf, "message.max.bytes", clamp(recipe->message_bytes_max, 1000, 1000000000));
    if (recipe->batch_bytes_max > 0)
        set_number(conf, "batch.size", clamp(recipe->batch_bytes_max, 1000, 1000000));
    /* A key must go where Kafka's own clients send it. */
    set(conf, "partitioner", "murmur2_random");
    if (recipe->delivered != NULL) rd_kafka_conf_set_dr_msg_cb(conf, recipe->delivered);
    if (recipe->role == PS_KAFKA_IDEMPOTENT) {
        set(conf, "message.timeout.ms", "0"); /* a broker that is away is waited for */
        return;
    }
    /* A commit says that everything arrived; only failures need a word. */
    set(conf, "delivery.report.only.error", "true");
    set(conf, "transactional.id", recipe->transactional);
    set_number(conf, "transaction.timeout.ms", PS_KAFKA_TRANSACTION_MS);
    /* A request that a lost broker never answers: two in a row must not look like a hang. */
    set(conf, "socket.timeout.ms", "4000");
}

/* Properties that undo a promise: for whom, and the value that they must keep, as librdkafka spells
 * it. It takes `1`, `True` and several names for one property, so what it made of them is read
 * back. Of a value that is ours alone (NULL) no spelling is possible. */
static const struct {
    const char *name, *kept;
    bool reading, writing;
    const char *why;
} refused[] = {
    {"enable.auto.commit", "false", true, false,
     "offsets are committed with the rows they stand for"},
    {"enable.auto.offset.store", "false", true, false,
     "offsets are committed with the rows they stand for"},
    {"isolation.level", "read_committed", true, false,
     "aborted records would be processed as if they were real"},
    {"enable.partition.eof", "true", true, false, "the end of a partition is found by it"},
    {"enable.idempotence", "true", false, true, "a retry would write records twice"},
    {"acks", "-1", false, true, "records could be lost with one broker"},
    {"delivery.report.only.error", NULL, false, true, "deliveries are counted by it"},
    {"transactional.id", NULL, false, true, "it is made of pipeline, group, instance and slot"},
    {"group.id", NULL, true, false, "use the source's option `group`"},
    {"group.instance.id", NULL, true, false, "it is made of pipeline, instance and slot"},
    {"bootstrap.servers", NULL, true, true, "use the option `brokers`"},
    {"metadata.broker.list", NULL, true, true, "use the option `brokers`"},
    {"auto.offset.reset", NULL, true, false, "use the source's option `start`"},
    {"topic.auto.offset.reset", NULL, true, false, "use the source's option `start`"},
};

static ps_status refuse(const rd_kafka_conf_t *conf, const ps_kafka_recipe *recipe,
                        ps_error *error) {
    const bool writing =
        recipe->role == PS_KAFKA_TRANSACTIONAL || recipe->role == PS_KAFKA_IDEMPOTENT;
    const bool reading = recipe->role == PS_KAFKA_CONSUMER;
    for (size_t r = 0; r < sizeof refused / sizeof refused[0]; r++) {
        char now[256];
        size_t bytes = sizeof now;
        if (!(refused[r].reading && reading) && !(refused[r].writing && writing)) continue;
        const char *said = ps_kafka_property(recipe->properties, refused[r].name);
        if (refused[r].kept == NULL
                ? said == NULL
                : rd_kafka_conf_get(conf, refused[r].name, now, &bytes) != RD_KAFKA_CONF_OK ||
                      strcmp(now, refused[r].kept) == 0)
            continue;
        return ps_fail(error, PS_BAD_CONFIG, "properties: '%s%s%s' is not possible here: %s",
                       refused[r].name, refused[r].kept == NULL ? "" : ": ",
                       refused[r].kept == NULL ? "" : now, refused[r].why);
    }
    /* A sink may get one from its source: of its own properties alone nobody knows. */
    if (!writing && ps_kafka_token_is_missing(conf))
        return ps_fail(error, PS_BAD_CONFIG,
                       "properties: OAUTHBEARER needs '" PS_KAFKA_TOKEN
                       "', or '" PS_KAFKA_TOKEN_COMMAND "'");
    const char *timeout = ps_kafka_property(recipe->properties, "transaction.timeout.ms");
    if (recipe->role == PS_KAFKA_TRANSACTIONAL && timeout != NULL &&
        strtoll(timeout, NULL, 10) < recipe->transaction_ms_min)
        return ps_fail(error, PS_BAD_CONFIG,
                       "properties: 'transaction.timeout.ms: %s' is not possible here: with this "
                       "commit_interval, transactions need %" PRId64 " ms at least",
                       timeout, recipe->transaction_ms_min);
    return PS_OK;
}

bool ps_kafka_is_connection(const char *name) {
    static const char *const prefixes[] = {
        "security.", "sasl.",      "ssl.",   "enable.ssl",  "socket.",
        "broker.",   "client.dns", "https.", "enable.sasl", "penstock.oauthbearer."};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) return true;
    return false;
}

static ps_status set_properties(rd_kafka_conf_t *conf, const ps_kafka_recipe *recipe,
                                ps_error *error) {
    for (uint32_t i = 0; recipe->inherited != NULL && i < recipe->inherited->count; i++)
        if (ps_kafka_is_connection(recipe->inherited->at[i].name))
            PS_TRY(set_user(conf, &recipe->inherited->at[i], error));
    const bool all = recipe->role != PS_KAFKA_READER && recipe->role != PS_KAFKA_ADMIN;
    for (uint32_t i = 0; recipe->properties != NULL && i < recipe->properties->count; i++)
        if (all || ps_kafka_is_connection(recipe->properties->at[i].name))
            PS_TRY(set_user(conf, &recipe->properties->at[i], error));
    return refuse(conf, recipe, error);
}

static ps_status fill(rd_kafka_conf_t *conf, const ps_kafka_recipe *recipe, ps_error *error) {
    set_common(conf, recipe);
    switch (recipe->role) {
    case PS_KAFKA_CONSUMER:
        set_reading(conf);
        set_queues(conf, recipe);
        set_member(conf, recipe);
        break;
    case PS_KAFKA_READER:
        set_reading(conf);
        set_queues(conf, recipe);
        if (recipe->group != NULL) set(conf, "group.id", recipe->group);
        break;
    case PS_KAFKA_TRANSACTIONAL:
    case PS_KAFKA_IDEMPOTENT:
        set_writing(conf, recipe);
        break;
    case PS_KAFKA_ADMIN:
        break;
    }
    return set_properties(conf, recipe, error);
}

/* A client's threads may run where the process may, not only on the core of the lane that makes it:
 * they inherit the mask of the thread that creates them. */
static rd_kafka_t *open_unpinned(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *reason,
                                 size_t bytes) {
    cpu_set_t lane, process;
    /* The first thread's mask: it is never pinned. */
    const bool pinned = sched_getaffinity(0, sizeof lane, &lane) == 0 &&
                        sched_getaffinity(getpid(), sizeof process, &process) == 0 &&
                        !CPU_EQUAL(&lane, &process) &&
                        sched_setaffinity(0, sizeof process, &process) == 0;
    rd_kafka_t *made = rd_kafka_new(type, conf, reason, bytes);
    if (made != NULL) ps_kafka_token_serve(made);
    if (pinned) (void)sched_setaffinity(0, sizeof lane, &lane);
    return made;
}

ps_status ps_kafka_client_open(const ps_kafka_recipe *recipe, rd_kafka_t **out, ps_error *error) {
    if (recipe->brokers == NULL || recipe->brokers[0] == '\0')
        return ps_fail(error, PS_BAD_CONFIG, "brokers: say which, e.g. localhost:9092");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const ps_status status = fill(conf, recipe, error);
    char reason[400];
    if (status == PS_OK) {
        const bool consumes = recipe->role == PS_KAFKA_CONSUMER || recipe->role == PS_KAFKA_READER;
        *out = open_unpinned(consumes ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, reason,
                             sizeof reason);
        if (*out != NULL) return PS_OK; /* which owns the settings now */
    }
    rd_kafka_conf_destroy(conf);
    if (status != PS_OK) return status;
    return ps_fail(error, PS_BAD_CONFIG, "properties: %s", reason);
}

void ps_kafka_client_check(const ps_kafka_recipe *recipe, ps_complaints *out) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    ps_error error;
    if (fill(conf, recipe, &error) != PS_OK)
        out->add(out, "properties", PS_NOWHERE, "%s", error.message);
    rd_kafka_conf_destroy(conf);
}

void ps_kafka_client_close(rd_kafka_t *client) {
    if (client == NULL) return;
    if (rd_kafka_type(client) == RD_KAFKA_PRODUCER)
        (void)rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

bool ps_kafka_client_eager(rd_kafka_t *client, bool closing, bool said_last) {
    const char *protocol = closing ? NULL : rd_kafka_rebalance_protocol(client);
    return protocol == NULL ? said_last : strcmp(protocol, "EAGER") == 0;
}

const char *ps_kafka_property(const ps_string_map *properties, const char *name) {
    const char *value = NULL;
    for (uint32_t i = 0; properties != NULL && i < properties->count; i++)
        if (strcmp(properties->at[i].name, name) == 0) value = properties->at[i].value;
    return value;
}

int64_t ps_kafka_transaction_ms_min(const ps_kafka_sink_config *config) {
    enum { COMMIT_MS = 5000 };
    return config->commit_interval_ns / PS_NS_PER_MS + COMMIT_MS;
}

bool ps_kafka_patience_tell(ps_kafka_patience *patience) {
    const int64_t now_ns = ps_clock_ns();
    if (patience->since_ns == 0) {
        patience->since_ns = now_ns;
        patience->told_ns = now_ns - 8 * PS_NS_PER_S; /* the first line comes after 2 s */
    }
    if (now_ns - patience->told_ns < 10 * PS_NS_PER_S) return false;
    patience->told_ns = now_ns;
    return true;
}

bool ps_kafka_may_come(int64_t *since_ns, int64_t patience_ns) {
    const int64_t now_ns = ps_clock_ns();
    if (*since_ns == 0) *since_ns = now_ns;
    return now_ns - *since_ns < patience_ns;
}

/* RD_KAFKA_RESP_ERR__DESTROY_BROKER, which older libraries do not name: a broker's thread in the
 * library ended while the question waited in it. */
enum { BROKER_HANDLE_GONE = -137 };

bool ps_kafka_is_away(rd_kafka_resp_err_t err) {
    switch ((int)err) {
    case BROKER_HANDLE_GONE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS:
    case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    /* A leader that has just begun, or that a client takes for the leader and is none. */
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
        return true;
    default:
        return false;
    }
}

static ps_status explain_topic(const char *topic, rd_kafka_resp_err_t err, ps_error *error) {
    if (err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        err == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED)
        return ps_fail(error, PS_IO,
                       "topic '%s': the broker refuses access: give this user's principal the "
                       "right to it",
                       topic);
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        return ps_fail(error, PS_IO, "topic '%s' does not exist: create it first", topic);
    return ps_fail(error, PS_IO, "topic '%s': %s", topic, rd_kafka_err2str(err));
}

ps_status ps_kafka_topic_partitions(rd_kafka_t *client, const char *topic, int timeout_ms,
                                    uint32_t *count, ps_error *error) {
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    if (handle == NULL) return explain_topic(topic, rd_kafka_last_error(), error);
    const rd_kafka_resp_err_t err = rd_kafka_metadata(client, 0, handle, &metadata, timeout_ms);
    rd_kafka_topic_destroy(handle);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (ps_kafka_is_away(err)) return PS_AGAIN;
        return explain_topic(topic, err, error);
    }
    ps_status status = PS_AGAIN;
    *count = 0;
    if (metadata->topic_cnt == 1) {
        const rd_kafka_resp_err_t topic_err = metadata->topics[0].err;
        *count = (uint32_t)metadata->topics[0].partition_cnt;
        if (topic_err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) *count = PS_NOWHERE;
        if (topic_err != RD_KAFKA_RESP_ERR_NO_ERROR && !ps_kafka_is_away(topic_err))
            status = explain_topic(topic, topic_err, error);
        else if (topic_err == RD_KAFKA_RESP_ERR_NO_ERROR && *count > 0)
            status = PS_OK;
    }
    rd_kafka_metadata_destroy(metadata);
    return status;
}
