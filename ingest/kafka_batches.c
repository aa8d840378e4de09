/* SPDX-License-Identifier: Apache-2.0
 * The memory ceiling counts one answer of a broker, and the first batch of an answer comes whole
 * however little was asked for. So topics that take larger batches than are counted are named at
 * the start, and an answer that is longer is named when it comes: librdkafka unpacks it right
 * after, and has no setting that would bound the one and not the other.
 */
#include <inttypes.h>

#include "host/base/log.h"
#include "ingest/kafka_admin.h"
#include "ingest/kafka_native_source.h"

/* An answer has more in it than batches: names, aborted transactions. */
enum { ASK_MS = 500, FETCH = 1, BESIDE_BYTES = 64 << 10 };

size_t ps_kafka_source_memory(const void *config, const ps_lane_env *env) {
    const ps_kafka_source_config *own = config;
    if (env->native)
        return ps_kafka_native_source_bytes(own, env) + sizeof(ps_kafka_source) +
               PS_KAFKA_SCRATCH_BYTES;
    return ps_kafka_consumer_bytes(&own->properties, env->memory_bytes, own->expansion,
                                   own->batch_max) +
           sizeof(ps_kafka_source) + PS_KAFKA_SCRATCH_BYTES;
}

static void tell_limit(const ps_kafka_limit *limit, int64_t batch_max) {
    if (limit->refused != RD_KAFKA_RESP_ERR_NO_ERROR)
        ps_log(PS_LOG_WARNING, "source kafka",
               "topic %s: its max.message.bytes may not be asked for (%s): the memory ceiling "
               "holds while no batch is larger than batch_max, here %" PRId64 " bytes",
               limit->topic, rd_kafka_err2str(limit->refused), batch_max);
    else if ((int64_t)limit->bytes_max > batch_max + PS_KAFKA_BATCH_HEADER)
        ps_log(PS_LOG_WARNING, "source kafka",
               "topic %s takes batches of up to %" PRIu32 " bytes (max.message.bytes), the memory "
               "ceiling counts %" PRId64 ": set source.kafka.batch_max to the largest that "
               "producers send, or lower the topic's limit",
               limit->topic, limit->bytes_max, batch_max);
}

void ps_kafka_batches_check(rd_kafka_t *client, const ps_kafka_source_config *config,
                            ps_partitions *all) {
    ps_kafka_limit limits[PS_TOPICS_MAX];
    for (uint32_t t = 0; t < all->topic_count; t++) limits[t].topic = all->topic[t].name;
    ps_kafka_limits(client, limits, all->topic_count, ASK_MS);
    for (uint32_t t = 0; t < all->topic_count; t++) {
        if (limits[t].bytes_max > all->batch_bytes) all->batch_bytes = limits[t].bytes_max;
        tell_limit(&limits[t], config->batch_max);
    }
    if (all->servers > 1)
        ps_log(PS_LOG_INFO, "source kafka",
               "%" PRIu32 " brokers: the memory ceiling counts that batches which several of them "
               "send a lane at the same moment are together no larger than batch_max, here "
               "%" PRId64 " bytes",
               all->servers, config->batch_max);
}

/* One line for each doubling. Threads: any. */
void ps_kafka_batches_tell(ps_kafka_source *source, const char *broker, size_t bytes) {
    if ((int64_t)bytes <= atomic_load(&source->answer_untold)) return;
    atomic_store(&source->answer_untold, (int64_t)bytes * 2);
    ps_log(PS_LOG_WARNING, "source kafka",
           "%s sent a batch of %zu bytes, the memory ceiling counts %" PRId64 ": more memory may "
           "be taken than `explain` prints; set source.kafka.batch_max to %zu or more",
           broker, bytes, source->answer_bytes, bytes);
}

void ps_kafka_batches_count(ps_kafka_source *source, int64_t answer_bytes) {
    source->answer_bytes = answer_bytes;
    atomic_store(&source->answer_untold, answer_bytes + BESIDE_BYTES);
}

/* On a broker's thread, before the answer is unpacked. */
static rd_kafka_resp_err_t on_response(rd_kafka_t *client, int fd, const char *broker, int32_t id,
                                       int16_t api, int16_t version, int32_t correlation,
                                       size_t bytes, int64_t rtt, rd_kafka_resp_err_t err,
                                       void *opaque) {
    ps_kafka_source *source = opaque;
    (void)client, (void)fd, (void)id, (void)version, (void)correlation, (void)rtt, (void)err;
    if (api == FETCH) ps_kafka_batches_tell(source, broker, bytes);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t ps_kafka_batches_born(rd_kafka_t *client, const rd_kafka_conf_t *conf,
                                          void *source, char *reason, size_t bytes) {
    (void)conf, (void)reason, (void)bytes;
    ps_kafka_source *own = source;
    if (own->native != NULL) return RD_KAFKA_RESP_ERR_NO_ERROR; /* it fetches nothing */
    ps_kafka_batches_count(own,
                           ps_kafka_answer_bytes(&own->config->properties, own->env->memory_bytes,
                                                 own->config->expansion, own->config->batch_max));
    return rd_kafka_interceptor_add_on_response_received(client, "penstock", on_response, source);
}
