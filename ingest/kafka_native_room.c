/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/kafka_native_room.h"

#include <inttypes.h>

#include "ingest/kafka_link.h"
#include "ingest/kafka_native.h"
#include "ingest/kafka_sink_calls.h"

enum {
    SPARE_NODES = 2, /* brokers that may join while we run */
    BATCH_BYTES_MIN = 16 << 10,
    BATCH_STRUCTS = 256, /* of a batch, and an eighth of its bytes for tags */
    BATCHES_MIN = 8,
    ANSWER_BYTES_MIN = 64 << 10
};

/* Answers to Produce name records that are refused, all of a batch at worst. A buffer for each
 * broker, and as much again for what it is read into: a quarter of all for both is enough. */
static size_t answer_bytes(int64_t memory_bytes, uint32_t nodes) {
    int64_t bytes = memory_bytes / 8 / nodes;
    if (bytes > memory_bytes / 32) bytes = memory_bytes / 32;
    return (size_t)(bytes > ANSWER_BYTES_MIN ? bytes : ANSWER_BYTES_MIN);
}

void ps_kafka_native_room_client(int64_t memory_bytes, uint32_t brokers,
                                 ps_wire_client_recipe *out) {
    const size_t partitions = (size_t)out->topic_count * out->partitions_max;
    out->nodes_max = brokers + SPARE_NODES;
    out->receive_bytes[PS_WIRE_TO_PRODUCE] = answer_bytes(memory_bytes, out->nodes_max);
    out->receive_bytes[PS_WIRE_CONTROL] = ps_kafka_native_control_bytes(partitions, brokers);
}

/* Batches for each partition, and two as large as any record, of what is left of the budget. */
ps_status ps_kafka_native_room_batches(int64_t memory_bytes, const ps_wire_client_recipe *client,
                                       size_t most, ps_wire_producer_recipe *out, ps_error *error) {
    const size_t fixed =
        ps_wire_client_bytes(client) + ps_wire_producer_bytes(out) - 2 * out->record_bytes;
    const size_t all = (size_t)memory_bytes, left = all > fixed ? all - fixed : 0;
    const size_t outlets = (size_t)out->topic_count * out->partitions_max;
    size_t batch = left / (2 * outlets + BATCHES_MIN);
    if (batch > most) batch = most;
    if (batch < BATCH_BYTES_MIN) batch = BATCH_BYTES_MIN;
    out->batch_bytes = batch;
    out->batches_max = (uint32_t)(left / (batch + batch / 8 + BATCH_STRUCTS));
    if (out->batches_max >= BATCHES_MIN) return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG,
                   "%" PRIu32 " brokers and %zu partitions take %zu KiB of native, and a lane's "
                   "sink has %zu for them and its batches",
                   client->nodes_max - SPARE_NODES, outlets, fixed >> 10, all >> 10);
}

/* Its own topics are not known yet: they have as many partitions as the source's largest, which
 * the state topic has to have. Nor are the brokers of another cluster. */
ps_status ps_kafka_native_sink_suits(const void *configuration, const ps_lane_env *env,
                                     ps_error *error) {
    const ps_kafka_sink_config *config = configuration;
    const ps_partitions *all = env->partitions;
    if (config->brokers != NULL || all->brokers == 0) return PS_OK;
    ps_wire_client_recipe client = {.brokers = "", .client_id = "", .topic_count = 2};
    client.topic_count += env->plan->seal.sealer != NULL;
    client.topic_count += env->dead != NULL && env->dead->topic != NULL;
    for (uint32_t t = 0; t < all->topic_count; t++)
        if (all->topic[t].count > client.partitions_max)
            client.partitions_max = all->topic[t].count;
    ps_kafka_native_room_client(env->memory_bytes, all->brokers, &client);
    ps_wire_producer_recipe producer = {.topic_count = client.topic_count,
                                        .partitions_max = client.partitions_max,
                                        .codec = ps_kafka_native_codec(&config->properties)};
    return ps_kafka_native_room_batches(env->memory_bytes, &client, PS_KAFKA_BATCH_BYTES_MAX,
                                        &producer, error);
}
