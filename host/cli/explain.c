/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/log.h"
#include "simd/dispatch.h"

const char *ps_explain_type(ps_type type) {
    static const char *const names[] = {"text", "f64", "i64", "bool",   "f32",    "number",
                                        "u8",   "u32", "u64", "digest", "scratch"};
    return names[type];
}

const char *ps_explain_operand(const ps_plan *plan, const ps_operand *operand, char *text) {
    if (operand->home == PS_HOME_STATE) return "state";
    if (operand->home == PS_HOME_CONSTANT) return "constants";
    if (operand->column == PS_NOWHERE) return "arena";
    static const char *const parts[] = {"", ".lengths", ".validity"};
    (void)snprintf(text, PS_EXPLAIN_TEXT_MAX, "%s%s", plan->schema.column[operand->column].name,
                   parts[operand->part]);
    return text;
}

const char *ps_explain_rejects(const ps_config *config) {
    if (config->decode != NULL && config->decode->on_error == PS_DECODE_FAIL)
        return "stop the worker (decode.on_error: fail)";
    if (config->dead.topic != NULL) return "go to the dead-letter topic, in the same transaction";
    if (config->dead.file != NULL) return "go to the dead-letter file";
    return "stop the worker: there is no dead_letter";
}

const char *ps_explain_backend_why(const ps_launch *launch) {
    return launch->placement.why;
}

void ps_json_print(const char *text) {
    char escaped[2048];
    (void)ps_json_escape(text, escaped, sizeof escaped);
    (void)printf("\"%s\"", escaped);
}

static void member(const char *name, const char *text) {
    (void)printf(",\"%s\":", name);
    ps_json_print(text);
}

static void json_memory(const ps_launch *launch, const ps_ceiling *ceiling) {
    (void)printf(",\"lanes\":%u,\"memory_ceiling_bytes\":%zu,\"memory_max_bytes\":%" PRId64
                 ",\"memory_fits\":%s,\"memory\":[",
                 ceiling->lanes, ceiling->total, launch->pipeline.memory_max,
                 ps_ceiling_fits(ceiling, launch->pipeline.memory_max) ? "true" : "false");
    for (uint32_t i = 0; i < ceiling->count; i++) {
        (void)printf("%s{\"what\":", i == 0 ? "" : ",");
        ps_json_print(ceiling->term[i].what);
        (void)printf(",\"times\":%u,\"bytes\":%zu}", ceiling->term[i].times,
                     ceiling->term[i].bytes);
    }
    char sized[PS_SIZED_TEXT_MAX] = "";
    (void)ps_config_sized(&launch->config, sized);
    (void)printf("],\"series_max\":%u,\"batch_rows\":%u", launch->plan.series_max,
                 launch->plan.schema.rows_max);
    member("sized", sized);
}

static void json_calls(const ps_plan *plan) {
    char text[PS_EXPLAIN_TEXT_MAX];
    (void)printf(",\"calls\":[");
    for (uint32_t i = 0; i < plan->call_count; i++) {
        const ps_call_plan *call = &plan->call[i];
        (void)printf("%s{\"kernel\":\"%s\",\"implementation\":\"%s\",\"per\":\"%s\",\"operands\":[",
                     i == 0 ? "" : ",", ps_kernels[call->kernel].name,
                     ps_dispatch_chosen(call->kernel),
                     call->extent == PS_PER_ROW ? "row" : "segment");
        for (uint32_t o = 0; o < call->operand_count; o++) {
            (void)printf("%s", o == 0 ? "" : ",");
            ps_json_print(ps_explain_operand(plan, &call->operand[o], text));
        }
        (void)printf("]}");
    }
    (void)printf("]");
}

static void json_columns(const ps_schema *schema) {
    (void)printf(",\"columns\":[");
    for (uint32_t i = 0; i < schema->column_count; i++) {
        (void)printf("%s{\"name\":", i == 0 ? "" : ",");
        ps_json_print(schema->column[i].name);
        (void)printf(",\"type\":\"%s\",\"at\":%u}", ps_explain_type(schema->column[i].type),
                     schema->column[i].values);
    }
    (void)printf("],\"batch_bytes\":%zu", schema->block_bytes);
}

void ps_explain_json(const ps_launch *launch, const ps_ceiling *ceiling) {
    const char *why = "";
    const char *delivery = ps_config_delivery(&launch->config, &why);
    (void)printf("{\"pipeline\":");
    ps_json_print(launch->pipeline.name);
    member("delivery", delivery);
    member("delivery_why", why);
    member("backend", launch->pipeline.backend->name);
    member("backend_why", ps_explain_backend_why(launch));
    member("isa", ps_dispatch_isa());
    member("client", launch->client.name);
    member("client_why", launch->client.why);
    member("series", launch->plan.series_field[0] == '\0' ? "$key" : launch->plan.series_field);
    member("rejects", ps_explain_rejects(&launch->config));
    member("state_policy", launch->plan.state_count == 0 ? "none"
                           : launch->plan.replays        ? "replay"
                                                         : "delta");
    (void)printf(",\"restore_bytes_max\":%zu,\"replay_rows_max\":%" PRIu64, ceiling->restore_bytes,
                 ceiling->replay_rows);
    json_memory(launch, ceiling);
    json_calls(&launch->plan);
    (void)printf(",\"outputs\":[\"source\"");
    for (uint32_t i = 0; i < launch->plan.output_count; i++) {
        (void)printf(",");
        ps_json_print(launch->plan.output[i].name);
    }
    (void)printf("]");
    json_columns(&launch->plan.schema);
    (void)printf("}\n");
}
