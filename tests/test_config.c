/* SPDX-License-Identifier: Apache-2.0
 * Pipeline files: what is read, and that every fault is told at its place, all at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/cli/client.h"
#include "host/cli/config.h"
#include "host/cli/http.h"
#include "host/cli/yaml_mask.h"
#include "ingest/parts.h"
#include "ml/stage_detect.h"

static const char good[] =
    "pipeline: p-1.a_b\n"
    "source: {synthetic: {rows: 10, series: 2}}\n"
    "decode:\n"
    "  json: {fields: {host: string, cpu: float, at: {type: timestamp, unit: s, path: a.b}}}\n"
    "  series: host\n"
    "stages:\n"
    "  - hash: {algorithm: sha256, of: value}\n"
    "  - detect: {field: cpu, detectors: [ewma], threshold: 4.5}\n"
    "sink: {discard: {}}\n"
    "runtime: {lanes: 3, linger: 1ms, batch_bytes: 1MiB}\n"
    "metrics: {listen: \"127.0.0.1:9464\"}\n";

static bool read_text(ps_config *config, const char *text, const char *set) {
    const ps_string_list sets = {&set, set == NULL ? 0 : 1};
    return ps_config_init(config, "f.yaml", text, &sets);
}

static void test_good(void **state) {
    (void)state;
    ps_config config;
    assert_true(read_text(&config, good, NULL));
    assert_string_equal(config.top.pipeline, "p-1.a_b");
    assert_string_equal(config.source.about->name, "synthetic");
    assert_int_equal(((const ps_source_synthetic_config *)config.source.config)->rows, 10);
    assert_int_equal(config.decode->fields.count, 3);
    const ps_field *fields = config.decode->fields.at;
    assert_true(fields[0].required); /* it names the series */
    assert_false(fields[1].required);
    assert_string_equal(fields[2].path, "a.b");
    assert_int_equal(fields[2].type, PS_FIELD_TIMESTAMP);
    assert_int_equal(fields[2].unit, PS_UNIT_S);
    assert_int_equal(config.stage_count, 2);
    assert_true(((const ps_detect_config *)config.stage[1].config)->threshold == 4.5);
    assert_int_equal(config.runtime.lanes, 3);
    assert_int_equal(config.runtime.linger_ns, 1000000);
    assert_int_equal(config.runtime.depth, 4);
    assert_int_equal(config.runtime.batch_bytes, 1 << 20);
    assert_true(config.runtime.instance[0] != '\0');
    assert_false(config.has_dead);
    ps_config_deinit(&config);
}

/* The one fault that `text` or `set` has: its line, column and the message's beginning. */
static void expect_fault(const char *text, const char *set, uint32_t line, uint32_t column,
                         const char *begins) {
    ps_config config;
    assert_false(read_text(&config, text, set));
    if (config.faults.count != 1 ||
        strncmp(config.faults.at[0].message, begins, strlen(begins)) != 0) {
        ps_faults_print(&config.faults);
        fail_msg("expected one fault: %s", begins);
    }
    assert_int_equal(config.faults.at[0].place.line, line);
    assert_int_equal(config.faults.at[0].place.column, column);
    ps_config_deinit(&config);
}

/* All of a file's faults are told at once: so many. */
static void expect_faults(const char *text, uint32_t count) {
    ps_config config;
    assert_false(read_text(&config, text, NULL));
    assert_int_equal(config.faults.count, count);
    ps_config_deinit(&config);
}

/* A fault that begins so is among those of `text`. */
static void expect_among(const char *text, const char *begins) {
    ps_config config;
    bool found = false;
    assert_false(read_text(&config, text, NULL));
    for (uint32_t i = 0; i < config.faults.count; i++)
        found = found || strncmp(config.faults.at[i].message, begins, strlen(begins)) == 0;
    if (!found) fail_msg("no fault begins with: %s", begins);
    ps_config_deinit(&config);
}

static char *replace(const char *from, const char *to) {
    static char text[4096];
    const char *at = strstr(good, from);
    assert_non_null(at);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    return text;
}

/* Options below one key of a part. */
static void test_groups(void **state) {
    (void)state;
#define HEAD "pipeline: p\nsource: {kafka: {brokers: b, topics: [t]}}\ndecode: {json: {}}\n"
    static const char packed[] =
        HEAD "sink: {kafka: {topic: o, form: packed, pack: {rows: 7, codec: lz4}}}\n";
    ps_config config;
    assert_true(read_text(&config, packed, NULL));
    char text[PS_OPTION_TEXT_MAX];
    const ps_option *options = config.sink.about->options;
    assert_string_equal(
        ps_option_value(ps_option_find(options, "pack.rows"), config.sink.config, text), "7");
    assert_string_equal(
        ps_option_value(ps_option_find(options, "pack.codec"), config.sink.config, text), "lz4");
    ps_config_deinit(&config);
    assert_true(read_text(&config, packed, "sink.kafka.pack.rows=9"));
    assert_string_equal(
        ps_option_value(ps_option_find(options, "pack.rows"), config.sink.config, text), "9");
    ps_config_deinit(&config);
#define PACK(text) HEAD "sink: {kafka: {topic: o, form: packed, " text "}}\n"
    expect_fault(PACK("pack: {rows: 0}"), NULL, 4, 53, "pack.rows: '0' is out of range");
    expect_fault(PACK("pack: {row: 1}"), NULL, 4, 47,
                 "unknown key 'row' in pack of sink kafka; did you mean 'rows'?");
    expect_fault(PACK("pack: 1"), NULL, 4, 40, "pack: wants a map of options");
    expect_fault(PACK("pakc: 1"), NULL, 4, 40, "unknown key 'pakc' in sink kafka");
#undef PACK
}

static void test_faults(void **state) {
    (void)state;
    expect_fault(replace("rows: 10", "rwos: 10"), NULL, 2, 22,
                 "unknown key 'rwos' in source synthetic; did you mean 'rows'?");
    expect_fault(replace("rows: 10", "rows: ten"), NULL, 2, 28,
                 "rows: 'ten' is not a whole number");
    expect_fault(replace("rows: 10", "rows: [1]"), NULL, 2, 28, "rows: wants a whole number");
    expect_fault(replace("rows: 10", "rows: -1"), NULL, 2, 28, "rows: '-1' is out of range");
    expect_fault(replace("rows: 10", "rows:"), NULL, 2, 22, "rows: has no value");
    expect_fault(replace("rows: 10", "rows: 1, rows: 2"), NULL, 2, 31, "'rows' is here twice");
    expect_fault(replace("p-1.a_b", "p 1"), NULL, 1, 11, "pipeline: 'p 1' is not a name");
    expect_fault(replace("pipeline: p-1.a_b\n", "\n"), NULL, 2, 1,
                 "a pipeline file needs 'pipeline'");
    expect_fault(replace("synthetic", "syntetic"), NULL, 2, 10,
                 "unknown source 'syntetic'; did you mean 'synthetic'?");
    expect_fault(replace("cpu: float", "cpu: flaot"), NULL, 4, 38,
                 "field 'cpu': 'flaot' is not one of");
    expect_fault(replace("unit: s", "unit: m"), NULL, 4, 73,
                 "unit: 'm' is not one of ms, s, us, ns");
    expect_fault(replace("series: host", "series: hots"), NULL, 5, 11,
                 "decode.series: field 'hots' is not declared; did you mean 'host'?");
    expect_fault(replace("field: cpu", "field: cpuu"), NULL, 8, 21,
                 "detect: there is no field 'cpuu'");
    expect_fault(replace("[ewma]", "[ewma, nope]"), NULL, 8, 44, "detectors: 'nope' is not one of");
    expect_fault(replace("{discard: {}}", "{}"), NULL, 9, 1, "sink wants one part");
    expect_fault(replace("sink:", "snik:"), NULL, 9, 1, "unknown key 'snik'; did you mean 'sink'?");
    expect_fault(replace("lanes: 3", "backend: gpux"), NULL, 10, 20,
                 "backend: 'gpux' is not one of auto, cpu, opencl, cuda");
    expect_fault(replace("9464", "x"), NULL, 11, 19,
                 "listen: '127.0.0.1:x' is not an address and port");
    expect_fault(replace("metrics:", "dead_letter: {}\nmetrics:"), NULL, 11, 1,
                 "dead_letter wants exactly one of");
    expect_fault(replace("metrics:", "dead_letter: {topic: t}\nmetrics:"), NULL, 11, 1,
                 "dead_letter.topic needs the kafka sink");
    expect_fault("pipeline: [", NULL, 2, 1, "not well-formed YAML");
    expect_fault("- a\n", NULL, 1, 1, "a pipeline file is a map");
}

/* What a job would be refused for at its start, told at its place. */
static void test_refusals(void **state) {
    (void)state;
#define KAFKA(topics, rest)                                                      \
    "pipeline: p\nsource: {kafka: {brokers: b, topics: " topics ", group: g}}\n" \
    "sink: {kafka: {" rest "}}\n"
    expect_fault(KAFKA("[]", "topic: o"), NULL, 2, 38, "topics: name 1 to 64 topics");
    expect_fault(KAFKA("[t, \"\"]", "topic: o"), NULL, 2, 42, "topics: '' is not a topic's name");
    expect_fault(KAFKA("\"a b\"", "topic: o"), NULL, 2, 38, "topics: 'a b' is not a topic's name");
    expect_fault(KAFKA("[t, ..]", "topic: o"), NULL, 2, 42, "topics: '..' is not a topic's name");
    expect_fault(KAFKA("[t]", "topic: \"\""), NULL, 3, 23, "topic: '' is not a topic's name");
    expect_fault(KAFKA("[t]", "topic: bad topic!"), NULL, 3, 23,
                 "topic: 'bad topic!' is not a topic's name");
    expect_fault(KAFKA("[t]", "topic: o"), "sink.kafka.topic=.", 1, 1,
                 "topic: '.' is not a topic's name");
    expect_fault(KAFKA("[t]", "topic: o, brokers: \"\""), NULL, 3, 35, "brokers: say which");
    expect_fault(KAFKA("[t]", "topic: o"), "source.kafka.group=\"\"", 1, 1,
                 "group: must not be empty");
    expect_fault(KAFKA("[t]", "topic: o"), "dead_letter.topic=\"\"", 1, 1,
                 "dead_letter.topic: '' is not a topic's name");
    char text[1024], name[300];
    memset(name, 'n', sizeof name);
    for (int length = 249; length <= 250; length++) {
        ps_config config;
        (void)snprintf(text, sizeof text, KAFKA("[t]", "topic: %.*s"), length, name);
        assert_int_equal(read_text(&config, text, NULL), length == 249);
        ps_config_deinit(&config);
    }
#undef KAFKA
    expect_fault(replace("discard: {}", "kafka: {topic: o}"), NULL, 9, 8,
                 "sink kafka needs 'brokers'");
    expect_fault(replace("discard: {}", "file: {path: \"\"}"), NULL, 9, 21, "path: name a folder");
    expect_fault(replace("synthetic: {rows: 10, series: 2}", "file: {paths: []}"), NULL, 2, 24,
                 "paths: name at least one file");
    expect_fault(replace("synthetic: {rows: 10, series: 2}", "file: {paths: [a, \"\"]}"), NULL, 2,
                 28, "paths: '' is not the name of a file");
    expect_fault(replace("metrics:", "dead_letter: {file: \"\"}\nmetrics:"), NULL, 11, 21,
                 "dead_letter.file: name a file");
    expect_fault("pipeline: p\nsource: {synthetic: {}}\nsink: {discard: {}}\n"
                 "decode: {csv: {fields: {a: int}, delimiter: ';;'}}\n",
                 NULL, 4, 45, "decode.csv.delimiter is ';;'");
    /* Beside other faults of the same part, but not because of them. */
    expect_faults("pipeline: p\nsource: {kafka: {brokers: b, topics: [\"\"], strat: x}}\n"
                  "sink: {kafka: {topic: \"\", form: y}}\n",
                  4);
    expect_faults("pipeline: p\nsource: {kafka: {topisc: [t]}}\nsink: {kafka: {topic: {}}}\n", 3);
}

/* Known without a network, so told without one; where it is no fault of the file's, not. */
static void test_memory(void **state) {
    (void)state;
    ps_config config;
    assert_true(read_text(&config, good, NULL));
    assert_true(ps_config_check_memory(&config));
    ps_config_deinit(&config);
    assert_true(read_text(&config, replace("lanes: 3", "lanes: 3, memory_max: 40MiB"), NULL));
    assert_false(ps_config_check_memory(&config));
    assert_int_equal(config.faults.count, 1);
    assert_int_equal(config.faults.at[0].place.line, 10);
    assert_int_equal(config.faults.at[0].place.column, 33);
    assert_non_null(strstr(config.faults.at[0].message, "above runtime.memory_max"));
    ps_config_deinit(&config);
    assert_true(read_text(&config, good, "runtime.series_max=1000000000"));
    assert_false(ps_config_check_memory(&config));
    assert_int_equal(config.faults.at[0].place.line, 10);
    ps_config_deinit(&config);
    /* A file that cannot be planned has no ceiling. */
    assert_false(read_text(&config, "[", NULL));
    assert_true(ps_config_check_memory(&config));
    ps_config_deinit(&config);
}

static void test_all_at_once(void **state) {
    (void)state;
    expect_faults(
        "pipeline: a b\nsource: {synthetic: {rows: x, seed: y}}\nsink: {discrad: {}}\nfoo: 1\n", 5);
    /* A stage behind a faulty one is read all the same; that it knows a name of the faulty one's is
     * not held against it. */
    expect_faults("pipeline: p\nsource: {synthetic: {rows: 1}}\n"
                  "decode: {json: {fields: {cpu: float}}, series: $key}\nstages:\n"
                  "  - detect: {field: cpuu, detectors: [ewma]}\n"
                  "  - filter: {where: \"score > \"}\n"
                  "  - filter: {where: \"score > 3\"}\n"
                  "  - hash: {algorithm: sha256, of: cpu}\nsink: {discard: {}}\n",
                  3);
}

static void test_set(void **state) {
    (void)state;
    ps_config config;
    assert_true(read_text(&config, good, "stages.1.detect.threshold=7"));
    assert_true(((const ps_detect_config *)config.stage[1].config)->threshold == 7);
    ps_config_deinit(&config);
    assert_true(read_text(&config, good, "stages.2.filter.where=cpu > 3"));
    assert_int_equal(config.stage_count, 3);
    ps_config_deinit(&config);
    assert_true(read_text(&config, good, "decode.json.fields={host: string, cpu: int}"));
    assert_int_equal(config.decode->fields.count, 2);
    ps_config_deinit(&config);
    assert_false(read_text(&config, good, "runtime.lanes=x"));
    assert_string_equal(ps_spot_text(&config.faults, config.faults.at[0].place),
                        "--set runtime.lanes=x");
    ps_config_deinit(&config);
    static const char *const wrong[] = {"runtime.lanes", "=1", "stages.7.hash.of=key",
                                        "pipeline.a=1", "runtime={"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(read_text(&config, good, wrong[i]));
        ps_config_deinit(&config);
    }
}

static void test_environment(void **state) {
    (void)state;
    ps_config config;
    assert_int_equal(setenv("PS_TEST_ROWS", "77", 1), 0);
    assert_int_equal(unsetenv("PS_TEST_NONE"), 0);
    assert_true(read_text(&config, replace("rows: 10", "rows: ${PS_TEST_ROWS}"), NULL));
    assert_int_equal(((const ps_source_synthetic_config *)config.source.config)->rows, 77);
    ps_config_deinit(&config);
    assert_true(read_text(&config, replace("rows: 10", "rows: ${PS_TEST_NONE:-5}"), NULL));
    assert_int_equal(((const ps_source_synthetic_config *)config.source.config)->rows, 5);
    ps_config_deinit(&config);
    assert_true(
        read_text(&config, replace("p-1.a_b", "\"x-${PS_TEST_ROWS}-${PS_TEST_NONE:-y}\""), NULL));
    assert_string_equal(config.top.pipeline, "x-77-y");
    ps_config_deinit(&config);
    expect_fault(replace("rows: 10", "rows: ${PS_TEST_NONE}"), NULL, 2, 28,
                 "environment variable PS_TEST_NONE is not set");
}

static void test_mask(void **state) {
    (void)state;
    ps_pool *pool = ps_pool_open();
    static const char *const texts[] = {
        "", "plain {a: b}", "${A}", "{b: ${A:-x,[y]}, c: $D}", "${", "$${A}", "a ${ b\nc }"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t length = strlen(texts[i]);
        char *masked = ps_yaml_mask(pool, texts[i], &length);
        ps_yaml_unmask(masked);
        assert_string_equal(masked, texts[i]);
    }
    ps_pool_close(pool);
}

/* Each of these kept the reader busy for minutes or for ever, or took all memory there is. */
static void test_hostile(void **state) {
    (void)state;
    char *text = malloc(1 << 20), *at = text;
    expect_fault("a: f\n%so\x8b: x\n", NULL, 2, 4, "is not UTF-8 text (byte 0x8b)");
    for (int i = 0; i < 20; i++) {
        at += snprintf(at, 64, "k%d: &k%d [x", i, i);
        for (int j = 0; j < 10 && i > 0; j++) at += snprintf(at, 64, ", *k%d", i - 1);
        at += snprintf(at, 64, "]\n");
    }
    ps_config config;
    assert_false(read_text(&config, text, NULL)); /* told, not merely left unfinished */
    ps_config_deinit(&config);
    at = text + snprintf(text, 64, "pipeline: ");
    for (int i = 0; i < 100000; i++) at += snprintf(at, 64, "${A:-b}");
    expect_among(text, "more than 256 '${' in one value");
    at = text;
    for (int i = 0; i < 150000; i++) at += snprintf(at, 64, "a%d:\n", i % 10);
    expect_among(text, "too many entries");
    for (int i = 0; i < 500000; i++) memcpy(text + 2 * i, "${", 2);
    text[1000000] = '\0';
    expect_among(text, "");
    free(text);
}

/* A build with a librdkafka that is too old has no other client. */
static bool has_both_clients(const char *text) {
    ps_config config;
    ps_client_choice choice = {.lacks = true};
    if (read_text(&config, text, NULL)) ps_client_choose(&config, &choice);
    ps_config_deinit(&config);
    return !choice.lacks;
}

static void expect_client(const char *text, const char *set, const char *name, const char *why) {
    ps_config config;
    ps_client_choice choice;
    ps_pipeline_config pipeline;
    static const ps_plan plan;
    if (!read_text(&config, text, set)) {
        ps_faults_print(&config.faults);
        fail_msg("not expected of: %s", text);
    }
    ps_client_choose(&config, &choice);
    ps_config_pipeline(&config, &plan, &pipeline);
    assert_string_equal(choice.name, name);
    if (strstr(choice.why, why) == NULL) fail_msg("%s: not %s", choice.why, why);
    assert_int_equal(choice.native, strcmp(name, "native") == 0);
    assert_int_equal(pipeline.native, choice.native);
    ps_config_deinit(&config);
}

/* Which Kafka client, and what of a file only librdkafka can do. */
static void test_client(void **state) {
    (void)state;
#define JOB(of_source, of_sink)                                                      \
    "pipeline: p\nsource: {kafka: {brokers: b, topics: [t], properties: {" of_source \
    "}}}\ndecode: {json: {}}\nsink: {kafka: {topic: o, properties: {" of_sink "}}}\n"
    static const char *const asked[] = {"runtime.client=auto", "runtime.client=native",
                                        "runtime.client=librdkafka"};
    static const char plain[] = JOB("client.id: x", "linger.ms: 3");
    static const char rack[] = JOB("client.rack: a", "partitioner: random");
    static const char sink[] = JOB("log_level: 3", "partitioner: random");
    if (!has_both_clients(plain)) skip();
    expect_client(good, NULL, "none", "neither source nor sink is Kafka");
    expect_client(good, asked[1], "none", "neither source nor sink is Kafka");
    expect_client(plain, NULL, "native", "it can do all");
    expect_client(plain, asked[1], "native", "runtime.client asks for it");
    expect_client(plain, asked[2], "librdkafka", "runtime.client asks for it");
    expect_client(rack, asked[0], "librdkafka",
                  "native does not go with 'client.rack' (source kafka)");
    expect_client(rack, asked[2], "librdkafka", "runtime.client asks for it");
    expect_client(sink, asked[0], "librdkafka",
                  "native does not go with 'partitioner' (sink kafka)");
    expect_fault(rack, asked[1], 1, 1,
                 "client: native does not go with 'client.rack' (source kafka): use auto or "
                 "librdkafka");
    expect_fault(sink, asked[1], 1, 1,
                 "client: native does not go with 'partitioner' (sink kafka)");
    expect_fault(JOB("client.rack: a", "linger.ms: 3") "runtime: {client: native}\n", NULL, 5, 19,
                 "client: native does not go with");
#undef JOB
}

static void test_listen(void **state) {
    (void)state;
    char host[PS_HTTP_HOST_MAX], port[8];
    static const char *const accepted[][3] = {
        {"127.0.0.1:9464", "127.0.0.1", "9464"}, {"9464", "127.0.0.1", "9464"},
        {":9464", "127.0.0.1", "9464"},          {"[::1]:80", "::1", "80"},
        {"0.0.0.0:1", "0.0.0.0", "1"},           {"host.example:65535", "host.example", "65535"}};
    for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++) {
        assert_int_equal(ps_http_parse(accepted[i][0], host, port, NULL), PS_OK);
        assert_string_equal(host, accepted[i][1]);
        assert_string_equal(port, accepted[i][2]);
    }
    static const char *const wrong[] = {
        "", "x", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "a:-1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(ps_http_parse(wrong[i], host, port, NULL), PS_BAD_CONFIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),   cmocka_unit_test(test_faults),
        cmocka_unit_test(test_groups), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_memory), cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_set),    cmocka_unit_test(test_environment),
        cmocka_unit_test(test_mask),   cmocka_unit_test(test_listen),
        cmocka_unit_test(test_client), cmocka_unit_test(test_hostile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
