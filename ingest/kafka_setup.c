/* SPDX-License-Identifier: Apache-2.0
 * How a Kafka sink gets a producer: what its topics take is asked once, the state topic is made
 * where it is missing, and a producer is made as often as one is lost. Runs on the committer's
 * thread, so a broker that is away delays the lane and does not block it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/kafka_admin.h"
#include "ingest/kafka_sink_calls.h"
#include "ingest/kafka_source_parts.h"

/* A broker that does not know the question (the mock) leaves it unanswered, and every start would
 * wait for it. */
enum { ASK_MS = 1000, LIMITS_MS = 500, BATCH_BYTES = 1000000 };

/* max.message.bytes of each topic in use, as far as this user may ask: librdkafka then refuses what
 * is too large by itself, by record, where a broker would refuse a whole batch. */
static void ask_limits(ps_kafka_sink *sink) {
    ps_kafka_topic *topics[] = PS_KAFKA_SINK_TOPICS(sink);
    ps_kafka_limit limits[PS_KAFKA_SINK_TOPICS_MAX];
    uint32_t count = 0;
    for (size_t i = 0; i < PS_KAFKA_SINK_TOPICS_MAX; i++)
        if (topics[i]->name != NULL) limits[count++].topic = topics[i]->name;
    ps_kafka_limits(sink->helper, limits, count, LIMITS_MS);
    for (uint32_t l = 0; l < count; l++)
        for (size_t i = 0; i < PS_KAFKA_SINK_TOPICS_MAX; i++)
            if (topics[i]->name != NULL && strcmp(topics[i]->name, limits[l].topic) == 0)
                topics[i]->bytes_max = limits[l].bytes_max;
}

static uint32_t state_partitions(const ps_kafka_sink *sink) {
    const ps_partitions *all = sink->env->partitions;
    uint32_t most = 1;
    for (uint32_t t = 0; t < all->topic_count; t++)
        if (all->topic[t].count > most) most = all->topic[t].count;
    return most;
}

static ps_status created(rd_kafka_event_t *event, const char *topic, bool compacted,
                         ps_error *error) {
    size_t count = 0;
    const rd_kafka_topic_result_t **results = NULL;
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (event != NULL) {
        err = rd_kafka_event_error(event);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
            results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event),
                                                          &count);
    }
    if (count > 0) err = rd_kafka_topic_result_error(results[0]);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return PS_OK;
    if (ps_kafka_is_away(err)) return PS_AGAIN;
    return ps_fail(error, PS_IO,
                   "cannot create the topic '%s': %s; create it by hand (as many partitions as the "
                   "source's largest topic, and %s), or give this user's principal the right to "
                   "create it",
                   topic, rd_kafka_err2str(err),
                   compacted ? "cleanup.policy=compact" : "retention.ms=-1");
}

/* Kept for ever: old state is deleted by us once newer records say the same; of a log's records the
 * newest of each name stays. */
static ps_status create_own(ps_kafka_sink *sink, const char *name, bool compacted,
                            ps_error *error) {
    char reason[256];
    rd_kafka_NewTopic_t *wanted =
        rd_kafka_NewTopic_new(name, (int)state_partitions(sink), -1, reason, sizeof reason);
    if (wanted == NULL) return ps_fail(error, PS_BAD_CONFIG, "topic %s: %s", name, reason);
    (void)rd_kafka_NewTopic_set_config(wanted, "cleanup.policy", compacted ? "compact" : "delete");
    (void)rd_kafka_NewTopic_set_config(wanted, "retention.ms", "-1");
    (void)rd_kafka_NewTopic_set_config(wanted, "retention.bytes", "-1");
    rd_kafka_queue_t *queue = rd_kafka_queue_new(sink->helper);
    rd_kafka_CreateTopics(sink->helper, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10 * ASK_MS);
    const ps_status status = created(event, name, compacted, error);
    if (event != NULL) rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(wanted);
    return status;
}

/* A topic that was just made is not known everywhere at once: PS_AGAIN until it is. */
static ps_status find_own(ps_kafka_sink *sink, ps_kafka_topic *topic, ps_error *error) {
    const bool compacted = topic == &sink->seal_topic;
    const ps_status status =
        ps_kafka_topic_partitions(sink->helper, topic->name, ASK_MS, &topic->partitions, error);
    if (status == PS_IO && topic->partitions == PS_NOWHERE) {
        PS_TRY(create_own(sink, topic->name, compacted, error));
        return PS_AGAIN;
    }
    PS_TRY(status);
    if (topic->partitions >= state_partitions(sink)) return PS_OK;
    if (compacted)
        return ps_fail(error, PS_BAD_CONFIG,
                       "seal topic '%s' has %u partitions, the source %u: the source has grown; "
                       "give that topic as many: `kafka-topics.sh --alter --topic %s --partitions "
                       "%u`",
                       topic->name, topic->partitions, state_partitions(sink), topic->name,
                       state_partitions(sink));
    return ps_fail(error, PS_BAD_CONFIG,
                   "state topic '%s' has %u partitions, the source %u: the source has grown; %s",
                   topic->name, topic->partitions, state_partitions(sink),
                   sink->env->source == &ps_source_kafka
                       ? "`penstock reset FILE --state` starts over"
                       : "give the job with these files a `pipeline` name of its own");
}

/* The source's cluster, asked through a client of its own: the source's consumer belongs to the
 * lane, which may be replacing it just now. */
static ps_status source_cluster(const ps_kafka_sink *sink, char *id, size_t id_bytes,
                                ps_error *error) {
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_ADMIN,
                                    .brokers = sink->link.config->brokers,
                                    .inherited = &sink->link.config->properties};
    rd_kafka_t *client;
    PS_TRY(ps_kafka_client_open(&recipe, &client, error));
    char *there = rd_kafka_clusterid(client, ASK_MS);
    if (there != NULL) (void)snprintf(id, id_bytes, "%s", there);
    if (there != NULL) rd_kafka_mem_free(client, there);
    ps_kafka_client_close(client);
    return there == NULL ? PS_AGAIN : PS_OK;
}

/* A transaction cannot span two clusters: the offsets would be committed where nobody looks. */
static ps_status same_cluster(const ps_kafka_sink *sink, ps_error *error) {
    const char *to = sink->config->brokers;
    if (!sink->exactly_once || sink->link.config == NULL || to == NULL) return PS_OK;
    if (strcmp(to, sink->link.config->brokers) == 0) return PS_OK;
    char there[256];
    char *here = rd_kafka_clusterid(sink->helper, ASK_MS);
    if (here == NULL) return PS_AGAIN;
    ps_status status = source_cluster(sink, there, sizeof there, error);
    if (status == PS_OK && strcmp(here, there) != 0)
        status = ps_fail(error, PS_BAD_CONFIG,
                         "source and sink are two clusters (%s and %s), which no transaction "
                         "spans: use delivery: at_least_once, or write to the source's cluster",
                         there, here);
    rd_kafka_mem_free(sink->helper, here);
    return status;
}

/* Asks for the topic's partitions; one that is missing is waited for that long. */
static ps_status ask_topic(ps_kafka_sink *sink, ps_kafka_topic *topic, int64_t patience_ns,
                           ps_error *error) {
    uint32_t count = 0;
    const ps_status status =
        ps_kafka_topic_partitions(sink->helper, topic->name, ASK_MS, &count, error);
    if (status == PS_OK) topic->partitions = count;
    const bool missing = status != PS_OK && count == PS_NOWHERE;
    return missing && ps_kafka_may_come(&sink->missing_ns, patience_ns) ? PS_AGAIN : status;
}

/* Both topics, where there are two; `known`: also one whose partitions are known. */
static ps_status ask_topics(ps_kafka_sink *sink, bool known, int64_t patience_ns, ps_error *error) {
    ps_kafka_topic *topics[] = {&sink->out, &sink->dead};
    atomic_store(&sink->calling, "asking for topics");
    for (size_t i = 0; i < 2; i++)
        if (topics[i]->name != NULL && (known || topics[i]->partitions == 0))
            PS_TRY(ask_topic(sink, topics[i], patience_ns, error));
    sink->missing_ns = 0;
    return PS_OK;
}

ps_status ps_kafka_setup_once(ps_kafka_sink *sink, ps_error *error) {
    PS_TRY(ask_topics(sink, false, PS_KAFKA_NEW_NS_MAX, error));
    PS_TRY(same_cluster(sink, error));
    if (sink->keeps_state) PS_TRY(find_own(sink, &sink->state_topic, error));
    if (sink->seal_topic.name != NULL) PS_TRY(find_own(sink, &sink->seal_topic, error));
    ask_limits(sink);
    return PS_OK;
}

/* Before another producer is made: librdkafka waits for a topic that was deleted, and a transaction
 * ends before that wait does, so nobody would ever hear of it. A broker that has just come back may
 * not know its topics at once. */
ps_status ps_kafka_setup_again(ps_kafka_sink *sink, ps_error *error) {
    return ask_topics(sink, true, PS_KAFKA_MISSING_NS_MAX, error);
}

static bool compresses(const ps_kafka_sink *sink) {
    const char *codec = ps_kafka_property(&sink->config->properties, "compression.type");
    if (codec == NULL) codec = ps_kafka_property(&sink->config->properties, "compression.codec");
    return codec != NULL && strcmp(codec, "none") != 0;
}

/* What librdkafka itself refuses. A topic's limit is on the compressed batch, so with compression
 * only the broker can tell. */
static uint32_t record_bytes_max(const ps_kafka_sink *sink) {
    uint32_t most = sink->out.bytes_max;
    if (sink->dead.bytes_max > most) most = sink->dead.bytes_max;
    if (sink->state_topic.bytes_max > most) most = sink->state_topic.bytes_max;
    if (sink->seal_topic.bytes_max > most) most = sink->seal_topic.bytes_max;
    if (compresses(sink)) return 1000000000;
    return most;
}

ps_status ps_kafka_setup_refusal(const ps_kafka_sink *sink, rd_kafka_resp_err_t err,
                                 ps_error *error) {
    if (err == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT)
        return ps_fail(error, PS_IO,
                       "transaction.timeout.ms is more than the broker's "
                       "transaction.max.timeout.ms allows: lower the one, or raise the other");
    return ps_fail(error, PS_IO, "transactional.id '%s': %s%s, or use delivery: at_least_once",
                   sink->transactional, rd_kafka_err2str(err), ps_kafka_advice(err));
}

/* AGAIN: no coordinator answers now. */
static ps_status init_transactions(ps_kafka_sink *sink, ps_error *error) {
    atomic_store(&sink->calling, "init_transactions");
    rd_kafka_error_t *failure = rd_kafka_init_transactions(sink->producer, ASK_MS);
    if (failure == NULL) return PS_OK;
    const rd_kafka_resp_err_t err = rd_kafka_error_code(failure);
    ps_status status = PS_AGAIN;
    if (err == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
        err == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
        err == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT)
        status = ps_kafka_setup_refusal(sink, err, error);
    else if (rd_kafka_error_is_fatal(failure))
        status = PS_ABORTED;
    rd_kafka_error_destroy(failure);
    return status;
}

void ps_kafka_drop_producer(ps_kafka_sink *sink) {
    ps_kafka_topic *topics[] = PS_KAFKA_SINK_TOPICS(sink);
    for (size_t i = 0; i < PS_KAFKA_SINK_TOPICS_MAX; i++) {
        if (topics[i]->handle != NULL) rd_kafka_topic_destroy(topics[i]->handle);
        topics[i]->handle = NULL;
    }
    atomic_store(&sink->calling, "destroying a producer");
    ps_kafka_client_close(sink->producer);
    sink->producer = NULL;
}

static ps_status make_producer(ps_kafka_sink *sink, ps_error *error) {
    if (sink->batch_bytes_wanted == 0) sink->batch_bytes_wanted = BATCH_BYTES;
    sink->batch_bytes = sink->batch_bytes_wanted;
    const bool own = sink->config->brokers != NULL;
    const ps_kafka_recipe recipe = {
        .role = sink->exactly_once ? PS_KAFKA_TRANSACTIONAL : PS_KAFKA_IDEMPOTENT,
        .brokers = ps_kafka_sink_brokers(sink),
        .inherited = own ? NULL : &sink->link.config->properties,
        .properties = &sink->config->properties,
        .transactional = sink->transactional,
        .memory_bytes = sink->env->memory_bytes,
        .linger_ns = sink->env->linger_ns,
        .transaction_ms_min = ps_kafka_transaction_ms_min(sink->config),
        .message_bytes_max = record_bytes_max(sink),
        .batch_bytes_max = sink->batch_bytes,
        .opaque = sink,
        .delivered = ps_kafka_delivered,
        .failed = ps_kafka_trouble,
        .closed = ps_kafka_closed,
    };
    PS_TRY(ps_kafka_client_open(&recipe, &sink->producer, error));
    static const uint64_t one = 1;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(sink->producer);
    rd_kafka_queue_io_event_enable(queue, sink->env->wake->fd, &one, sizeof one);
    rd_kafka_queue_destroy(queue);
    return PS_OK;
}

static ps_status make_handles(ps_kafka_sink *sink, ps_error *error) {
    ps_kafka_topic *topics[] = PS_KAFKA_SINK_TOPICS(sink);
    for (size_t i = 0; i < PS_KAFKA_SINK_TOPICS_MAX; i++) {
        if (topics[i]->name == NULL) continue;
        topics[i]->handle = rd_kafka_topic_new(sink->producer, topics[i]->name, NULL);
        if (topics[i]->handle == NULL)
            return ps_fail(error, PS_IO, "topic %s: %s", topics[i]->name,
                           rd_kafka_err2str(rd_kafka_last_error()));
    }
    return PS_OK;
}

ps_status ps_kafka_setup_producer(ps_kafka_sink *sink, ps_error *error) {
    if (sink->producer == NULL) PS_TRY(make_producer(sink, error));
    if (sink->exactly_once) {
        PS_TRY(init_transactions(sink, error));
        rd_kafka_error_t *failure = rd_kafka_begin_transaction(sink->producer);
        if (failure != NULL) {
            ps_log(PS_LOG_DEBUG, "sink kafka", "%s", rd_kafka_error_string(failure));
            rd_kafka_error_destroy(failure);
            return PS_ABORTED;
        }
    }
    sink->suspect = sink->broken = false;
    return make_handles(sink, error);
}
