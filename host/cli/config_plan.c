/* SPDX-License-Identifier: Apache-2.0
 * The plan of a configuration, and what can be told of a configuration that has none: a fault in
 * one place must not hide those in others, nor be blamed on them.
 */
#include <stdio.h>
#include <string.h>

#include "host/cli/config_read.h"
#include "host/flow/warm.h"

static bool quotes(const char *message, const char *text) {
    char quoted[PS_NAME_MAX + 2];
    if (strlen(text) >= PS_NAME_MAX) return false;
    (void)snprintf(quoted, sizeof quoted, "'%s'", text);
    return strstr(message, quoted) != NULL;
}

/* The option that a part's complaint is about: the one that it begins with, else the one whose
 * value it quotes. */
static const ps_item *culprit(const ps_chosen *part, const char *message) {
    const ps_item *first = part->node == NULL ? NULL : part->node->first;
    const size_t length = strcspn(message, ":");
    for (const ps_item *item = first; item != NULL; item = item->next)
        if (strlen(item->key) == length && memcmp(item->key, message, length) == 0) return item;
    for (const ps_item *item = first; item != NULL; item = item->next)
        if (item->value->kind == PS_NODE_SCALAR && quotes(message, item->value->text)) return item;
    return NULL;
}

static ps_spot blamed(const ps_chosen *part, const char *message) {
    const ps_item *item = culprit(part, message);
    return item == NULL                   ? part->place
           : item->value->place.line == 0 ? item->place
                                          : item->value->place;
}

static bool told_within(const ps_faults *faults, const ps_node *node) {
    if (ps_faults_at(faults, node->place)) return true;
    for (const ps_item *item = node->first; item != NULL; item = item->next)
        if (ps_faults_at(faults, item->place) || told_within(faults, item->value)) return true;
    return false;
}

static const ps_node *fields_node(const ps_config *config) {
    return config->codec.node == NULL ? NULL : ps_node_get(config->codec.node, "fields");
}

/* A field whose declaration has a fault: what it is meant to be, nobody knows. */
static bool is_broken(const ps_config *config, const char *field) {
    const ps_item *item = config->codec.faulty ? ps_node_item(fields_node(config), field) : NULL;
    return item != NULL && (ps_faults_at(&config->faults, item->place) ||
                            told_within(&config->faults, item->value));
}

/* The fields that stand, and `spares` floats that no name finds. */
static ps_field_list sound_fields(const ps_config *config, uint32_t spares) {
    const uint32_t count = config->decode == NULL ? 0 : config->decode->fields.count;
    ps_field *at = ps_pool_take(config->pool, (count + spares + 1) * sizeof *at);
    ps_field_list list = {at, 0};
    for (uint32_t i = 0; i < count; i++)
        if (!is_broken(config, config->decode->fields.at[i].name))
            at[list.count++] = config->decode->fields.at[i];
    for (uint32_t i = 0; i < spares; i++) {
        const char *name = ps_pool_format(config->pool, "$spare-%u", i);
        at[list.count++] = (ps_field){.name = name, .path = name, .type = PS_FIELD_FLOAT};
    }
    return list;
}

static const char *series_of(const ps_config *config) {
    const char *series = config->decode == NULL ? NULL : config->decode->series;
    return series == NULL || strcmp(series, "$key") == 0 ? "" : series;
}

static ps_status begin(const ps_config *config, ps_plan *plan, uint32_t spares, ps_error *error) {
    const ps_runtime *runtime = &config->runtime;
    const ps_field_list fields = sound_fields(config, spares);
    return ps_plan_init(plan, (uint32_t)runtime->batch_rows, (uint32_t)runtime->batch_bytes,
                        (uint32_t)runtime->series_max, &fields, error);
}

/* Whether a name that was not found is a fault: not where what was to make it is one. */
static bool is_sure(const ps_config *config, uint32_t stage, const char *message) {
    if (stage >= config->unsure_from) return false;
    const ps_node *fields = fields_node(config);
    for (const ps_item *item = fields == NULL ? NULL : fields->first; item != NULL;
         item = item->next)
        if (is_broken(config, item->key) && quotes(message, item->key)) return false;
    return true;
}

static void name_state(const ps_config *config, ps_plan *plan) {
    plan->policy = (ps_policy)config->runtime.state;
    (void)snprintf(plan->series_field, sizeof plan->series_field, "%s", series_of(config));
}

ps_status ps_config_try(const ps_config *config, ps_plan *plan, ps_error *error) {
    PS_TRY(begin(config, plan, 0, error));
    name_state(config, plan);
    for (uint32_t i = 0; i < config->stage_count; i++) {
        const ps_chosen *stage = &config->stage[i];
        if (stage->faulty) return ps_fail(error, PS_BAD_CONFIG, "%s is faulty", stage->about->name);
        PS_TRY(ps_config_stage(config, i)->plan(stage->config, plan, error));
    }
    return ps_plan_close(plan, error);
}

ps_status ps_config_plan(ps_config *config, ps_plan *plan, ps_error *error) {
    ps_status status = begin(config, plan, 0, error);
    if (status != PS_OK) {
        if (!config->runtime_faulty)
            ps_fault_add(&config->faults, ps_spot_of(config->root, "decode", config->root->place),
                         "%s", error->message);
        return status;
    }
    name_state(config, plan);
    /* Behind a stage that is not right no name is missed: it might have been that stage's. */
    for (uint32_t i = 0; i < config->stage_count; i++) {
        const ps_chosen *stage = &config->stage[i];
        ps_status planned = PS_BAD_CONFIG;
        if (!stage->faulty) {
            planned = ps_config_stage(config, i)->plan(stage->config, plan, error);
            if (planned != PS_OK && (planned != PS_UNKNOWN_NAME ||
                                     (status == PS_OK && is_sure(config, i, error->message))))
                ps_fault_add(&config->faults, blamed(stage, error->message), "%s: %s",
                             stage->about->name, error->message);
        }
        if (planned != PS_OK) status = PS_BAD_CONFIG;
    }
    if (status != PS_OK) return status;
    status = ps_plan_close(plan, error);
    if (status != PS_OK && !config->runtime_faulty)
        ps_fault_add(&config->faults, config->root->place, "%s", error->message);
    return status;
}

/* A codec opens without asking anybody, so all that it refuses is told here, whatever the stages
 * are like. */
void ps_config_check_codec(ps_config *config) {
    const ps_codec *codec = ps_config_codec(config);
    ps_error error;
    void *self = NULL;
    if (codec == NULL || codec->open == NULL || config->codec.faulty) return;
    ps_plan *plan = ps_pool_take(config->pool, sizeof *plan);
    /* What keeps the plan from being made is told by ps_config_plan(). */
    const bool planned =
        begin(config, plan, 0, &error) == PS_OK && ps_plan_close(plan, &error) == PS_OK;
    if (planned && codec->open(config->decode, &plan->schema, &self, &error) == PS_OK)
        codec->close(self);
    else if (planned)
        ps_fault_add(&config->faults, blamed(&config->codec, error.message), "%s", error.message);
    ps_plan_deinit(plan);
}

/* A plan in which names that are missing get a spare field, so that what comes behind them in a
 * stage, and stages behind that one, are looked at too. */
enum { SPARES = 8, TYPES = 3 };
typedef struct probe {
    ps_config *config;
    ps_plan *plan, *kept; /* kept: as it was before the stage, but for the spares in use */
    uint32_t first, used; /* columns */
    uint32_t type;        /* of the last spare: which was tried */
    bool sure;            /* all names of earlier stages are known */
} probe;

static void go_back(probe *p) {
    uint8_t *constants = p->plan->constants; /* it only grows */
    *p->plan = *p->kept;
    p->plan->constants = constants;
}

/* What a faulty stage says of options that were read: an unknown name, or a place in an option's
 * own text. All else may follow from the option that was not. */
static void tell(probe *p, uint32_t index, ps_status status, const char *message) {
    const ps_chosen *stage = &p->config->stage[index];
    const size_t length = strcspn(message, ":");
    const bool digit =
        message[length] != '\0' && message[length + 1] >= '0' && message[length + 1] <= '9';
    const ps_item *item = culprit(stage, message);
    /* With spares in use this is another name that the same option misses. */
    if (item == NULL || (p->used == 0 && told_within(&p->config->faults, item->value))) return;
    if (status == PS_UNKNOWN_NAME ? !p->sure || !is_sure(p->config, index, message)
                                  : !digit || p->used > 0)
        return;
    ps_fault_add(&p->config->faults, blamed(stage, message), "%s: %s", stage->about->name, message);
}

static void set_spare(ps_plan *plan, uint32_t column, const char *name, size_t length,
                      uint32_t type) {
    static const ps_type types[TYPES] = {PS_TYPE_F64, PS_TYPE_TEXT, PS_TYPE_I64};
    ps_column *spare = &plan->schema.column[column];
    (void)snprintf(spare->name, sizeof spare->name, "%.*s", (int)length, name);
    spare->type = types[type];
    spare->time = types[type] == PS_TYPE_I64;
}

/* Gives what was missed a spare, or the spare that did not do another type; false: neither goes. */
static bool try_other(probe *p, ps_status status, const char *message) {
    if (status == PS_UNKNOWN_NAME) {
        const char *name = strchr(message, '\'');
        const size_t length = name == NULL ? 0 : strcspn(name + 1, "'");
        if (length == 0 || length >= PS_NAME_MAX || p->used == SPARES) return false;
        p->type = 0;
        set_spare(p->kept, p->first + p->used++, name + 1, length, 0);
        return true;
    }
    if (p->used == 0 || ++p->type == TYPES) return false;
    const uint32_t last = p->first + p->used - 1;
    const char *name = p->kept->schema.column[last].name;
    char same[PS_NAME_MAX];
    (void)snprintf(same, sizeof same, "%s", name);
    set_spare(p->kept, last, same, strlen(same), p->type);
    return true;
}

/* An output that is named after a field which is not there would have another name. */
static bool names_stand(const probe *p) {
    const ps_schema *schema = &p->plan->schema;
    for (uint32_t i = p->kept->schema.column_count; i < schema->column_count; i++)
        for (uint32_t k = 0; k < p->used; k++)
            if (strstr(schema->column[i].name, schema->column[p->first + k].name) != NULL)
                return false;
    return true;
}

static bool lacks(const ps_chosen *stage) {
    char text[PS_OPTION_TEXT_MAX];
    for (const ps_option *option = stage->about->options; option->name != NULL; option++)
        if ((option->flags & PS_OPTION_REQUIRED) != 0 && option->type == PS_OPTION_STRING &&
            ps_option_value(option, stage->config, text)[0] == '\0')
            return true;
    return false;
}

static void probe_stage(probe *p, uint32_t index) {
    const ps_chosen *stage = &p->config->stage[index];
    ps_status status = PS_BAD_CONFIG;
    ps_error error;
    p->used = 0;
    *p->kept = *p->plan;
    if (!lacks(stage)) {
        do {
            go_back(p);
            status = ps_config_stage(p->config, index)->plan(stage->config, p->plan, &error);
            if (status != PS_OK) tell(p, index, status, error.message);
        } while (status != PS_OK && try_other(p, status, error.message));
    }
    /* What a stage that is not right calls its outputs, nobody knows; a filter has none. */
    const bool named = ps_option_find(stage->about->options, "as") != NULL;
    if (named && (status != PS_OK || stage->faulty || !names_stand(p))) p->sure = false;
    if (status != PS_OK) go_back(p);
    for (uint32_t i = 0; i < p->used; i++) set_spare(p->plan, p->first + i, "$spare", 6, 0);
}

void ps_config_probe(ps_config *config) {
    ps_error error;
    probe p = {.config = config,
               .plan = ps_pool_take(config->pool, sizeof *p.plan),
               .kept = ps_pool_take(config->pool, sizeof *p.kept),
               .sure = true};
    if (begin(config, p.plan, SPARES, &error) == PS_OK) {
        p.first = p.plan->schema.field_first + p.plan->schema.field_count - SPARES;
        for (uint32_t i = 0; i < config->stage_count; i++) probe_stage(&p, i);
    }
    ps_plan_deinit(p.plan);
}

bool ps_config_check_memory(ps_config *config) {
    const ps_item *section = ps_node_item(config->root, "runtime");
    ps_pipeline_config pipeline;
    ps_ceiling ceiling;
    ps_error error;
    if (!config->planned || config->source.faulty || config->codec.faulty || config->sink.faulty)
        return true;
    ps_plan *plan = ps_pool_take(config->pool, sizeof *plan);
    ps_status status = ps_config_plan(config, plan, &error);
    if (status != PS_OK) { /* there was memory for it a moment ago; the fault is told */
        ps_plan_deinit(plan);
        return false;
    }
    ps_config_pipeline(config, plan, &pipeline);
    status = ps_pipeline_ceiling(&pipeline, &ceiling, &error);
    ps_plan_deinit(plan);
    if (status == PS_OK) return true;
    ps_fault_add(&config->faults,
                 ps_spot_of(section == NULL ? NULL : section->value, "memory_max",
                            section == NULL ? config->root->place : section->place),
                 "%s", error.message);
    return false;
}

bool ps_config_check_warm(ps_config *config) {
    const ps_item *section = ps_node_item(config->root, "stages");
    ps_error error;
    ps_warm *warm = NULL;
    if (!config->planned) return true;
    ps_plan *plan = ps_pool_take(config->pool, sizeof *plan);
    ps_status status = ps_config_plan(config, plan, &error);
    if (status == PS_OK) status = ps_warm_open(plan, &warm, &error);
    ps_warm_close(warm);
    ps_plan_deinit(plan);
    if (status == PS_OK) return true;
    ps_fault_add(&config->faults, section == NULL ? config->root->place : section->place,
                 "warm_state: %s", error.message);
    return false;
}
