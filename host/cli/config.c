/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/base/text.h"
#include "host/cli/client.h"
#include "host/cli/config_read.h"
#include "host/cli/registry.h"
#include "host/cli/tables.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static const char *const sections[] = {"pipeline",    "source",  "decode",  "stages", "sink",
                                       "dead_letter", "runtime", "metrics", NULL};

static const char *read_file(ps_faults *faults, const char *path, size_t *length) {
    const bool input = strcmp(path, "-") == 0;
    FILE *file = input ? stdin : fopen(path, "re");
    if (file == NULL) {
        ps_fault_add(faults, (ps_spot){0}, "cannot be read: %s", strerror(errno));
        return NULL;
    }
    char *text = ps_pool_take(faults->pool, FILE_BYTES_MAX + 1);
    errno = 0;
    *length = fread(text, 1, FILE_BYTES_MAX + 1, file);
    const int failed = ferror(file) != 0 ? errno : 0;
    if (!input) (void)fclose(file);
    if (failed != 0)
        ps_fault_add(faults, (ps_spot){0}, "cannot be read: %s", strerror(failed));
    else if (*length > FILE_BYTES_MAX)
        ps_fault_add(faults, (ps_spot){0}, "is larger than 1 MiB: not a pipeline file");
    else if (memchr(text, 0, *length) != NULL)
        ps_fault_add(faults, (ps_spot){0}, "holds NUL bytes: not a pipeline file");
    return faults->count > 0 ? NULL : text;
}

static void unknown_part(ps_part_kind kind, const ps_item *item, ps_faults *faults) {
    ps_nearest nearest = ps_nearest_to(item->key);
    const char *known = "";
    const ps_about *about = NULL;
    for (uint32_t i = 0; (about = ps_registry_at(kind, i)) != NULL; i++) {
        ps_nearest_offer(&nearest, about->name);
        known = ps_pool_format(faults->pool, "%s%s%s", known, i == 0 ? "" : ", ", about->name);
    }
    const char *meant = ps_nearest_take(&nearest);
    if (meant != NULL)
        ps_fault_add(faults, item->place, "unknown %s '%s'; did you mean '%s'?",
                     ps_part_kind_text(kind), item->key, meant);
    else
        ps_fault_add(faults, item->place, "unknown %s '%s'; this build has %s",
                     ps_part_kind_text(kind), item->key, known);
}

static void read_chosen(ps_config *config, ps_part_kind kind, const ps_item *item, ps_chosen *out) {
    const ps_about *about = ps_registry_find(kind, item->key);
    if (about == NULL) {
        unknown_part(kind, item, &config->faults);
        return;
    }
    const uint32_t before = config->faults.count;
    *out = (ps_chosen){about, ps_pool_take(config->pool, about->config_bytes), item->value,
                       item->place, false};
    const char *what = ps_pool_format(config->pool, "%s %s", ps_part_kind_text(kind), about->name);
    const ps_table table = {what, about->options, NULL};
    ps_read_options(&table, item->value, item->place, out->config, &config->faults);
    out->faulty = config->faults.count > before;
}

/* `kafka: {…}`: exactly one part. */
static void read_one(ps_config *config, ps_part_kind kind, const ps_item *section, ps_chosen *out) {
    const ps_node *node = section->value;
    /* `sink: discard` says as much as `sink: {discard: {}}`. */
    if (node->kind == PS_NODE_SCALAR) {
        const ps_item bare = {node->text, node->place,
                              ps_node_new(config->pool, PS_NODE_NULL, node->place), NULL};
        read_chosen(config, kind, &bare, out);
        return;
    }
    if (node->kind != PS_NODE_MAP || node->count == 0) {
        ps_fault_add(&config->faults, section->place,
                     "%s wants one part and its options, such as `%s: {…}`",
                     ps_part_kind_text(kind), ps_registry_at(kind, 0)->name);
        return;
    }
    for (const ps_item *item = node->first; item != NULL; item = item->next) {
        if (item == node->first)
            read_chosen(config, kind, item, out);
        else if (ps_registry_find(kind, item->key) == NULL)
            unknown_part(kind, item, &config->faults);
        else
            ps_fault_add(
                &config->faults, item->place,
                kind == PS_PART_STAGE
                    ? "an item of stages is one %s; '%s' came first: begin another with `-`"
                    : "a pipeline has one %s; '%s' came first",
                ps_part_kind_text(kind), node->first->key);
    }
}

static void read_stages(ps_config *config, const ps_item *section) {
    const ps_node *list = section->value;
    if (list->kind == PS_NODE_NULL) return;
    if (list->kind != PS_NODE_LIST) {
        ps_fault_add(&config->faults, section->place,
                     "stages wants a list: one `- NAME: {…}` a line, this is %s",
                     ps_node_kind_text(list));
        return;
    }
    if (list->count > PS_STAGES_MAX) {
        ps_fault_add(&config->faults, section->place, "%u stages; the limit is %d", list->count,
                     PS_STAGES_MAX);
        return;
    }
    for (const ps_item *item = list->first; item != NULL; item = item->next) {
        const ps_item entry = {"stages", item->place, item->value, NULL};
        ps_chosen *stage = &config->stage[config->stage_count++];
        const uint32_t before = config->faults.count;
        read_one(config, PS_PART_STAGE, &entry, stage);
        if (stage->about == NULL) config->stage_count--;
        /* A stage that was not understood might have made what later ones name. */
        const bool lost = config->faults.count > before && (stage->about == NULL || !stage->faulty);
        if (lost && config->stage_count < config->unsure_from)
            config->unsure_from = config->stage_count;
    }
}

static bool is_codec(const char *key) {
    return ps_registry_find(PS_PART_CODEC, key) != NULL;
}

/* The codec and what lies beside it fill one struct. */
static void read_decode(ps_config *config, const ps_item *section) {
    const ps_node *node = section->value;
    for (const ps_item *item = node->kind == PS_NODE_MAP ? node->first : NULL; item != NULL;
         item = item->next) {
        if (!is_codec(item->key)) continue;
        if (config->codec.about == NULL)
            read_chosen(config, PS_PART_CODEC, item, &config->codec);
        else
            ps_fault_add(&config->faults, item->place, "decode has one codec; '%s' came first",
                         config->codec.about->name);
    }
    if (config->codec.about == NULL)
        ps_fault_add(&config->faults, section->place,
                     "decode needs a codec, json or csv; leave out `decode` for raw bytes");
    else
        config->decode = config->codec.config;
    ps_decode_config without = {0};
    const ps_table table = {"decode", ps_decode_options, is_codec};
    ps_read_options(&table, node, section->place,
                    config->decode == NULL ? &without : config->decode, &config->faults);
}

static void read_plain(ps_config *config, const char *name, const ps_option *options, void *out) {
    const ps_item *item = ps_node_item(config->root, name);
    const ps_table table = {name, options, NULL};
    ps_read_options(&table, item == NULL ? NULL : item->value,
                    item == NULL ? config->root->place : item->place, out, &config->faults);
}

static bool is_section(const char *key) {
    for (uint32_t i = 0; sections[i] != NULL; i++)
        if (strcmp(sections[i], key) == 0) return true;
    return false;
}

/* The top's own options are one section among many: check_sections() knows them all. */
static bool any_key(const char *key) {
    (void)key;
    return true;
}

static void check_sections(ps_config *config) {
    for (const ps_item *item = config->root->first; item != NULL; item = item->next) {
        if (is_section(item->key)) continue;
        ps_nearest nearest = ps_nearest_to(item->key);
        for (uint32_t i = 0; sections[i] != NULL; i++) ps_nearest_offer(&nearest, sections[i]);
        const char *meant = ps_nearest_take(&nearest);
        ps_fault_add(&config->faults, item->place, "unknown key '%s'%s%s%s", item->key,
                     meant == NULL ? "; a pipeline file has pipeline, source, decode, stages, "
                                     "sink, dead_letter, runtime "
                                     "and metrics"
                                   : "; did you mean '",
                     meant == NULL ? "" : meant, meant == NULL ? "" : "'?");
    }
}

static void read_part(ps_config *config, ps_part_kind kind, const char *name, ps_chosen *out) {
    const ps_item *item = ps_node_item(config->root, name);
    if (item != NULL)
        read_one(config, kind, item, out);
    else if (!ps_read_misspelt(config->root, name, is_section))
        ps_fault_add(&config->faults, config->root->place, "needs '%s': see `penstock help %s`",
                     name, name);
}

static const char *host_name(ps_pool *pool) {
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
    return ps_pool_text(pool, name, strlen(name));
}

static void read_tree(ps_config *config) {
    const ps_node *root = config->root;
    const ps_table top = {"a pipeline file", ps_top_options, any_key};
    ps_read_options(&top, root, root->place, &config->top, &config->faults);
    read_part(config, PS_PART_SOURCE, "source", &config->source);
    const ps_item *decode = ps_node_item(root, "decode");
    config->has_decode = decode != NULL && decode->value->kind != PS_NODE_NULL;
    if (config->has_decode) read_decode(config, decode);
    const bool fields =
        config->codec.about != NULL && (!config->codec.faulty || config->decode->fields.count > 0);
    config->unsure_from = config->has_decode && !fields ? 0 : PS_NOWHERE;
    const ps_item *stages = ps_node_item(root, "stages");
    if (stages != NULL) read_stages(config, stages);
    read_part(config, PS_PART_SINK, "sink", &config->sink);
    const ps_node *dead = ps_node_get(root, "dead_letter");
    config->has_dead = dead != NULL && dead->kind != PS_NODE_NULL;
    if (config->has_dead) read_plain(config, "dead_letter", ps_dead_options, &config->dead);
    const uint32_t before = config->faults.count;
    read_plain(config, "runtime", ps_runtime_options, &config->runtime);
    config->runtime_faulty = config->faults.count > before;
    read_plain(config, "metrics", ps_metrics_options, &config->metrics);
    if (config->runtime.instance == NULL) config->runtime.instance = host_name(config->pool);
}

bool ps_config_init(ps_config *config, const char *file, const char *text,
                    const ps_string_list *sets) {
    memset(config, 0, sizeof *config);
    config->pool = ps_pool_open();
    config->faults = (ps_faults){.pool = config->pool, .file = file};
    if (strcmp(file, "-") == 0) config->faults.file = "(stdin)";
    size_t length = text == NULL ? 0 : strlen(text);
    if (text == NULL) text = read_file(&config->faults, file, &length);
    config->root = text == NULL ? NULL : ps_yaml_parse(text, length, NULL, &config->faults);
    if (config->root == NULL) return false;
    if (config->root->kind == PS_NODE_NULL) config->root->kind = PS_NODE_MAP;
    if (config->root->kind != PS_NODE_MAP) {
        ps_fault_add(&config->faults, config->root->place, "a pipeline file is a map, this is %s",
                     ps_node_kind_text(config->root));
        return false;
    }
    for (uint32_t i = 0; i < sets->count; i++)
        ps_node_set(config->root, sets->at[i], ps_registry_is_map, &config->faults);
    ps_node_expand(config->root, &config->faults);
    check_sections(config);
    read_tree(config);
    ps_config_cross_check(config);
    return config->faults.count == 0;
}

void ps_config_pipeline(const ps_config *config, const ps_plan *plan, ps_pipeline_config *out) {
    const ps_runtime *runtime = &config->runtime;
    ps_client_choice client;
    ps_client_choose(config, &client);
    *out = (ps_pipeline_config){
        .name = config->top.pipeline,
        .instance = runtime->instance,
        .plan = plan,
        .source = ps_config_source(config),
        .source_config = config->source.config,
        .codec = ps_config_codec(config),
        .codec_config = config->codec.config,
        .sink = ps_config_sink(config),
        .sink_config = config->sink.config,
        .dead = config->has_dead ? &config->dead : NULL,
        .lanes = (uint32_t)runtime->lanes,
        .depth = (uint32_t)runtime->depth,
        .linger_ns = runtime->linger_ns,
        .memory_max = runtime->memory_max,
        .native = client.native,
        .native_auto = runtime->client == PS_CLIENT_AUTO,
        .numa = runtime->numa == 0,
        .fail_on_reject = config->decode != NULL && config->decode->on_error == PS_DECODE_FAIL,
    };
}

void ps_config_deinit(ps_config *config) {
    ps_pool_close(config->pool);
    config->pool = NULL;
}
