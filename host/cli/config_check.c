/* SPDX-License-Identifier: Apache-2.0
 * What no single option can know: checks between parts, and the plan.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/base/text.h"
#include "host/cli/client.h"
#include "host/cli/config_read.h"
#include "host/cli/http.h"
#include "host/cli/registry.h"

/* A part's table row and value, found by the option's name: the checks below hold for every part
 * that has such an option, whoever wrote it. */
static const char *choice_of(const ps_chosen *part, const char *name, char *text) {
    if (part->about == NULL) return NULL;
    const ps_option *option = ps_option_find(part->about->options, name);
    if (option == NULL || option->type != PS_OPTION_CHOICE) return NULL;
    return ps_option_value(option, part->config, text);
}

static bool wrote(const ps_chosen *part, const char *name) {
    return ps_node_get(part->node, name) != NULL;
}

const ps_source *ps_config_source(const ps_config *config) {
    return (const void *)config->source.about;
}
const ps_codec *ps_config_codec(const ps_config *config) {
    return (const void *)config->codec.about;
}
const ps_sink *ps_config_sink(const ps_config *config) {
    return (const void *)config->sink.about;
}
const ps_stage *ps_config_stage(const ps_config *config, uint32_t i) {
    return (const void *)config->stage[i].about;
}

const char *ps_config_delivery(const ps_config *config, const char **why) {
    const ps_sink *sink = ps_config_sink(config);
    *why = "this sink promises nothing";
    return sink->delivery == NULL
               ? "none"
               : sink->delivery(config->sink.config, ps_config_source(config), why);
}

static void check_name(ps_config *config) {
    enum { NAME_MAX_BYTES = 200 };
    const char *name = config->top.pipeline;
    if (name == NULL) return;
    const ps_spot place = ps_spot_of(config->root, "pipeline", config->root->place);
    if (!ps_text_is_name(name, SIZE_MAX))
        ps_fault_add(&config->faults, place,
                     "pipeline: '%s' is not a name: letters, digits, '.', '_' and '-' (topics are "
                     "named after it)",
                     name);
    else if (!ps_text_is_name(name, NAME_MAX_BYTES))
        ps_fault_add(&config->faults, place,
                     "pipeline: a name has %d bytes at most: topics are named after it",
                     NAME_MAX_BYTES);
}

static void check_series(ps_config *config) {
    const char *series = config->decode->series;
    if (series == NULL || strcmp(series, "$key") == 0) return;
    const ps_node *decode = ps_node_get(config->root, "decode");
    const ps_spot place = ps_spot_of(decode, "series", config->root->place);
    ps_nearest nearest = ps_nearest_to(series);
    for (uint32_t i = 0; i < config->decode->fields.count; i++) {
        /* The list is const for its readers; here it is still being made. */
        ps_field *field = (ps_field *)(uintptr_t)&config->decode->fields.at[i];
        ps_nearest_offer(&nearest, field->name);
        if (strcmp(field->name, series) != 0) continue;
        field->required = true;
        if (field->type != PS_FIELD_STRING)
            ps_fault_add(&config->faults, place,
                         "decode.series: field '%s' must be a string to name series", series);
        return;
    }
    /* Fields that could not be read may have it. */
    if (config->codec.faulty && config->decode->fields.count == 0) return;
    const char *meant = ps_nearest_take(&nearest);
    ps_fault_add(&config->faults, place, "decode.series: field '%s' is not declared%s%s%s", series,
                 meant == NULL ? " in fields; `$key` takes the record's key" : "; did you mean '",
                 meant == NULL ? "" : meant, meant == NULL ? "" : "'?");
}

static void check_form(ps_config *config) {
    char form[PS_OPTION_TEXT_MAX];
    if (choice_of(&config->sink, "form", form) == NULL) return;
    if (strcmp(form, "json") != 0 && strcmp(form, "packed") != 0) return;
    if (config->codec.about != NULL && strcmp(config->codec.about->name, "json") == 0) return;
    /* A codec that nobody knows is a fault of its own. */
    if (config->codec.about == NULL && config->has_decode) return;
    ps_fault_add(&config->faults, ps_spot_of(config->sink.node, "form", config->sink.place),
                 "form %s appends to JSON objects: add `decode: {json: {fields: {…}}}`, or take "
                 "another form",
                 form);
}

/* Only fields make the file sink's lines objects for certain. */
static void check_lines(ps_config *config) {
    char form[PS_OPTION_TEXT_MAX];
    if (config->sink.about == NULL || strcmp(config->sink.about->name, "file") != 0) return;
    if (config->codec.about == NULL || strcmp(config->codec.about->name, "json") != 0) return;
    if (config->codec.faulty || config->decode->fields.count > 0) return;
    if (choice_of(&config->sink, "form", form) == NULL || strcmp(form, "json") != 0) return;
    ps_fault_add(&config->faults, ps_spot_of(config->sink.node, "form", config->sink.place),
                 "form json needs JSON objects: declare fields, `decode: {json: {fields: {…}}}`, "
                 "or take form value");
}

static void check_delivery(ps_config *config) {
    char asked[PS_OPTION_TEXT_MAX];
    if (config->source.about == NULL || choice_of(&config->sink, "delivery", asked) == NULL) return;
    if (!wrote(&config->sink, "delivery") || strcmp(asked, "exactly_once") != 0) return;
    const char *why = "";
    const char *promised = ps_config_delivery(config, &why);
    if (strcmp(promised, asked) == 0) return;
    ps_fault_add(&config->faults, ps_spot_of(config->sink.node, "delivery", config->sink.place),
                 "delivery: this pipeline can promise %s only: %s", promised, why);
}

static void check_dead(ps_config *config) {
    const bool topic = config->dead.topic != NULL, file = config->dead.file != NULL;
    const ps_item *item = ps_node_item(config->root, "dead_letter");
    if (!config->has_dead || item->value->kind == PS_NODE_SCALAR) return;
    if (topic == file)
        ps_fault_add(&config->faults, item->place,
                     "dead_letter wants exactly one of 'topic' and 'file'");
    const bool kafka = config->sink.about != NULL && strcmp(config->sink.about->name, "kafka") == 0;
    if (topic && !kafka && config->sink.about != NULL)
        ps_fault_add(&config->faults, item->place,
                     "dead_letter.topic needs the kafka sink, whose transaction it shares; use "
                     "dead_letter.file");
    if (topic && !ps_text_is_name(config->dead.topic, PS_TEXT_TOPIC_MAX))
        ps_fault_add(&config->faults, ps_spot_of(item->value, "topic", item->place),
                     "dead_letter.topic: '%s' is not a topic's name: 1 to %d letters, digits, '.', "
                     "'_' and '-'",
                     config->dead.topic, PS_TEXT_TOPIC_MAX);
    if (file && config->dead.file[0] == '\0')
        ps_fault_add(&config->faults, ps_spot_of(item->value, "file", item->place),
                     "dead_letter.file: name a file");
}

/* One topic read twice, or written to while it is read, would feed on itself. */
static void check_topics(ps_config *config) {
    if (config->source.about == NULL || strcmp(config->source.about->name, "kafka") != 0) return;
    const ps_node *topics = ps_node_get(config->source.node, "topics");
    const char *out = NULL;
    if (config->sink.about != NULL && strcmp(config->sink.about->name, "kafka") == 0) {
        const ps_node *topic = ps_node_get(config->sink.node, "topic");
        out = topic == NULL ? NULL : topic->text;
    }
    const ps_spot sink_place = ps_spot_of(config->sink.node, "topic", config->sink.place);
    const ps_spot dead_place =
        ps_spot_of(ps_node_get(config->root, "dead_letter"), "topic", config->root->place);
    for (const ps_item *item = topics == NULL ? NULL : topics->first; item != NULL;
         item = item->next) {
        const char *name = item->value->text;
        bool again = false;
        if (name == NULL || name[0] == '\0') continue; /* that is told already */
        for (const ps_item *other = topics->first; other != item; other = other->next)
            again = again || (other->value->text != NULL && strcmp(other->value->text, name) == 0);
        if (again) {
            ps_fault_add(&config->faults, item->place, "topics: '%s' is here twice", name);
            continue;
        }
        if (out != NULL && strcmp(out, name) == 0)
            ps_fault_add(&config->faults, sink_place,
                         "topic: '%s' is the source's own: it would feed on itself", name);
        if (config->dead.topic != NULL && strcmp(config->dead.topic, name) == 0)
            ps_fault_add(&config->faults, dead_place, "dead_letter.topic: '%s' is the source's own",
                         name);
    }
    if (out != NULL && config->dead.topic != NULL && strcmp(config->dead.topic, out) == 0)
        ps_fault_add(&config->faults, dead_place, "dead_letter.topic: '%s' is the sink's own", out);
}

static void check_listen(ps_config *config) {
    char host[PS_HTTP_HOST_MAX], port[8];
    ps_error error;
    if (config->metrics.listen == NULL) return;
    if (ps_http_parse(config->metrics.listen, host, port, &error) == PS_OK) return;
    const ps_node *metrics = ps_node_get(config->root, "metrics");
    ps_fault_add(&config->faults, ps_spot_of(metrics, "listen", config->root->place), "listen: %s",
                 error.message);
}

static void check_client(ps_config *config, const ps_node *runtime) {
    ps_client_choice choice;
    if (config->source.faulty || config->sink.faulty) return;
    ps_client_choose(config, &choice);
    if (choice.lacks)
        ps_fault_add(&config->faults, ps_spot_of(runtime, "client", config->root->place),
                     "client: %s: use auto or librdkafka", choice.why);
}

static void check_runtime(ps_config *config) {
    const ps_node *runtime = ps_node_get(config->root, "runtime");
    if (config->runtime.client == PS_CLIENT_NATIVE) check_client(config, runtime);
    if (config->runtime.instance[0] == '\0')
        ps_fault_add(&config->faults, ps_spot_of(runtime, "instance", config->root->place),
                     "instance: must not be empty: ids of transactions are made of it");
}

enum { COMPLAINT_BYTES = 1024 };

/* A part's complaints, each at its option. */
typedef struct part_complaints {
    ps_complaints base;
    ps_faults *faults;
    const ps_chosen *part;
} part_complaints;

static ps_spot entry_place(const ps_node *list, uint32_t entry, ps_spot otherwise) {
    const ps_item *item = list == NULL || list->kind != PS_NODE_LIST ? NULL : list->first;
    for (; item != NULL && entry > 0; entry--) item = item->next;
    return item == NULL || item->value->place.line == 0 ? otherwise : item->value->place;
}

static void add_complaint(ps_complaints *self, const char *option, uint32_t entry,
                          const char *format, ...) {
    part_complaints *of = (part_complaints *)self;
    const ps_chosen *part = of->part;
    const ps_spot whole = ps_spot_of(part->node, option, part->place);
    const ps_spot place = entry_place(ps_node_get(part->node, option), entry, whole);
    char message[COMPLAINT_BYTES];
    va_list arguments;
    /* What an option that could not be read is by default is nobody's fault. */
    if (part->faulty && (!wrote(part, option) || ps_faults_at(of->faults, place))) return;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    ps_fault_add(of->faults, place, "%s", message);
}

/* What a part knows of its own options beyond each one's range. */
static void check_parts(ps_config *config) {
    part_complaints from = {{add_complaint}, &config->faults, &config->source};
    const ps_source *source = ps_config_source(config);
    const ps_sink *sink = ps_config_sink(config);
    if (source != NULL && source->check != NULL) source->check(config->source.config, &from.base);
    from.part = &config->sink;
    if (sink != NULL && sink->check != NULL) sink->check(config->sink.config, source, &from.base);
}

/* A log wants a source whose records have lasting names, and a sink that commits it with them. */
static void check_seal(ps_config *config, const ps_plan *plan) {
    char delivery[PS_OPTION_TEXT_MAX];
    const ps_source *source = ps_config_source(config);
    const ps_sink *sink = ps_config_sink(config);
    for (uint32_t i = 0; i < config->stage_count; i++) {
        const ps_chosen *stage = &config->stage[i];
        if (stage->about == NULL || strcmp(stage->about->name, "seal") != 0) continue;
        if (source != NULL && source->identify == NULL)
            ps_fault_add(&config->faults, stage->place,
                         "seal needs the kafka source: what source %s reads has no name that lasts",
                         source->about.name);
        if (sink != NULL && !sink->seals)
            ps_fault_add(&config->faults, stage->place,
                         "seal needs the kafka sink, whose transactions hold the logs: sink %s "
                         "would lose them",
                         sink->about.name);
        else if (plan->state_count > 0 && choice_of(&config->sink, "delivery", delivery) != NULL &&
                 strcmp(delivery, "at_least_once") == 0)
            ps_fault_add(&config->faults,
                         ps_spot_of(config->sink.node, "delivery", config->sink.place),
                         "delivery: seal beside a stage that keeps state needs exactly_once: "
                         "written one after the other, the log and the state could disagree");
    }
}

/* Where the source must ask somebody, a run is told. */
static void check_shares(ps_config *config, const ps_plan *plan) {
    const ps_source *source = ps_config_source(config);
    const ps_node *runtime = ps_node_get(config->root, "runtime");
    ps_partitions partitions;
    ps_error error;
    if (source == NULL || config->source.faulty || !source->knows_partitions) return;
    ps_status status = source->discover(config->source.config, &partitions, &error);
    if (status == PS_OK) status = ps_pipeline_shares(plan, &partitions, &error);
    if (status != PS_OK)
        ps_fault_add(&config->faults, ps_spot_of(runtime, "series_max", config->root->place), "%s",
                     error.message);
}

/* Files that the TLS library opens: a run would be refused for what is not there. */
static void check_files(ps_config *config, const ps_chosen *part) {
    static const char *const names[] = {"ssl.ca.location", "ssl.certificate.location",
                                        "ssl.key.location", "ssl.crl.location",
                                        "ssl.keystore.location"};
    const ps_node *properties = ps_node_get(part->node, "properties");
    if (properties == NULL || properties->kind != PS_NODE_MAP) return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const ps_node *node = ps_node_get(properties, names[i]);
        if (node == NULL || node->kind != PS_NODE_SCALAR || node->text[0] == '\0') continue;
        /* The one word that the library takes for a place. */
        if (strcmp(node->text, "probe") == 0 || access(node->text, R_OK) == 0) continue;
        ps_fault_add(&config->faults, node->place, "%s: cannot read '%s': %s", names[i], node->text,
                     strerror(errno));
    }
}

void ps_config_cross_check(ps_config *config) {
    check_name(config);
    if (config->decode != NULL) check_series(config);
    check_parts(config);
    check_files(config, &config->source);
    check_files(config, &config->sink);
    check_form(config);
    check_lines(config);
    check_dead(config);
    check_topics(config);
    check_runtime(config);
    check_listen(config);
    if (!config->source.faulty && !config->sink.faulty) check_delivery(config);
    ps_config_size(config);
    ps_plan *plan = ps_pool_take(config->pool, sizeof *plan);
    ps_error error;
    const bool planned = ps_config_plan(config, plan, &error) == PS_OK;
    const bool whole = planned && !config->codec.faulty && !config->runtime_faulty;
    if (whole) check_shares(config, plan);
    if (planned) check_seal(config, plan);
    ps_plan_deinit(plan);
    ps_config_check_codec(config);
    if (!planned) ps_config_probe(config);
    config->planned = whole && config->source.about != NULL && config->sink.about != NULL;
}
