/* SPDX-License-Identifier: Apache-2.0
 * Reads a job's source, output and dead letters from Kafka and says whether the one follows from
 * the other: every record once, in order, byte for byte, with the right digest, score and verdict.
 * JSON on stdout; exit code 0 clean, 1 faults, 2 it could not tell.
 */
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/integration/chains.h"
#include "tests/integration/ledger.h"
#include "tests/integration/packs.h"

typedef struct arguments {
    const char *brokers, *source, *output, *dead;
    bool uncommitted, empty;
    packs packs;
    ledger_config config;
    chains *before, *after; /* NULL: no chains */
    ledger *ledger;
} arguments;

static const struct option options[] = {{"brokers", required_argument, NULL, 'b'},
                                        {"source", required_argument, NULL, 's'},
                                        {"output", required_argument, NULL, 'o'},
                                        {"dead", required_argument, NULL, 'd'},
                                        {"form", required_argument, NULL, 'f'},
                                        {"no-hash", no_argument, NULL, 'n'},
                                        {"field", required_argument, NULL, 'F'},
                                        {"series", required_argument, NULL, 'S'},
                                        {"span", required_argument, NULL, 'a'},
                                        {"warmup", required_argument, NULL, 'w'},
                                        {"threshold", required_argument, NULL, 't'},
                                        {"expect", required_argument, NULL, 'e'},
                                        {"keep", required_argument, NULL, 'k'},
                                        {"keep-score-above", required_argument, NULL, 'K'},
                                        {"at-least-once", no_argument, NULL, 'l'},
                                        {"other-partitions", no_argument, NULL, 'p'},
                                        {"read-uncommitted", no_argument, NULL, 'u'},
                                        {"empty", no_argument, NULL, 'E'},
                                        {"chains", no_argument, NULL, 'c'},
                                        {NULL, 0, NULL, 0}};

static const char usage[] =
    "checker --brokers B --source TOPIC --output TOPIC [--dead TOPIC] [--form "
    "headers|json|packed]\n"
    "        [--codec zstd|lz4|snappy|none] [--pack-rows N]\n"
    "        [--no-hash] [--field PATH --span N --warmup N --threshold X [--series PATH]]\n"
    "        [--expect HEADER] [--keep PATH=JSON] [--keep-score-above X] [--at-least-once]\n"
    "        [--other-partitions] [--read-uncommitted] [--empty]\n"
    "        [--chains]";

static void take_form(arguments *a, char *form) {
    char *codec = strchr(form, ':'), *rows = codec ? strchr(codec + 1, ':') : NULL;
    if (codec) *codec++ = 0;
    if (rows) *rows++ = 0;
    a->config.packed = strcmp(form, "packed") == 0;
    a->config.json = a->config.packed || strcmp(form, "json") == 0;
    if (a->config.packed && !rows) client_die("--form wants packed:CODEC:ROWS");
    if (a->config.packed) a->packs = (packs){.codec = codec, .rows_max = strtoull(rows, NULL, 10)};
}

static void take(arguments *a, int option) {
    switch (option) {
    case 'b':
        a->brokers = optarg;
        break;
    case 's':
        a->source = optarg;
        break;
    case 'o':
        a->output = optarg;
        break;
    case 'd':
        a->dead = optarg;
        break;
    case 'f':
        take_form(a, optarg);
        break;
    case 'n':
        a->config.sha256 = false;
        break;
    case 'F':
        a->config.field = optarg;
        break;
    case 'S':
        a->config.series = optarg;
        break;
    case 'a':
        a->config.detector.alpha = 2.0 / (strtod(optarg, NULL) + 1.0);
        break;
    case 'w':
        a->config.detector.warmup = strtod(optarg, NULL);
        break;
    case 't':
        a->config.detector.threshold = strtof(optarg, NULL);
        break;
    case 'e':
        a->config.expect = optarg;
        break;
    case 'k': {
        char *equals = strchr(optarg, '=');
        if (!equals) client_die("--keep wants PATH=JSON");
        *equals = 0;
        a->config.keep_field = optarg;
        a->config.keep_value = equals + 1;
        break;
    }
    case 'K':
        a->config.keep_score_above = strtod(optarg, NULL);
        break;
    case 'l':
        a->config.duplicates = true;
        break;
    case 'p':
        a->config.same_partitions = false;
        break;
    case 'u':
        a->uncommitted = true;
        break;
    case 'E':
        a->empty = true;
        break;
    case 'c':
        a->before = chains_open();
        a->after = chains_open();
        break;
    default:
        client_die("%s", usage);
    }
}

/* A record that must die is in nobody's chain. */
static bool must_die(const arguments *a, const record *r) {
    for (uint32_t i = 0; a->config.expect && i < r->header_count; i++)
        if (strcmp(r->headers[i].name, a->config.expect) == 0) return true;
    return false;
}

static void on_source(void *context, const record *r) {
    arguments *a = context;
    if (a->before && !must_die(a, r)) chains_add(a->before, r);
    ledger_source(a->ledger, r);
}
static void on_output(void *context, const record *r) {
    arguments *a = context;
    if (a->after) chains_add(a->after, r);
    ledger_output(a->ledger, r);
}
static void on_pack(void *context, const record *r) {
    packs_take(context, r);
}
static void on_dead(void *context, const record *r) {
    ledger_dead(((arguments *)context)->ledger, r);
}
static void on_any(void *context, const record *r) {
    (void)context;
    (void)r;
}

/* A line of JSON of its own. */
static uint64_t report_chains(const arguments *a) {
    if (!a->before) return 0;
    const uint64_t broken = chains_differ(a->before, a->after);
    (void)printf("{\"keys\":%" PRIu64 ",\"wrong_chains\":%" PRIu64 "}\n", chains_keys(a->before),
                 broken);
    if (broken > 0)
        (void)fprintf(stderr, "checker: %" PRIu64 " keys have another count or chain\n", broken);
    return broken;
}

int main(int argc, char **argv) {
    arguments a = {.config = {.sha256 = true,
                              .same_partitions = true,
                              .keep_score_above = NAN,
                              .detector = {2.0 / 289.0, 30, 6.0f}}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) take(&a, option);
    if (!a.brokers || !a.source || !a.output || optind != argc) client_die("%s", usage);
    a.config.topic = a.source;

    const double begin = client_seconds();
    ledger *const l = a.ledger = ledger_open(&a.config);
    const uint64_t sources = client_read(a.brokers, a.source, true, on_source, &a);
    if (sources == 0 && !a.empty) client_die("the source %s is empty: nothing to check", a.source);
    a.packs.visit = on_output;
    a.packs.context = &a;
    const uint64_t outputs = a.config.packed
                                 ? client_read(a.brokers, a.output, true, on_pack, &a.packs)
                                 : client_read(a.brokers, a.output, true, on_output, &a);
    const uint64_t letters = a.dead ? client_read(a.brokers, a.dead, true, on_dead, &a) : 0;
    ledger_finish(l);
    int64_t aborted = -1;
    if (a.uncommitted)
        aborted = (int64_t)(client_read(a.brokers, a.output, false, on_any, NULL) - outputs);
    if (a.uncommitted && a.dead)
        (void)printf("{\"aborted_dead\":%" PRIu64 "}\n",
                     client_read(a.brokers, a.dead, false, on_any, NULL) - letters);
    const uint64_t broken = report_chains(&a);
    const bool clean = ledger_report(l, aborted, stdout) && a.packs.faults == 0 && broken == 0;
    ledger_close(l);
    chains_close(a.before);
    chains_close(a.after);
    if (a.config.packed)
        (void)fprintf(stderr,
                      "checker: %" PRIu64 " packs, %" PRIu64 " rows, %" PRIu64 " in the largest\n",
                      a.packs.records, a.packs.rows, a.packs.largest);
    (void)fprintf(stderr, "checker: %s after %.1f s\n", clean ? "clean" : "FAULTS",
                  client_seconds() - begin);
    return clean ? 0 : 1;
}
