/* SPDX-License-Identifier: Apache-2.0
 * Reads a log back from its topic, on a thread of its own. What a log goes on from is near the end
 * of its partition, so that is read first: more and more of it, until the sealer has what it needs,
 * however large the topic is. The end is the one that the partition had when reading began, open
 * transactions included; read_committed stops before one that is open.
 */
#include <inttypes.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/kafka_admin.h"
#include "ingest/kafka_seal.h"
#include "ingest/kafka_sink_calls.h"

enum { ASK_MS = 1000, TAKE_MS = 100, PAUSE_MS = 50, RECORDS_FIRST = 128, RECORDS_GROWTH = 8 };

/* One log being read. */
typedef struct reading {
    ps_kafka_seal *seal;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    uint32_t partition;
    int32_t within;
    int64_t low, end;
    ps_kafka_patience patience;
} reading;

static void fail(reading *r, ps_status status, const char *what, const char *why) {
    ps_kafka_seal *seal = r->seal;
    pthread_mutex_lock(&seal->mutex);
    if (seal->status == PS_OK)
        seal->status = ps_fail(&seal->error, status, "cannot read seal topic %s: %s: %s",
                               seal->sink->seal_topic.name, what, why);
    pthread_mutex_unlock(&seal->mutex);
    ps_wake_signal(seal->sink->env->wake);
}

/* Nobody waits for it any more. With the mutex held. */
static bool is_off(const reading *r) {
    return r->seal->stop || r->seal->status != PS_OK || r->seal->reading != r->partition;
}

static bool is_given_up(reading *r) {
    pthread_mutex_lock(&r->seal->mutex);
    const bool off = is_off(r);
    pthread_mutex_unlock(&r->seal->mutex);
    return off;
}

static void rest(reading *r) {
    ps_kafka_seal *seal = r->seal;
    pthread_mutex_lock(&seal->mutex);
    if (!is_off(r))
        ps_clock_wait(&seal->changed, &seal->mutex, ps_clock_ns() + PAUSE_MS * PS_NS_PER_MS);
    pthread_mutex_unlock(&seal->mutex);
}

/* The client believes what it knew of a leader for minutes, where nobody refuses it. */
static ps_status ask_who_leads(reading *r) {
    const rd_kafka_metadata_t *known;
    if (rd_kafka_metadata(r->seal->sink->helper, 0, r->topic, &known, ASK_MS) == 0)
        rd_kafka_metadata_destroy(known);
    return PS_AGAIN;
}

/* Where the partition begins and ends; AGAIN: nobody says. */
static ps_status look(reading *r) {
    ps_kafka_sink *sink = r->seal->sink;
    const char *name = sink->seal_topic.name;
    ps_error error;
    int64_t high;
    const rd_kafka_resp_err_t err =
        rd_kafka_query_watermark_offsets(sink->helper, name, r->within, &r->low, &high, ASK_MS);
    const bool may_come = err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
                          err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (ps_kafka_is_away(err) || may_come) return ask_who_leads(r);
        fail(r, PS_IO, "its beginning", rd_kafka_err2str(err));
        return PS_IO;
    }
    const ps_status status =
        ps_kafka_true_end(sink->helper, name, r->within, ASK_MS, &r->end, &error);
    if (status == PS_AGAIN) return ask_who_leads(r);
    if (status == PS_OK) return PS_OK;
    fail(r, PS_IO, "its end", error.message);
    return status;
}

/* One message, or none. False: that is all. */
static bool take(reading *r, rd_kafka_message_t *message) {
    ps_kafka_seal *seal = r->seal;
    const rd_kafka_resp_err_t err = message->err;
    if (err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return message->offset < r->end;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (ps_kafka_is_away(err)) return true;
        fail(r, PS_IO, "reading", rd_kafka_message_errstr(message));
        return false;
    }
    const ps_bytes key = {message->key,
                          message->key == NULL ? PS_NULL_LENGTH : (uint32_t)message->key_len};
    const ps_bytes value = {message->payload,
                            message->payload == NULL ? PS_NULL_LENGTH : (uint32_t)message->len};
    pthread_mutex_lock(&seal->mutex);
    bool goes = !is_off(r);
    if (goes) {
        const ps_status status =
            seal->sealer->apply(seal->self, r->partition, key, value, &seal->error);
        if (status != PS_OK) seal->status = status;
        goes = status == PS_OK;
    }
    pthread_mutex_unlock(&seal->mutex);
    ps_count(&seal->sink->env->metrics->state_bytes_read, message->len);
    return goes;
}

/* From that record to the end. */
static void read_from(reading *r, int64_t from) {
    if (from >= r->end) return;
    if (rd_kafka_consume_start_queue(r->topic, r->within, from, r->queue) != 0) {
        fail(r, PS_IO, "start", rd_kafka_err2str(rd_kafka_last_error()));
        return;
    }
    for (bool more = true; more && !is_given_up(r);) {
        rd_kafka_message_t *message = rd_kafka_consume_queue(r->queue, TAKE_MS);
        if (message == NULL) {
            if (ps_kafka_patience_tell(&r->patience))
                ps_log(PS_LOG_WARNING, "sink kafka",
                       "still reading %s/%" PRId32 "; a transaction may be open, or a broker down",
                       r->seal->sink->seal_topic.name, r->within);
            continue;
        }
        more = take(r, message);
        rd_kafka_message_destroy(message);
    }
    (void)rd_kafka_consume_stop(r->topic, r->within);
    /* What had been fetched beyond. */
    for (rd_kafka_message_t *left; (left = rd_kafka_consume_queue(r->queue, 0)) != NULL;)
        rd_kafka_message_destroy(left);
}

/* True: it has all, or it failed. */
static bool judge(reading *r, bool all) {
    ps_kafka_seal *seal = r->seal;
    pthread_mutex_lock(&seal->mutex);
    ps_status status = PS_OK;
    if (!is_off(r)) {
        status = seal->sealer->restored(seal->self, r->partition, all, &seal->error);
        seal->stand[r->partition].ready = status == PS_OK;
        if (status != PS_OK && status != PS_AGAIN) seal->status = status;
    }
    pthread_mutex_unlock(&seal->mutex);
    return status != PS_AGAIN;
}

static void read_log(reading *r) {
    ps_status status = look(r);
    while (status == PS_AGAIN && !is_given_up(r)) {
        if (ps_kafka_patience_tell(&r->patience))
            ps_log(PS_LOG_WARNING, "sink kafka",
                   "for %lld s no broker at %s has said where %s/%" PRId32
                   " begins and ends, still trying: is the one up that leads it?",
                   ps_kafka_patience_s(&r->patience), ps_kafka_sink_brokers(r->seal->sink),
                   r->seal->sink->seal_topic.name, r->within);
        rest(r);
        status = look(r);
    }
    if (status != PS_OK) return;
    for (int64_t records = RECORDS_FIRST; !is_given_up(r); records *= RECORDS_GROWTH) {
        const int64_t from = r->end - r->low > records ? r->end - records : r->low;
        pthread_mutex_lock(&r->seal->mutex);
        r->seal->sealer->gather(r->seal->self, r->partition);
        pthread_mutex_unlock(&r->seal->mutex);
        read_from(r, from);
        if (judge(r, from == r->low)) break;
    }
}

/* A partition that is waited for, or PS_NOWHERE. With the mutex held. */
static uint32_t choose(ps_kafka_seal *seal) {
    for (uint32_t p = 0; p < seal->sink->env->partitions->count; p++) {
        if (!seal->stand[p].wanted) continue;
        seal->stand[p].wanted = false;
        return p;
    }
    return PS_NOWHERE;
}

void *ps_kafka_sealed_main(void *argument) {
    ps_kafka_seal *seal = argument;
    reading r = {.seal = seal};
    (void)pthread_setname_np(pthread_self(), "kafka-seal");
    pthread_mutex_lock(&seal->mutex);
    while (!seal->stop) {
        seal->reading = choose(seal);
        if (seal->reading == PS_NOWHERE) {
            (void)pthread_cond_wait(&seal->changed, &seal->mutex);
            continue;
        }
        uint32_t within;
        (void)ps_partitions_topic(seal->sink->env->partitions, seal->reading, &within);
        r.partition = seal->reading;
        r.within = (int32_t)within;
        r.patience = (ps_kafka_patience){0, 0};
        pthread_mutex_unlock(&seal->mutex);
        if (r.topic == NULL) {
            r.topic = rd_kafka_topic_new(seal->sink->helper, seal->sink->seal_name, NULL);
            r.queue = rd_kafka_queue_new(seal->sink->helper);
        }
        read_log(&r);
        ps_wake_signal(seal->sink->env->wake);
        pthread_mutex_lock(&seal->mutex);
    }
    pthread_mutex_unlock(&seal->mutex);
    if (r.queue != NULL) rd_kafka_queue_destroy(r.queue);
    if (r.topic != NULL) rd_kafka_topic_destroy(r.topic);
    return NULL;
}
