/* SPDX-License-Identifier: Apache-2.0
 * What a pipeline file says about Kafka, and how it becomes a librdkafka client: our settings
 * first, each with its reason, then the user's properties, then a refusal of those that would break
 * what the pipeline promises. librdkafka's types stay inside ingest/kafka*.
 */
#ifndef PS_INGEST_KAFKA_CLIENT_H
#define PS_INGEST_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "host/base/clock.h"
#include "host/flow/parts.h"
#include "ingest/kafka_queues.h"

typedef enum ps_kafka_start { PS_KAFKA_EARLIEST, PS_KAFKA_LATEST } ps_kafka_start;
typedef enum ps_kafka_delivery { PS_KAFKA_EXACTLY_ONCE, PS_KAFKA_AT_LEAST_ONCE } ps_kafka_delivery;
typedef enum ps_kafka_form { PS_KAFKA_HEADERS, PS_KAFKA_JSON, PS_KAFKA_PACKED } ps_kafka_form;

typedef struct ps_kafka_source_config {
    const char *brokers;
    ps_string_list topics;
    const char *group; /* NULL: the pipeline's name */
    uint32_t start;    /* ps_kafka_start */
    int64_t expansion; /* times its size: the most that an answer becomes when it is unpacked */
    int64_t batch_max; /* bytes on the wire of the largest batch */
    ps_string_map properties;
} ps_kafka_source_config;

typedef struct ps_kafka_sink_config {
    const char *brokers; /* NULL: the source's, with its security settings */
    const char *topic;
    uint32_t delivery; /* ps_kafka_delivery */
    int64_t commit_interval_ns;
    uint32_t form; /* ps_kafka_form */
    int64_t pack_rows;
    uint32_t pack_codec; /* ps_frame_codec */
    ps_string_map properties;
} ps_kafka_sink_config;

/* The abort of a transaction that nobody finishes, and with it the longest pause of a broker that
 * a transaction survives. */
enum { PS_KAFKA_TRANSACTION_MS = 15000 };

typedef enum ps_kafka_role {
    PS_KAFKA_CONSUMER, /* member of the group */
    PS_KAFKA_READER,   /* reads the state topic, looks things up: no group */
    PS_KAFKA_TRANSACTIONAL,
    PS_KAFKA_IDEMPOTENT,
    PS_KAFKA_ADMIN
} ps_kafka_role;

/* What a client is made of. Everything is borrowed for the call but `opaque`. */
typedef struct ps_kafka_recipe {
    ps_kafka_role role;
    const char *brokers;
    const ps_string_map *inherited;  /* only its connection and security settings are taken */
    const ps_string_map *properties; /* all of them are */
    const char *group;               /* CONSUMER; READER: whose offsets it looks up, NULL: none */
    const char *member;              /* CONSUMER: group.instance.id; NULL: a passing member */
    const char *transactional;       /* TRANSACTIONAL: transactional.id */
    int64_t memory_bytes;            /* CONSUMER and producers: what its queues may hold */
    int64_t expansion, batch_max;    /* CONSUMER: as configured; 0: as always */
    uint32_t servers;                /* CONSUMER: that may answer at the same moment; 0: one */
    int64_t linger_ns;               /* producers */
    int64_t transaction_ms_min;      /* transactional: what transaction.timeout.ms must reach */
    uint32_t message_bytes_max;      /* producers: the largest record, 0: librdkafka's default */
    uint32_t batch_bytes_max;        /* producers: of records together, 0: librdkafka's default */
    void *opaque;
    void (*delivered)(rd_kafka_t *, const rd_kafka_message_t *, void *opaque);
    void (*failed)(rd_kafka_t *, int err, const char *reason, void *opaque);
    int (*closed)(int fd, void *opaque);   /* closes a connection; called on any thread */
    rd_kafka_interceptor_f_on_new_t *born; /* CONSUMER: adds interceptors; gets `opaque` */
    void (*committed)(rd_kafka_t *, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t *,
                      void *opaque);
    void (*rebalanced)(rd_kafka_t *, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t *,
                       void *opaque);
} ps_kafka_recipe;

/* Whether such a client could be opened, the brokers being reachable: complains of the option
 * `properties`. */
void ps_kafka_client_check(const ps_kafka_recipe *recipe, ps_complaints *out);

/* Fails with PS_BAD_CONFIG and a message that names the property, never its value. */
ps_status ps_kafka_client_open(const ps_kafka_recipe *recipe, rd_kafka_t **out,
                               ps_error *error) PS_MUST_USE;

/* Complains of a topic's name that no broker would take. */
void ps_kafka_topic_check(const char *name, const char *option, uint32_t entry, ps_complaints *out);

/* Complains of a list of brokers that is there and empty. */
void ps_kafka_brokers_check(const char *brokers, ps_complaints *out);

/* Does not wait for a group or for unsent records. */
void ps_kafka_client_close(rd_kafka_t *client);

/* Whether a member of a group gives all back whenever the group changes ("eager"). One that is
 * being closed no longer answers that, and whoever asks waits for ever: what it said last still
 * holds. */
bool ps_kafka_client_eager(rd_kafka_t *client, bool closing, bool said_last);

/* The value a client would get for `name`: the last of the user's, or NULL. */
const char *ps_kafka_property(const ps_string_map *properties, const char *name);

/* Whether it says how brokers are reached, or as whom: a sink has those of its source. */
bool ps_kafka_is_connection(const char *name);

/* What transaction.timeout.ms must reach. */
int64_t ps_kafka_transaction_ms_min(const ps_kafka_sink_config *config);

/* A broker that does not answer is waited for: true at most every 10 s, when it is time for a line
 * in the log. */
typedef struct ps_kafka_patience {
    int64_t since_ns, told_ns;
} ps_kafka_patience;
bool ps_kafka_patience_tell(ps_kafka_patience *patience);
static inline long long ps_kafka_patience_s(const ps_kafka_patience *patience) {
    return (long long)((ps_clock_ns() - patience->since_ns) / PS_NS_PER_S);
}

/* Whether waiting may help: the network, a broker or a coordinator is away. */
bool ps_kafka_is_away(rd_kafka_resp_err_t err);

/* The end of a message about `err`: what to try, where that is known, or nothing. */
const char *ps_kafka_advice(rd_kafka_resp_err_t err);

/* Whether what is unknown to the brokers may still turn up: `*since_ns` is when it was first found
 * missing, 0 before that and set here. A topic that was made a moment ago, and one that is asked
 * about at a broker that has just started. */
#define PS_KAFKA_NEW_NS_MAX     (2 * PS_NS_PER_S)
#define PS_KAFKA_MISSING_NS_MAX (10 * PS_NS_PER_S)
bool ps_kafka_may_come(int64_t *since_ns, int64_t patience_ns);

/* Number of a topic's partition in ps_partitions, or PS_NOWHERE. */
uint32_t ps_kafka_partition(const ps_partitions *all, const char *topic, int32_t within);

/* Partitions of a topic. AGAIN: no broker answers now; other failures say what to do, and where the
 * topic does not exist `*count` is PS_NOWHERE. */
ps_status ps_kafka_topic_partitions(rd_kafka_t *client, const char *topic, int timeout_ms,
                                    uint32_t *count, ps_error *error) PS_MUST_USE;

#endif
