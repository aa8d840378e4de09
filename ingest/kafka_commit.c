/* SPDX-License-Identifier: Apache-2.0
 * Positions of rows that are safely out, committed to the group for sinks that leave it to the
 * source (files, discard). The transactional sink commits them itself. Commits are gathered: one
 * asynchronous request a tenth of a second.
 */
#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/kafka_source_parts.h"

#define COMMIT_EVERY_NS (100 * PS_NS_PER_MS)

ps_status ps_kafka_source_commit(void *self, const ps_position *positions, uint32_t count,
                                 ps_error *error) {
    (void)error;
    ps_kafka_source *source = self;
    for (uint32_t i = 0; i < count; i++) {
        int64_t *safe = &source->safe[positions[i].partition];
        if (*safe == PS_OFFSET_NONE) source->safe_count++;
        if (positions[i].next > *safe) *safe = positions[i].next;
    }
    ps_kafka_source_commit_due(source, PS_KAFKA_COMMIT_GATHERED);
    return PS_OK;
}

void ps_kafka_source_commit_forget(ps_kafka_source *source, uint32_t partition) {
    if (source->safe[partition] == PS_OFFSET_NONE) return;
    source->safe[partition] = PS_OFFSET_NONE;
    source->safe_count--;
}

/* In the middle of a rebalance a group takes no offsets, and where nothing more comes there is no
 * next commit to say them again. */
static void keep_refused(ps_kafka_source *source, rd_kafka_resp_err_t err,
                         const rd_kafka_topic_partition_list_t *list) {
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *of = &list->elems[i];
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR && of->err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        const uint32_t p = ps_kafka_partition(source->env->partitions, of->topic, of->partition);
        if (p == PS_NOWHERE || source->place[p].holding != PS_KAFKA_READING) continue;
        if (source->safe[p] != PS_OFFSET_NONE) continue; /* it has moved on since */
        source->safe[p] = of->offset;
        source->safe_count++;
        ps_log(PS_LOG_DEBUG, "source kafka", "offsets: %s", rd_kafka_err2str(err ? err : of->err));
    }
}

/* librdkafka's callback: what the group refused is committed again with what comes next. */
void ps_kafka_source_on_commit(rd_kafka_t *client, rd_kafka_resp_err_t err,
                               rd_kafka_topic_partition_list_t *list, void *opaque) {
    ps_kafka_source *source = opaque;
    (void)client;
    if (source->answer != NULL)
        source->answer(source->answer_opaque, err, list);
    else if (!source->closing && list != NULL)
        keep_refused(source, err, list);
}

void ps_kafka_source_commit_due(ps_kafka_source *source, ps_kafka_commit_how how) {
    if (source->safe_count == 0 || source->fatal) return;
    const int64_t now_ns = ps_clock_ns();
    if (how == PS_KAFKA_COMMIT_GATHERED && now_ns - source->safe_ns < COMMIT_EVERY_NS) return;
    const ps_partitions *all = source->env->partitions;
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)source->safe_count);
    for (uint32_t p = 0; p < all->count; p++) {
        if (source->safe[p] == PS_OFFSET_NONE) continue;
        uint32_t within;
        const uint32_t topic = ps_partitions_topic(all, p, &within);
        rd_kafka_topic_partition_list_add(list, all->topic[topic].name, (int32_t)within)->offset =
            source->safe[p];
        source->safe[p] = PS_OFFSET_NONE;
    }
    source->safe_count = 0;
    source->safe_ns = now_ns;
    const rd_kafka_resp_err_t err =
        rd_kafka_commit(source->client, list, how != PS_KAFKA_COMMIT_ANSWERED);
    /* Rows are read again after a restart, none is lost: the sink's own guarantee is not touched.
     */
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        ps_log(PS_LOG_WARNING, "source kafka", "offsets were not committed: %s",
               rd_kafka_err2str(err));
        keep_refused(source, err, list);
    }
    rd_kafka_topic_partition_list_destroy(list);
}
