/* SPDX-License-Identifier: Apache-2.0
 * Which topics and partitions there are, before any lane opens. A broker that is away is waited for
 * as long as it takes; what waiting cannot mend ends the start with a message.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "ingest/kafka_admin.h"
#include "ingest/kafka_source_parts.h"

/* What librdkafka's error callback has seen while we ask. */
typedef struct trouble {
    int err;
    char reason[256];
} trouble;

enum { ASK_MS = 10000 };

static void on_error(rd_kafka_t *client, int err, const char *reason, void *opaque) {
    trouble *seen = opaque;
    (void)client;
    /* A refusal explains itself; that all brokers are down follows from it. */
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && seen->err != 0) return;
    seen->err = err;
    (void)snprintf(seen->reason, sizeof seen->reason, "%s", reason);
}

static bool is_final(int err) {
    return err == RD_KAFKA_RESP_ERR__AUTHENTICATION || err == RD_KAFKA_RESP_ERR__SSL ||
           err == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
           err == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM;
}

/* Only connections that could not be made, or broke, are told of. One that is made and closed at
 * once is not, but for all brokers being down after that: so a port closes that speaks TLS to who
 * does not. */
static void tell_waiting(const ps_kafka_source_config *config, const trouble *seen) {
    const char *protocol = ps_kafka_property(&config->properties, "security.protocol");
    if (seen->err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        ps_log(PS_LOG_WARNING, "source kafka",
               "no broker answers at %s, still trying: connections are closed as soon as they are "
               "made; is security.protocol (here %s) what that port speaks?",
               config->brokers, protocol == NULL ? "plaintext" : protocol);
    else
        ps_log(PS_LOG_WARNING, "source kafka", "no broker answers at %s, still trying: %s",
               config->brokers, seen->err == 0 ? "no answer" : seen->reason);
}

static ps_status discover_topic(rd_kafka_t *client, const ps_kafka_source_config *config,
                                const char *topic, uint32_t *count, ps_error *error) {
    trouble *seen = rd_kafka_opaque(client);
    ps_kafka_patience patience = {0, 0};
    int64_t missing_ns = 0;
    for (;;) {
        const ps_status status = ps_kafka_topic_partitions(client, topic, 1000, count, error);
        (void)rd_kafka_poll(client, 0);
        /* One that was made a moment ago is not known to every broker yet. */
        const bool missing = status != PS_OK && *count == PS_NOWHERE;
        if (missing ? !ps_kafka_may_come(&missing_ns, PS_KAFKA_NEW_NS_MAX) : status != PS_AGAIN)
            return status;
        if (is_final(seen->err))
            return ps_fail(error, PS_IO, "%s: the broker refuses the connection: %.300s",
                           config->brokers, seen->reason);
        if (!missing && ps_kafka_patience_tell(&patience)) tell_waiting(config, seen);
        const struct timespec pause = {0, 50000000};
        (void)nanosleep(&pause, NULL);
    }
}

static ps_status discover_all(rd_kafka_t *client, const ps_kafka_source_config *config,
                              ps_partitions *out, ps_error *error) {
    if (config->topics.count == 0 || config->topics.count > PS_TOPICS_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "topics: name 1 to %d topics", PS_TOPICS_MAX);
    for (uint32_t t = 0; t < config->topics.count; t++) {
        uint32_t count = 0;
        const char *name = config->topics.at[t];
        if (strlen(name) >= sizeof out->topic[t].name)
            return ps_fail(error, PS_BAD_CONFIG, "topics: a name is longer than 249 bytes");
        PS_TRY(discover_topic(client, config, name, &count, error));
        if (count > PS_PARTITIONS_MAX - out->count)
            return ps_fail(error, PS_UNSUPPORTED, "the topics have more than %d partitions",
                           PS_PARTITIONS_MAX);
        (void)snprintf(out->topic[t].name, sizeof out->topic[t].name, "%s", name);
        out->topic[t].first = out->count;
        out->topic[t].count = count;
        out->count += count;
        out->topic_count = t + 1;
    }
    return PS_OK;
}

/* All that there are, and those that lead the partitions: as many, or one for each of them. */
static ps_status count_brokers(rd_kafka_t *client, ps_partitions *out, ps_error *error) {
    if (ps_kafka_brokers_count(client, ASK_MS, &out->brokers) != PS_OK)
        return ps_fail(error, PS_IO, "cannot ask which brokers there are: no answer");
    out->servers = out->brokers < out->count ? out->brokers : out->count;
    return PS_OK;
}

ps_status ps_kafka_discover(const void *configuration, ps_partitions *out, ps_error *error) {
    const ps_kafka_source_config *config = configuration;
    trouble seen = {0, ""};
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_READER,
                                    .brokers = config->brokers,
                                    .properties = &config->properties,
                                    .memory_bytes = 1 << 20,
                                    .opaque = &seen,
                                    .failed = on_error};
    rd_kafka_t *client = NULL;
    memset(out, 0, sizeof *out);
    PS_TRY(ps_kafka_client_open(&recipe, &client, error));
    ps_status status = discover_all(client, config, out, error);
    if (status == PS_OK) status = count_brokers(client, out, error);
    if (status == PS_OK) ps_kafka_batches_check(client, config, out);
    ps_kafka_client_close(client);
    return status;
}

uint32_t ps_kafka_partition(const ps_partitions *all, const char *topic, int32_t within) {
    for (uint32_t t = 0; t < all->topic_count; t++) {
        if (strcmp(all->topic[t].name, topic) != 0) continue;
        if (within < 0 || (uint32_t)within >= all->topic[t].count) return PS_NOWHERE;
        return all->topic[t].first + (uint32_t)within;
    }
    return PS_NOWHERE;
}

const char *ps_kafka_advice(rd_kafka_resp_err_t err) {
    switch (err) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return ": give this user's principal the right to it (docs/security.md lists the rights)";
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION: /* also said of what becomes too large */
        return "; is it unpacked larger than the source's batch_max and expansion say?";
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        return "; is it a topic of Kafka's own? name another one";
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
        return "; docs/kafka.md says which brokers will do";
    case RD_KAFKA_RESP_ERR_INVALID_REQUEST:
        return "; the broker's log says what it has against it";
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        return "; a policy of the brokers forbids it: ask whoever runs them";
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
        return "; set another compression.type";
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
        return "; the topic has an old message format: raise its message.format.version";
    default:
        return "";
    }
}

void ps_kafka_topic_check(const char *name, const char *option, uint32_t entry,
                          ps_complaints *out) {
    if (ps_text_is_name(name, PS_TEXT_TOPIC_MAX)) return;
    out->add(out, option, entry,
             "%s: '%s' is not a topic's name: 1 to %d letters, digits, '.', '_' and '-'", option,
             name, PS_TEXT_TOPIC_MAX);
}

void ps_kafka_brokers_check(const char *brokers, ps_complaints *out) {
    if (brokers != NULL && brokers[0] == '\0')
        out->add(out, "brokers", PS_NOWHERE, "brokers: say which, e.g. localhost:9092");
}

void ps_kafka_source_check(const void *from, ps_complaints *out) {
    const ps_kafka_source_config *config = from;
    const uint32_t count = config->topics.count;
    if (count == 0 || count > PS_TOPICS_MAX)
        out->add(out, "topics", PS_NOWHERE, "topics: name 1 to %d topics", PS_TOPICS_MAX);
    for (uint32_t t = 0; t < count; t++)
        ps_kafka_topic_check(config->topics.at[t], "topics", t, out);
    ps_kafka_brokers_check(config->brokers, out);
    if (config->group != NULL && config->group[0] == '\0')
        out->add(out, "group", PS_NOWHERE, "group: must not be empty");
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_CONSUMER,
                                    .brokers = config->brokers == NULL ? "none" : config->brokers,
                                    .properties = &config->properties,
                                    .group = "group",
                                    .member = "member"};
    ps_kafka_client_check(&recipe, out);
}
