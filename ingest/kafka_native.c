/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/kafka_native.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ingest/kafka_link.h"
#include "ingest/kafka_token.h"
#include "ingest/wire/batch.h"

/* The group's metadata can be read since then: without it no offsets go into a transaction. */
enum { LIBRDKAFKA_MIN = 0x020f0000 };

enum { READS = 1, WRITES = 2, BOTH = READS | WRITES };

/* Properties that are done, or that change nothing but how librdkafka works. */
static const struct {
    const char *name;
    const char *values; /* those that are done; NULL: whatever it says */
    int whose;          /* for whom other values are none of these */
} known[] = {
    /* Who we are, and to whom. */
    {"security.protocol", "plaintext|ssl|sasl_plaintext|sasl_ssl", BOTH},
    {"sasl.mechanism", "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512|OAUTHBEARER", BOTH},
    {"sasl.username", NULL, BOTH},
    {"sasl.password", NULL, BOTH},
    {"sasl.oauthbearer.method", "default", BOTH},
    {"enable.sasl.oauthbearer.unsecure.jwt", "false|f|0", BOTH},
    {PS_KAFKA_TOKEN, NULL, BOTH},
    {PS_KAFKA_TOKEN_COMMAND, NULL, BOTH},
    {"ssl.ca.location", NULL, BOTH},
    {"ssl.certificate.location", NULL, BOTH},
    {"ssl.key.location", NULL, BOTH},
    {"ssl.key.password", NULL, BOTH},
    {"enable.ssl.certificate.verification", "true|t|1|false|f|0", BOTH},
    {"ssl.endpoint.identification.algorithm", "https|none", BOTH},
    {"client.id", NULL, BOTH},
    {"client.dns.lookup", "use_all_dns_ips", BOTH},
    /* Ours always reads from the leader. */
    {"client.rack", "", READS},
    /* Bounds, and what ours goes by. */
    {"message.max.bytes", NULL, BOTH},
    {"receive.message.max.bytes", NULL, BOTH},
    {"fetch.wait.max.ms", NULL, READS},
    {"fetch.min.bytes", NULL, READS},
    {"fetch.max.bytes", NULL, READS},
    {"fetch.message.max.bytes", NULL, READS},
    {"queued.min.messages", NULL, READS},
    {"queued.max.messages.kbytes", NULL, READS},
    {"linger.ms", NULL, WRITES},
    {"batch.size", NULL, WRITES},
    {"batch.num.messages", NULL, WRITES},
    {"queue.buffering.max.messages", NULL, WRITES},
    {"queue.buffering.max.kbytes", NULL, WRITES},
    {"compression.type", "none|gzip|snappy|lz4|zstd", WRITES},
    {"compression.level", "-1", WRITES},
    {"partitioner", "murmur2|murmur2_random", WRITES},
    {"transaction.timeout.ms", NULL, WRITES},
    {"request.timeout.ms", NULL, WRITES},
    /* What a pipeline does in any case. */
    {"acks", "all|-1", WRITES},
    {"enable.idempotence", "true|t|1", WRITES},
    {"enable.gapless.guarantee", "false|f|0", WRITES},
    {"queuing.strategy", "fifo", WRITES},
    {"max.in.flight", NULL, BOTH},
    {"retries", NULL, WRITES},
    {"delivery.timeout.ms", NULL, WRITES},
    {"isolation.level", "read_committed", READS},
    {"enable.auto.commit", "false|f|0", READS},
    {"enable.auto.offset.store", "false|f|0", READS},
    {"enable.partition.eof", "true|t|1", READS},
    {"check.crcs", NULL, READS},
    {"allow.auto.create.topics", "false|f|0", BOTH},
    /* The group's. */
    {"session.timeout.ms", NULL, READS},
    {"heartbeat.interval.ms", NULL, READS},
    {"max.poll.interval.ms", NULL, READS},
    {"group.protocol", NULL, READS},
    {"group.protocol.type", NULL, READS},
    {"group.remote.assignor", NULL, READS},
    {"partition.assignment.strategy", NULL, READS},
    {"coordinator.query.interval.ms", NULL, READS},
    {"auto.commit.interval.ms", NULL, READS},
    /* How librdkafka works, and what it says of it. */
    {"api.version.request", "true|t|1", BOTH},
    {"api.version.request.timeout.ms", NULL, BOTH},
    {"broker.address.family", NULL, BOTH},
    {"broker.address.ttl", NULL, BOTH},
    {"connections.max.idle.ms", NULL, BOTH},
    {"debug", NULL, BOTH},
    {"enable.metrics.push", NULL, BOTH},
    {"enable.random.seed", NULL, BOTH},
    {"fetch.error.backoff.ms", NULL, READS},
    {"fetch.queue.backoff.ms", NULL, READS},
    {"log.connection.close", NULL, BOTH},
    {"log.thread.name", NULL, BOTH},
    {"log_level", NULL, BOTH},
    {"message.copy.max.bytes", NULL, BOTH},
    {"metadata.max.age.ms", NULL, BOTH},
    {"metadata.recovery.rebootstrap.trigger.ms", NULL, BOTH},
    {"metadata.recovery.strategy", NULL, BOTH},
    {"queue.buffering.backpressure.threshold", NULL, WRITES},
    {"reconnect.backoff.jitter.ms", NULL, BOTH},
    {"reconnect.backoff.max.ms", NULL, BOTH},
    {"reconnect.backoff.ms", NULL, BOTH},
    {"retry.backoff.max.ms", NULL, BOTH},
    {"retry.backoff.ms", NULL, BOTH},
    {"socket.blocking.max.ms", NULL, BOTH},
    {"socket.connection.setup.timeout.ms", NULL, BOTH},
    {"socket.keepalive.enable", NULL, BOTH},
    {"socket.max.fails", NULL, BOTH},
    {"socket.nagle.disable", NULL, BOTH},
    {"socket.receive.buffer.bytes", NULL, BOTH},
    {"socket.send.buffer.bytes", NULL, BOTH},
    {"socket.timeout.ms", NULL, BOTH},
    {"statistics.interval.ms", NULL, BOTH},
    {"sticky.partitioning.linger.ms", NULL, WRITES},
    {"topic.metadata.propagation.max.ms", NULL, BOTH},
    {"topic.metadata.refresh.fast.cnt", NULL, BOTH},
    {"topic.metadata.refresh.fast.interval.ms", NULL, BOTH},
    {"topic.metadata.refresh.interval.ms", NULL, BOTH},
    {"topic.metadata.refresh.sparse", NULL, BOTH},
};

/* What else librdkafka calls them. */
static const struct {
    const char *other, *name;
} aliases[] = {
    {"sasl.mechanisms", "sasl.mechanism"},
    {"max.in.flight.requests.per.connection", "max.in.flight"},
    {"max.partition.fetch.bytes", "fetch.message.max.bytes"},
    {"queue.buffering.max.ms", "linger.ms"},
    {"compression.codec", "compression.type"},
    {"request.required.acks", "acks"},
    {"message.send.max.retries", "retries"},
    {"message.timeout.ms", "delivery.timeout.ms"},
    {"auto.commit.enable", "enable.auto.commit"},
};

static const char *plain_name(const char *name) {
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(aliases[i].other, name) == 0) return aliases[i].name;
    return name;
}

static const ps_string_pair *last_of(const ps_string_map *properties, const char *name) {
    const ps_string_pair *last = NULL;
    for (uint32_t i = 0; properties != NULL && i < properties->count; i++)
        if (strcmp(plain_name(properties->at[i].name), plain_name(name)) == 0)
            last = &properties->at[i];
    return last;
}

/* `words`: "one|two"; in whatever case. */
static bool is_one_of(const char *words, const char *value) {
    const size_t length = strlen(value);
    for (;;) {
        const size_t word = strcspn(words, "|");
        if (word == length && strncasecmp(words, value, length) == 0) return true;
        if (words[word] == '\0') return false;
        words += word + 1;
    }
}

static bool is_done(const ps_string_pair *pair, int whose) {
    const char *name = plain_name(pair->name);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].values == NULL || (known[i].whose & whose) == 0 ||
                   is_one_of(known[i].values, pair->value);
    return false;
}

static const char kerberos[] = "sasl.mechanism: GSSAPI";

/* Who says nothing of the mechanism gets this one, but a sink may have its source's (`whole`: not
 * this one). */
static bool is_kerberos(const ps_string_map *properties, bool whole) {
    const ps_string_pair *protocol = last_of(properties, "security.protocol");
    const ps_string_pair *mechanism = last_of(properties, "sasl.mechanism");
    if (mechanism != NULL) return strcasecmp(mechanism->value, "GSSAPI") == 0;
    return whole && protocol != NULL && strncasecmp(protocol->value, "sasl_", 5) == 0;
}

const char *ps_kafka_native_lacks(const ps_string_map *properties, ps_kafka_role role) {
    if (RD_KAFKA_VERSION < LIBRDKAFKA_MIN) return "librdkafka older than 2.15";
    return ps_kafka_native_lacks_property(properties, role);
}

const char *ps_kafka_native_lacks_property(const ps_string_map *properties, ps_kafka_role role) {
    const bool writes = role == PS_KAFKA_TRANSACTIONAL || role == PS_KAFKA_IDEMPOTENT;
    if (is_kerberos(properties, !writes)) return kerberos;
    for (uint32_t i = 0; properties != NULL && i < properties->count; i++) {
        const ps_string_pair *pair = &properties->at[i];
        if (last_of(properties, pair->name) == pair && !is_done(pair, writes ? WRITES : READS))
            return pair->name;
    }
    return NULL;
}

const char *ps_kafka_source_foreign(const void *configuration) {
    const ps_kafka_source_config *config = configuration;
    return ps_kafka_native_lacks(&config->properties, PS_KAFKA_CONSUMER);
}

/* One with brokers of its own inherits nothing. */
const char *ps_kafka_sink_foreign(const void *configuration) {
    const ps_kafka_sink_config *config = configuration;
    if (config->brokers != NULL && is_kerberos(&config->properties, true)) return kerberos;
    return ps_kafka_native_lacks(&config->properties, config->delivery == PS_KAFKA_AT_LEAST_ONCE
                                                          ? PS_KAFKA_IDEMPOTENT
                                                          : PS_KAFKA_TRANSACTIONAL);
}

/* ---- what they come to ---- */

typedef struct wishes {
    const char *protocol, *mechanism, *user, *password, *token, *command;
    const char *ca, *certificate, *key, *key_password, *verify, *host;
} wishes;

static const struct {
    const char *name;
    size_t at;
} wanted[] = {
    {"security.protocol", offsetof(wishes, protocol)},
    {"sasl.mechanism", offsetof(wishes, mechanism)},
    {"sasl.username", offsetof(wishes, user)},
    {"sasl.password", offsetof(wishes, password)},
    {PS_KAFKA_TOKEN, offsetof(wishes, token)},
    {PS_KAFKA_TOKEN_COMMAND, offsetof(wishes, command)},
    {"ssl.ca.location", offsetof(wishes, ca)},
    {"ssl.certificate.location", offsetof(wishes, certificate)},
    {"ssl.key.location", offsetof(wishes, key)},
    {"ssl.key.password", offsetof(wishes, key_password)},
    {"enable.ssl.certificate.verification", offsetof(wishes, verify)},
    {"ssl.endpoint.identification.algorithm", offsetof(wishes, host)},
};

static ps_status beyond(const char *name, ps_error *error) {
    return ps_fail(error, PS_BAD_CONFIG, "properties: '%s' is beyond penstock's own Kafka client",
                   name);
}

/* An empty value takes back what was said before; a token replaces a command, and the other way
 * round. */
static ps_status wish(wishes *to, const ps_string_pair *pair, ps_error *error) {
    const char *name = plain_name(pair->name);
    if (!ps_kafka_is_connection(name)) return PS_OK;
    if (!is_done(pair, BOTH)) return beyond(pair->name, error);
    if (strcmp(name, PS_KAFKA_TOKEN) == 0 || strcmp(name, PS_KAFKA_TOKEN_COMMAND) == 0)
        to->token = to->command = NULL;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strcmp(wanted[i].name, name) == 0)
            *(const char **)(void *)((char *)to + wanted[i].at) =
                pair->value[0] == '\0' ? NULL : pair->value;
    return PS_OK;
}

static ps_status gather(const ps_string_map *from, wishes *to, ps_error *error) {
    for (uint32_t i = 0; from != NULL && i < from->count; i++)
        if (last_of(from, from->at[i].name) == &from->at[i]) PS_TRY(wish(to, &from->at[i], error));
    return PS_OK;
}

static ps_status need(const char *value, const char *name, const char *whose, ps_error *error) {
    if (value != NULL) return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG, "properties: '%s' is missing, which %s needs", name,
                   whose);
}

static ps_status take_mechanism(const wishes *from, ps_wire_security *out, ps_error *error) {
    static const char *const names[] = {[PS_WIRE_SASL_PLAIN] = "PLAIN",
                                        [PS_WIRE_SASL_SCRAM_256] = "SCRAM-SHA-256",
                                        [PS_WIRE_SASL_SCRAM_512] = "SCRAM-SHA-512",
                                        [PS_WIRE_SASL_OAUTHBEARER] = "OAUTHBEARER"};
    PS_TRY(need(from->mechanism, "sasl.mechanism", "SASL without Kerberos", error));
    for (ps_wire_mechanism m = PS_WIRE_SASL_PLAIN; m <= PS_WIRE_SASL_OAUTHBEARER; m++)
        if (strcasecmp(from->mechanism, names[m]) == 0) out->mechanism = m;
    PS_CHECK(out->mechanism != PS_WIRE_SASL_NONE);
    if (out->mechanism == PS_WIRE_SASL_OAUTHBEARER) {
        out->token = from->token;
        out->token_command = from->command;
        return from->command != NULL
                   ? PS_OK
                   : need(from->token, PS_KAFKA_TOKEN " (or .command)", "OAUTHBEARER", error);
    }
    PS_TRY(need(from->user, "sasl.username", names[out->mechanism], error));
    PS_TRY(need(from->password, "sasl.password", names[out->mechanism], error));
    out->user = from->user;
    out->password = from->password;
    return PS_OK;
}

ps_status ps_kafka_native_security(const ps_string_map *inherited, const ps_string_map *properties,
                                   ps_wire_security *out, ps_error *error) {
    wishes from = {.protocol = NULL};
    PS_TRY(gather(inherited, &from, error));
    PS_TRY(gather(properties, &from, error));
    *out = (ps_wire_security){
        .tls = from.protocol != NULL && is_one_of("ssl|sasl_ssl", from.protocol),
        .verify = from.verify == NULL || is_one_of("true|t|1", from.verify),
        .any_host = from.host != NULL && is_one_of("none", from.host),
        /* The word by which librdkafka looks for the system's authorities. */
        .ca_file = from.ca != NULL && strcmp(from.ca, "probe") == 0 ? NULL : from.ca,
        .cert_file = from.certificate,
        .key_file = from.key,
        .key_password = from.key_password,
    };
    const bool sasl = from.protocol != NULL && is_one_of("sasl_plaintext|sasl_ssl", from.protocol);
    return sasl ? take_mechanism(&from, out, error) : PS_OK;
}

int64_t ps_kafka_native_number(const ps_string_map *properties, const char *name,
                               int64_t otherwise) {
    const ps_string_pair *pair = last_of(properties, name);
    char *end = NULL;
    if (pair == NULL) return otherwise;
    const int64_t number = strtoll(pair->value, &end, 0);
    return end == pair->value ? otherwise : number;
}

uint8_t ps_kafka_native_codec(const ps_string_map *properties) {
    static const char *const names[PS_WIRE_CODECS] = {"none", "gzip", "snappy", "lz4", "zstd"};
    const ps_string_pair *pair = last_of(properties, "compression.type");
    for (uint8_t codec = 0; pair != NULL && codec < PS_WIRE_CODECS; codec++)
        if (strcasecmp(pair->value, names[codec]) == 0) return codec;
    return PS_WIRE_NONE;
}

/* ---- the group ---- */

#if RD_KAFKA_VERSION >= 0x020f0000
static bool copy(char *to, size_t room, const char *from) {
    const size_t bytes = from == NULL ? 0 : strlen(from);
    if (bytes == 0 || bytes >= room) return false;
    memcpy(to, from, bytes + 1);
    return true;
}

/* A group counts its generations, and a member its epochs, from 1 on. */
bool ps_kafka_membership_of(rd_kafka_t *consumer, ps_kafka_membership *out) {
    rd_kafka_consumer_group_metadata_t *of = rd_kafka_consumer_group_metadata(consumer);
    *out = (ps_kafka_membership){.generation = -1};
    if (of == NULL) return false;
    out->generation = rd_kafka_consumer_group_metadata_generation_id(of);
    out->is_static = copy(out->instance, sizeof out->instance,
                          rd_kafka_consumer_group_metadata_group_instance_id(of));
    const bool known_there =
        copy(out->member, sizeof out->member, rd_kafka_consumer_group_metadata_member_id(of));
    rd_kafka_consumer_group_metadata_destroy(of);
    return known_there && out->generation > 0;
}
#else
bool ps_kafka_membership_of(rd_kafka_t *consumer, ps_kafka_membership *out) {
    (void)consumer;
    *out = (ps_kafka_membership){.generation = -1};
    return false;
}
#endif

const char *ps_kafka_native_advice(ps_status status, const ps_wire_client *client,
                                   const char *too_large) {
    if (status == PS_UNSUPPORTED) return too_large;
    const bool outdated =
        status == PS_BAD_CONFIG && client != NULL && ps_wire_client_outdated(client);
    return outdated ? ": use runtime.client: librdkafka" : "";
}
