/* SPDX-License-Identifier: Apache-2.0
 * Dead letters in Kafka: reading them, and putting their records back.
 *
 * A replay is one transaction after another of records and, with them, of what they were: 16 bytes
 * a letter in the topic <pipeline>.replay. That topic says which letters were replayed, whatever
 * filter chose them and however the command ended, so a letter goes into a topic once. A letter is
 * known by the topic it goes to, where its record came from, and the record's timestamp, key, value
 * and headers: a topic that was made anew under the same name has other letters.
 */
#ifndef PS_INGEST_KAFKA_DEAD_H
#define PS_INGEST_KAFKA_DEAD_H

#include "host/flow/parts.h"
#include "ingest/letter.h"

/* Whose letters: the configurations of the pipeline's Kafka parts, NULL where it has another. */
typedef struct ps_dead_pipeline {
    const char *name;
    const void *source_config; /* of ps_source_kafka */
    const void *sink_config;   /* of ps_sink_kafka */
} ps_dead_pipeline;

/* Hands over what is committed now, partition after partition, in order. `*strangers`: records that
 * are no letters. Blocks. */
ps_status ps_kafka_dead_read(const ps_dead_pipeline *pipeline, const char *topic, ps_letter_fn *fn,
                             void *context, uint64_t *strangers, ps_error *error) PS_MUST_USE;

typedef struct ps_replay ps_replay;

/* To the topic `to`, NULL: each record to the one that it came from; on the source's cluster, or on
 * the sink's where the source is not Kafka. `dry`: writes nothing, and knows what is known now. A
 * replay that is opened takes over from one that still runs. */
ps_status ps_replay_open(const ps_dead_pipeline *pipeline, const char *to, bool dry,
                         ps_replay **out, ps_error *error) PS_MUST_USE;

/* Puts a letter's record back, unless it was: `*known`. To be called for letters that are not to be
 * replayed, too, with NULL: a transaction must not stay open for as long as they last. After a
 * failure close is all that is left. */
ps_status ps_replay_put(ps_replay *replay, const ps_letter *letter, bool *known,
                        ps_error *error) PS_MUST_USE;

/* Commits what is not yet. */
ps_status ps_replay_finish(ps_replay *replay, ps_error *error) PS_MUST_USE;

/* Where records of this letter go. */
const char *ps_replay_target(const ps_replay *replay, const ps_letter *letter);

void ps_replay_close(ps_replay *replay);

#endif
