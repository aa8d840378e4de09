/* SPDX-License-Identifier: Apache-2.0
 * What the committer asks of librdkafka: offsets into the transaction, its commit, the next one.
 *
 * There is one way out of every trouble: throw the producer away, make another with the same
 * transactional id, and go back to what is committed. Aborting and going on with the same producer
 * would be quicker but is not safe: librdkafka has no KIP-890, and a Produce or EndTxn that timed
 * out can still land in the next transaction of the same epoch; init_transactions starts a new
 * epoch, which fences the stray. For the same reason a producer that lost a connection within a
 * transaction is replaced after the commit: what was under way on it was asked again elsewhere, and
 * may still arrive, the offsets of this transaction within the next. librdkafka's error callback
 * does not tell of every such loss (not when the other side closes, not twice within 30 s for the
 * same reason), so the closing of the socket itself is what counts.
 */
#include <unistd.h>

#include "host/base/log.h"
#include "ingest/kafka_sink_calls.h"

enum { CALL_MS = 5000 };

void ps_kafka_trouble(rd_kafka_t *client, int err, const char *reason, void *opaque) {
    ps_kafka_sink *sink = opaque;
    (void)client;
    ps_log(PS_LOG_DEBUG, "sink kafka", "%s", reason);
    if (err == RD_KAFKA_RESP_ERR__FATAL) sink->broken = true;
}

int ps_kafka_closed(int fd, void *opaque) {
    ps_kafka_sink *sink = opaque;
    atomic_store(&sink->closed, true);
    return close(fd);
}

rd_kafka_topic_partition_list_t *ps_kafka_positions_list(const ps_kafka_sink *sink) {
    if (sink->link.config == NULL || sink->moved_count == 0) return NULL;
    const ps_partitions *all = sink->env->partitions;
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)sink->moved_count);
    for (uint32_t i = 0; i < sink->moved_count; i++) {
        uint32_t within;
        const uint32_t topic = ps_partitions_topic(all, sink->moved[i], &within);
        rd_kafka_topic_partition_list_add(list, all->topic[topic].name, (int32_t)within)->offset =
            sink->next[sink->moved[i]];
    }
    return list;
}

static bool is_fence(rd_kafka_resp_err_t err) {
    return err == RD_KAFKA_RESP_ERR__FENCED || err == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           err == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/* Nobody gives us a right by our asking again. */
static bool is_forbidden(rd_kafka_resp_err_t err) {
    return err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
           err == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           err == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

/* A worker joined, left or was given up: what it is told with names every partition. */
static bool is_overtaken(rd_kafka_resp_err_t err) {
    return err == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
           err == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
           err == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
}

/* In this order: fatal, retriable, to be aborted, anything else. All but `retriable` end with a
 * new producer. */
static ps_kafka_outcome judge(ps_kafka_sink *sink, const char *what, rd_kafka_error_t *failure) {
    if (failure == NULL) return PS_KAFKA_DONE;
    ps_kafka_outcome result = PS_KAFKA_GIVE_UP;
    const rd_kafka_resp_err_t err = rd_kafka_error_code(failure);
    const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(sink->producer, NULL, 0);
    if (rd_kafka_error_is_fatal(failure) || fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (is_fence(err) || is_fence(fatal)) ps_kafka_note_fence(sink);
    } else if (rd_kafka_error_is_retriable(failure)) {
        result = PS_KAFKA_RETRY;
        if (err == RD_KAFKA_RESP_ERR__TIMED_OUT || err == RD_KAFKA_RESP_ERR__TRANSPORT)
            sink->suspect = true;
    } else if (is_forbidden(err)) {
        ps_kafka_fail_forbidden(sink, what, rd_kafka_err2str(err));
    }
    if (is_overtaken(err))
        ps_log(PS_LOG_DEBUG, "sink kafka",
               "%s: the group has shared out its partitions anew; going back to what is committed",
               what);
    else
        ps_log(result == PS_KAFKA_RETRY ? PS_LOG_DEBUG : PS_LOG_INFO, "sink kafka", "%s: %s%s",
               what, rd_kafka_error_string(failure),
               result == PS_KAFKA_RETRY ? "" : "; going back to what is committed");
    rd_kafka_error_destroy(failure);
    return result;
}

ps_kafka_outcome ps_kafka_offsets(ps_kafka_sink *sink) {
    rd_kafka_topic_partition_list_t *list = ps_kafka_positions_list(sink);
    if (list == NULL) return PS_KAFKA_DONE;
    /* Fresh each time: the generation changes with every rebalance. */
    rd_kafka_consumer_group_metadata_t *group =
        rd_kafka_consumer_group_metadata(ps_kafka_link_consumer(sink->env));
    ps_kafka_outcome result = PS_KAFKA_GIVE_UP;
    const bool ours = ps_kafka_link_unbroken(sink->env, NULL, sink->moved, sink->moved_count);
    if (!ours)
        ps_log(PS_LOG_INFO, "sink kafka",
               "the group had given this worker up meanwhile; going back to what is committed");
    if (group != NULL && ours) {
        atomic_store(&sink->calling, "send_offsets_to_transaction");
        result = judge(sink, "offsets",
                       rd_kafka_send_offsets_to_transaction(sink->producer, list, group, CALL_MS));
    }
    if (group != NULL) rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
    return result;
}

ps_kafka_outcome ps_kafka_commit(ps_kafka_sink *sink) {
    atomic_store(&sink->calling, "commit_transaction");
    return judge(sink, "commit", rd_kafka_commit_transaction(sink->producer, CALL_MS));
}

bool ps_kafka_begin(ps_kafka_sink *sink) {
    if (sink->suspect || atomic_load(&sink->closed)) return false;
    rd_kafka_error_t *failure = rd_kafka_begin_transaction(sink->producer);
    if (failure != NULL) rd_kafka_error_destroy(failure);
    return failure == NULL;
}
