/* SPDX-License-Identifier: Apache-2.0
 * Between kafka_dead.c, which reads topics from end to end, kafka_replayed.c, which knows what was
 * replayed, and kafka_replay.c, which writes.
 */
#ifndef PS_INGEST_KAFKA_DEAD_PARTS_H
#define PS_INGEST_KAFKA_DEAD_PARTS_H

#include "ingest/kafka_client.h"
#include "ingest/kafka_dead.h"

/* A cluster, and as whom to go there. */
typedef struct ps_kafka_place {
    const char *brokers;
    const ps_string_map *inherited, *properties;
} ps_kafka_place;

ps_kafka_place ps_dead_sink_place(const ps_dead_pipeline *pipeline);
ps_kafka_place ps_dead_source_place(const ps_dead_pipeline *pipeline);

/* A client that reads, or only asks. */
ps_status ps_dead_client_open(const ps_kafka_place *place, ps_kafka_role role, rd_kafka_t **out,
                              ps_error *error) PS_MUST_USE;

/* How many partitions; PS_NOWHERE: there is no such topic. Waits for a broker. */
ps_status ps_dead_partitions(rd_kafka_t *client, const ps_kafka_place *place, const char *topic,
                             uint32_t *count, ps_error *error) PS_MUST_USE;

typedef ps_status ps_dead_message_fn(void *context, const rd_kafka_message_t *message,
                                     ps_error *error);

/* One partition from its first record to the end it has now. `whole`: waits for transactions that
 * are still open before that end; else they hide what follows. PS_END of `fn` comes back. */
ps_status ps_dead_scan(rd_kafka_t *client, const char *topic, int32_t partition, bool whole,
                       ps_dead_message_fn *fn, void *context, ps_error *error) PS_MUST_USE;

/* What a letter is called: SipHash-2-4-128 of what it is. */
typedef struct ps_letter_name {
    uint64_t half[2];
} ps_letter_name;

ps_letter_name ps_letter_name_of(const ps_letter *letter, const char *target);

/* The names of what was replayed. */
typedef struct ps_replayed {
    ps_letter_name *slot; /* open addressing; a name of zeros is an empty slot */
    size_t slots, count;
} ps_replayed;

/* False: it was there. */
ps_status ps_replayed_add(ps_replayed *replayed, ps_letter_name name, bool *added,
                          ps_error *error) PS_MUST_USE;
/* One record of the topic; a newer format is refused. */
ps_status ps_replayed_take(ps_replayed *replayed, ps_bytes record, ps_error *error) PS_MUST_USE;
ps_status ps_replayed_read(ps_replayed *replayed, rd_kafka_t *client, const char *topic, bool whole,
                           ps_error *error) PS_MUST_USE;
void ps_replayed_deinit(ps_replayed *replayed);

/* A record of the topic <pipeline>.replay: "PSrp" · u16 format · u16 reserved · u32 count · names
 */
enum { PS_REPLAYED_FORMAT = 1, PS_REPLAYED_HEAD = 12 };
void ps_replayed_head(uint8_t *to, uint32_t count);

#endif
