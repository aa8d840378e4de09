/* SPDX-License-Identifier: Apache-2.0
 * What of a pipeline file's properties our own Kafka client understands. If this fails, a property
 * that it cannot do is passed over in silence, a pipeline that it could run is refused, a broker is
 * let in that the file would not, or a worker has no token, or no place in its group.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "ingest/kafka_link.h"
#include "ingest/kafka_native.h"
#include "ingest/kafka_token.h"
#include "ingest/wire/batch.h"
#include "ingest/wire/token.h"
#include "tests/kafka_mock.h"

#define TOKEN   "penstock.oauthbearer.token"
#define COMMAND "penstock.oauthbearer.token.command"

/* Up to 8 properties: name, value, …, NULL. */
typedef struct properties {
    ps_string_pair pair[8];
    ps_string_map map;
} properties;

static const ps_string_map *of(properties *p, const char *const *words) {
    p->map = (ps_string_map){p->pair, 0};
    while (words[0] != NULL) {
        p->pair[p->map.count++] = (ps_string_pair){words[0], words[1]};
        words += 2;
    }
    return &p->map;
}
#define MAP(...) of(&(properties){.map.count = 0}, (const char *const[]){__VA_ARGS__, NULL})

/* A build with an older library has no other client to choose. */
static void skip_where_too_old(void) {
    if (RD_KAFKA_VERSION >= 0x020f0000) return;
    assert_string_equal(ps_kafka_native_lacks(NULL, PS_KAFKA_CONSUMER),
                        "librdkafka older than 2.15");
    skip();
}

static void expect_lack(const ps_string_map *map, ps_kafka_role role, const char *wanted) {
    const char *lack = ps_kafka_native_lacks(map, role);
    if (wanted == NULL ? lack != NULL : lack == NULL || strcmp(lack, wanted) != 0)
        fail_msg("%s=%s for role %d: %s, not %s", map->at[0].name, map->at[0].value, role,
                 lack == NULL ? "nothing" : lack, wanted == NULL ? "nothing" : wanted);
}

static const struct {
    const char *name, *value;
    bool reads, writes; /* for whom our own client can do it */
} single[] = {
    {"security.protocol", "SSL", true, true},
    {"sasl.mechanism", "SCRAM-SHA-256", true, true},
    {"sasl.mechanisms", "PLAIN", true, true},
    {"sasl.mechanism", "OAUTHBEARER", true, true},
    {"sasl.mechanism", "SCRAM-SHA-1", false, false},
    {"sasl.password", "secret", true, true},
    {TOKEN, "word", true, true},
    {COMMAND, "echo word", true, true},
    {"sasl.oauthbearer.method", "default", true, true},
    {"sasl.oauthbearer.method", "oidc", false, false},
    {"sasl.oauthbearer.config", "principal=admin", false, false},
    {"enable.sasl.oauthbearer.unsecure.jwt", "true", false, false},
    {"sasl.kerberos.keytab", "/x", false, false},
    {"ssl.ca.location", "probe", true, true},
    {"ssl.certificate.location", "/c", true, true},
    {"ssl.key.location", "/k", true, true},
    {"ssl.key.password", "p", true, true},
    {"ssl.crl.location", "/x", false, false},
    {"ssl.ca.pem", "x", false, false},
    {"ssl.cipher.suites", "x", false, false},
    {"ssl.keystore.location", "/x", false, false},
    {"enable.ssl.certificate.verification", "false", true, true},
    {"ssl.endpoint.identification.algorithm", "none", true, true},
    {"client.id", "me", true, true},
    {"client.rack", "a", false, true}, /* it would read across zones, and cost */
    {"client.rack", "", true, true},
    {"client.dns.lookup", "resolve_canonical_bootstrap_servers_only", false, false},
    {"plugin.library.paths", "x", false, false},
    {"session.timeout.ms", "6000", true, true},
    {"group.protocol", "consumer", true, true},
    {"group.remote.assignor", "uniform", true, true},
    {"partition.assignment.strategy", "range", true, true},
    {"max.poll.interval.ms", "6000", true, true},
    {"debug", "all", true, true},
    {"socket.timeout.ms", "5000", true, true},
    {"broker.address.family", "v4", true, true},
    {"fetch.max.bytes", "1000", true, true},
    {"max.partition.fetch.bytes", "1000", true, true},
    {"queued.max.messages.kbytes", "1000", true, true},
    {"isolation.level", "read_uncommitted", false, true},
    {"linger.ms", "5", true, true},
    {"queue.buffering.max.ms", "5", true, true},
    {"compression.type", "ZSTD", true, true},
    {"compression.codec", "brotli", true, false},
    {"compression.level", "-1", true, true},
    {"compression.level", "5", true, false},
    {"acks", "-1", true, true},
    {"acks", "all", true, true},
    {"request.required.acks", "1", true, false},
    {"enable.idempotence", "false", true, false},
    {"partitioner", "murmur2", true, true},
    {"partitioner", "consistent_random", true, false},
    {"transaction.timeout.ms", "9000", true, true},
    {"max.in.flight.requests.per.connection", "5", true, true},
    {"request.timeout.ms", "5", true, true},
    {"api.version.request", "false", false, false},
    {"test.mock.num.brokers", "3", false, false},
    {"a.property.of.tomorrow", "1", false, false},
};

static void each_property_alone(void **state) {
    (void)state;
    skip_where_too_old();
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
        const ps_string_map *map = MAP(single[i].name, single[i].value);
        const char *name = single[i].name;
        expect_lack(map, PS_KAFKA_CONSUMER, single[i].reads ? NULL : name);
        expect_lack(map, PS_KAFKA_TRANSACTIONAL, single[i].writes ? NULL : name);
        expect_lack(map, PS_KAFKA_IDEMPOTENT, single[i].writes ? NULL : name);
    }
    assert_null(ps_kafka_native_lacks(NULL, PS_KAFKA_CONSUMER));
}

static void the_last_that_was_said(void **state) {
    (void)state;
    skip_where_too_old();
    expect_lack(MAP("compression.level", "3", "compression.level", "-1"), PS_KAFKA_IDEMPOTENT,
                NULL);
    expect_lack(MAP("acks", "1", "request.required.acks", "all"), PS_KAFKA_IDEMPOTENT, NULL);
    expect_lack(MAP("acks", "all", "request.required.acks", "1"), PS_KAFKA_IDEMPOTENT,
                "request.required.acks");
    expect_lack(MAP("debug", "all", "ssl.crl.location", "/x", "plugin.library.paths", "x"),
                PS_KAFKA_CONSUMER, "ssl.crl.location");
}

/* librdkafka's own default of the mechanism is Kerberos; a sink may have its source's. */
static void kerberos_by_name_and_by_default(void **state) {
    (void)state;
    skip_where_too_old();
    static const char gssapi[] = "sasl.mechanism: GSSAPI";
    ps_kafka_sink_config sink = {.properties = *MAP("security.protocol", "sasl_ssl")};
    const ps_kafka_source_config source = {.properties = sink.properties};
    expect_lack(MAP("sasl.mechanism", "GSSAPI"), PS_KAFKA_CONSUMER, gssapi);
    expect_lack(MAP("sasl.mechanisms", "GSSAPI"), PS_KAFKA_IDEMPOTENT, gssapi);
    assert_string_equal(ps_source_kafka.foreign(&source), gssapi);
    assert_null(ps_sink_kafka.foreign(&sink));
    sink.brokers = "its own";
    assert_string_equal(ps_sink_kafka.foreign(&sink), gssapi);
    sink.properties = *MAP("partitioner", "random");
    assert_string_equal(ps_sink_kafka.foreign(&sink), "partitioner");
}

static ps_wire_security secured(const ps_string_map *inherited, const ps_string_map *map) {
    ps_wire_security security;
    ps_error error;
    if (ps_kafka_native_security(inherited, map, &security, &error) != PS_OK)
        fail_msg("%s", error.message);
    return security;
}

static void security_as_it_is_said(void **state) {
    (void)state;
    ps_wire_security s = secured(NULL, NULL);
    assert_true(!s.tls && s.verify && !s.any_host && s.mechanism == PS_WIRE_SASL_NONE);
    s = secured(NULL, MAP("security.protocol", "Ssl", "ssl.ca.location", "/ca",
                          "ssl.certificate.location", "/c", "ssl.key.location", "/k",
                          "ssl.key.password", "p", "sasl.username", "unused"));
    assert_true(s.tls && s.verify && !s.any_host && s.mechanism == PS_WIRE_SASL_NONE);
    assert_string_equal(s.ca_file, "/ca");
    assert_string_equal(s.cert_file, "/c");
    assert_string_equal(s.key_file, "/k");
    assert_string_equal(s.key_password, "p");
    assert_null(s.user);
    s = secured(NULL, MAP("security.protocol", "sasl_plaintext", "sasl.mechanisms", "PLAIN",
                          "sasl.username", "u", "sasl.password", "w", "ssl.ca.location", "probe"));
    assert_true(!s.tls && s.mechanism == PS_WIRE_SASL_PLAIN);
    assert_string_equal(s.user, "u");
    assert_string_equal(s.password, "w");
    assert_null(s.ca_file);
    s = secured(NULL, MAP("security.protocol", "ssl", "enable.ssl.certificate.verification", "0"));
    assert_true(s.tls && !s.verify);
    s = secured(NULL,
                MAP("security.protocol", "ssl", "ssl.endpoint.identification.algorithm", "none"));
    assert_true(s.verify && s.any_host);
}

static void each_mechanism(void **state) {
    (void)state;
    static const char *const names[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    for (int i = 0; i < 3; i++) {
        const ps_wire_security s =
            secured(NULL, MAP("security.protocol", "sasl_ssl", "sasl.mechanism", names[i],
                              "sasl.username", "u", "sasl.password", "w", TOKEN, "unused"));
        assert_true(s.tls);
        assert_int_equal(s.mechanism, PS_WIRE_SASL_PLAIN + i);
        assert_null(s.token);
    }
    ps_wire_security s =
        secured(NULL, MAP("security.protocol", "sasl_ssl", "sasl.mechanism", "OAUTHBEARER", TOKEN,
                          "word", "sasl.username", "unused"));
    assert_int_equal(s.mechanism, PS_WIRE_SASL_OAUTHBEARER);
    assert_string_equal(s.token, "word");
    assert_null(s.user);
    /* The one that was said last. */
    s = secured(NULL, MAP("security.protocol", "sasl_ssl", "sasl.mechanism", "OAUTHBEARER", TOKEN,
                          "word", COMMAND, "echo"));
    assert_null(s.token);
    assert_string_equal(s.token_command, "echo");
}

/* A sink has its source's connection, and nothing else of it. */
static void what_is_inherited(void **state) {
    (void)state;
    const ps_string_map *source =
        MAP("security.protocol", "sasl_ssl", "sasl.mechanism", "PLAIN", "sasl.username", "reader",
            "sasl.password", "one", "ssl.ca.location", "/ca", "partitioner", "random");
    ps_wire_security s = secured(source, MAP("sasl.username", "writer", "sasl.password", "two"));
    assert_true(s.tls && s.mechanism == PS_WIRE_SASL_PLAIN);
    assert_string_equal(s.user, "writer");
    assert_string_equal(s.password, "two");
    assert_string_equal(s.ca_file, "/ca");
    s = secured(source, MAP("ssl.ca.location", "", "security.protocol", "ssl"));
    assert_true(s.tls && s.mechanism == PS_WIRE_SASL_NONE && s.ca_file == NULL);
}

static void expect_refusal(const ps_string_map *map, const char *words) {
    ps_wire_security security;
    ps_error error;
    assert_int_equal(ps_kafka_native_security(NULL, map, &security, &error), PS_BAD_CONFIG);
    if (strstr(error.message, words) == NULL) fail_msg("%s: not %s", error.message, words);
    assert_null(strstr(error.message, "hush"));
}

static void what_is_not_enough(void **state) {
    (void)state;
    expect_refusal(MAP("security.protocol", "hush"), "'security.protocol' is beyond");
    expect_refusal(MAP("ssl.key.pem", "hush"), "'ssl.key.pem' is beyond");
    expect_refusal(MAP("enable.ssl.certificate.verification", "hush"), "verification' is beyond");
    expect_refusal(MAP("security.protocol", "sasl_ssl"), "'sasl.mechanism' is missing");
    expect_refusal(
        MAP("security.protocol", "sasl_ssl", "sasl.mechanism", "PLAIN", "sasl.password", "hush"),
        "'sasl.username' is missing, which PLAIN needs");
    expect_refusal(MAP("security.protocol", "sasl_ssl", "sasl.mechanism", "SCRAM-SHA-512",
                       "sasl.username", "hush"),
                   "'sasl.password' is missing, which SCRAM-SHA-512 needs");
    expect_refusal(MAP("security.protocol", "sasl_ssl", "sasl.mechanism", "OAUTHBEARER"), TOKEN);
}

static void numbers_under_all_their_names(void **state) {
    (void)state;
    const ps_string_map *map = MAP("fetch.max.bytes", "0x100", "queue.buffering.max.ms", "7",
                                   "batch.size", "none", "linger.ms", "9.5");
    assert_int_equal(ps_kafka_native_number(map, "fetch.max.bytes", 1), 256);
    assert_int_equal(ps_kafka_native_number(map, "linger.ms", 1), 9);
    assert_int_equal(ps_kafka_native_number(map, "queue.buffering.max.ms", 1), 9);
    assert_int_equal(ps_kafka_native_number(map, "batch.size", 5), 5);
    assert_int_equal(ps_kafka_native_number(map, "fetch.min.bytes", 6), 6);
    assert_int_equal(ps_kafka_native_number(NULL, "fetch.min.bytes", 6), 6);
}

static void codecs(void **state) {
    (void)state;
    static const char *const names[] = {"none", "gzip", "Snappy", "lz4", "zstd"};
    for (uint8_t i = 0; i < 5; i++) {
        assert_int_equal(ps_kafka_native_codec(MAP("compression.type", names[i])), i);
        assert_int_equal(ps_kafka_native_codec(MAP("compression.codec", names[i])), i);
    }
    assert_int_equal(ps_kafka_native_codec(MAP("linger.ms", "5")), PS_WIRE_NONE);
}

/* ---- tokens for librdkafka ---- */

/* {"alg":"none"}.{"sub":"a>>>","exp":1900000000}. and one without exp. */
#define JWT    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhPj4-IiwiZXhwIjoxOTAwMDAwMDAwfQ."
#define NO_END "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."

static void when_a_token_ends(void **state) {
    (void)state;
    assert_int_equal(ps_kafka_token_end_ms(JWT, 5), INT64_C(1900000000000));
    assert_int_equal(ps_kafka_token_end_ms(NO_END, 5), 5);
    static const char *const none[] = {"", "word", "a.b", "..", "a.!!!!.c", "a.b.c"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(ps_kafka_token_end_ms(none[i], 5), 5);
}

static void what_a_command_prints(void **state) {
    (void)state;
    uint8_t text[100];
    size_t length = 0;
    ps_error error;
    assert_int_equal(
        ps_wire_token_fetch("printf wo; sleep 0.05; echo rd", 5000000000, text, 100, &length, NULL),
        PS_OK);
    assert_int_equal(length, 4);
    assert_memory_equal(text, "word", 4);
    static const struct {
        const char *command, *words;
        ps_status status;
    } bad[] = {{"exit 3", "exit code 3", PS_IO},
               {"exec 2>&-; no-such-command-anywhere", "exit code 127", PS_BAD_CONFIG},
               {"echo two words", "one word", PS_BAD_CONFIG},
               {"true", "one word", PS_BAD_CONFIG},
               {"sleep 60", "too long", PS_IO},
               {"head -c 200 /dev/zero", "prints over", PS_BAD_CONFIG}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const ps_status status =
            ps_wire_token_fetch(bad[i].command, 300000000, text, 100, &length, &error);
        if (status != bad[i].status || strstr(error.message, bad[i].words) == NULL)
            fail_msg("%s: %d, %s", bad[i].command, status, error.message);
    }
}

static char heard[256];

static void hear(rd_kafka_t *client, int err, const char *reason, void *opaque) {
    (void)client, (void)opaque;
    if (err == RD_KAFKA_RESP_ERR__AUTHENTICATION) (void)snprintf(heard, sizeof heard, "%s", reason);
}

static rd_kafka_t *open_with(const ps_string_map *inherited, const ps_string_map *map,
                             ps_kafka_role role) {
    rd_kafka_t *client = NULL;
    ps_error error;
    const ps_kafka_recipe recipe = {.role = role,
                                    .brokers = "127.0.0.1:1",
                                    .inherited = inherited,
                                    .properties = map,
                                    .memory_bytes = 1 << 20,
                                    .failed = hear};
    if (ps_kafka_client_open(&recipe, &client, &error) != PS_OK) fail_msg("%s", error.message);
    return client;
}

static bool wait_for_file(const char *path) {
    for (int i = 0; i < 500; i++) {
        const struct timespec pause = {0, 10000000};
        if (access(path, F_OK) == 0) return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

/* The command runs though nobody serves the client's queues: a lane's thread never waits for it. */
static void librdkafka_gets_a_token(void **state) {
    (void)state;
    char path[] = "/tmp/kafka_native_XXXXXX", command[200];
    (void)close(mkstemp(path));
    (void)unlink(path);
    (void)snprintf(command, sizeof command, "echo %s; : >%s", JWT, path);
    const ps_string_map *source = MAP("security.protocol", "sasl_plaintext", "sasl.mechanism",
                                      "OAUTHBEARER", COMMAND, command, "client.id", "x");
    rd_kafka_t *client = open_with(NULL, source, PS_KAFKA_CONSUMER);
    const bool ran = wait_for_file(path);
    ps_kafka_client_close(client);
    assert_true(ran);
    (void)unlink(path);
    /* Nor does a sink that has the source's. */
    client = open_with(source, MAP("linger.ms", "5"), PS_KAFKA_IDEMPOTENT);
    const bool ran_again = wait_for_file(path);
    ps_kafka_client_close(client);
    assert_true(ran_again);
    (void)unlink(path);
}

static void a_token_that_fails_is_told(void **state) {
    (void)state;
    rd_kafka_t *client = open_with(NULL,
                                   MAP("security.protocol", "sasl_plaintext", "sasl.mechanism",
                                       "OAUTHBEARER", COMMAND, "exit 3"),
                                   PS_KAFKA_READER);
    heard[0] = '\0';
    for (int i = 0; i < 50 && heard[0] == '\0'; i++) (void)rd_kafka_poll(client, 100);
    ps_kafka_client_close(client);
    assert_non_null(strstr(heard, "the token's command failed with exit code 3"));
}

static void expect_closed(const ps_string_map *map, const char *words) {
    rd_kafka_t *client = NULL;
    ps_error error;
    const ps_kafka_recipe recipe = {
        .role = PS_KAFKA_READER, .brokers = "127.0.0.1:1", .properties = map};
    assert_int_equal(ps_kafka_client_open(&recipe, &client, &error), PS_BAD_CONFIG);
    if (strstr(error.message, words) == NULL) fail_msg("%s: not %s", error.message, words);
}

static void no_token_is_told_at_once(void **state) {
    (void)state;
    expect_closed(MAP("security.protocol", "sasl_ssl", "sasl.mechanism", "OAUTHBEARER"),
                  "OAUTHBEARER needs '" TOKEN "'");
    expect_closed(MAP(TOKEN, "two words"), "'" TOKEN "' is no token");
    ps_kafka_client_close(
        open_with(NULL, MAP("sasl.mechanism", "OAUTHBEARER"), PS_KAFKA_READER)); /* plaintext */
}

/* ---- the group ---- */

static void as_whom_the_group_knows_us(void **state) {
    (void)state;
    static const char *const topics[] = {"in", "out", "dead"};
    skip_where_too_old();
    const kafka_mock mock = kafka_mock_open(topics, 1);
    ps_kafka_membership us = {.generation = 7};
    rd_kafka_t *client = NULL;
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_CONSUMER,
                                    .brokers = mock.brokers,
                                    .group = "group",
                                    .member = "job-host-0",
                                    .memory_bytes = 1 << 20};
    assert_int_equal(ps_kafka_client_open(&recipe, &client, NULL), PS_OK);
    assert_false(ps_kafka_membership_of(client, &us));
    assert_int_equal(us.generation, -1);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, "in", RD_KAFKA_PARTITION_UA);
    assert_int_equal(rd_kafka_subscribe(client, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    bool member = false;
    for (int i = 0; i < 100 && !member; i++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 100);
        if (message != NULL) rd_kafka_message_destroy(message);
        member = ps_kafka_membership_of(client, &us);
    }
    assert_true(member);
    assert_true(us.generation > 0);
    assert_true(us.is_static);
    assert_string_equal(us.instance, "job-host-0");
    assert_true(us.member[0] != '\0');
    (void)rd_kafka_consumer_close(client);
    ps_kafka_client_close(client);
    kafka_mock_close(&mock);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_property_alone),
        cmocka_unit_test(the_last_that_was_said),
        cmocka_unit_test(kerberos_by_name_and_by_default),
        cmocka_unit_test(security_as_it_is_said),
        cmocka_unit_test(each_mechanism),
        cmocka_unit_test(what_is_inherited),
        cmocka_unit_test(what_is_not_enough),
        cmocka_unit_test(numbers_under_all_their_names),
        cmocka_unit_test(codecs),
        cmocka_unit_test(when_a_token_ends),
        cmocka_unit_test(what_a_command_prints),
        cmocka_unit_test(librdkafka_gets_a_token),
        cmocka_unit_test(a_token_that_fails_is_told),
        cmocka_unit_test(no_token_is_told_at_once),
        cmocka_unit_test(as_whom_the_group_knows_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
