/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/seal_reach.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/properties.h"
#include "host/seal/base64.h"
#include "host/seal/lines.h"

enum { ID_TEXT = 22, ID_HEX = 32 };

/* ---- origins ---- */

/* Cuts what follows the last slash off `text`. */
static bool cut(char *text, char *to, size_t room) {
    char *const slash = strrchr(text, '/');
    if (slash == NULL || slash[1] == '\0' || strlen(slash + 1) >= room) return false;
    memcpy(to, slash + 1, strlen(slash + 1) + 1);
    *slash = '\0';
    return true;
}

bool ps_seal_origin_parse(const char *text, ps_seal_topic_log *out) {
    char rest[PS_KEY_NAME_MAX], partition[16];
    int64_t number = 0;
    if (strlen(text) >= sizeof rest) return false;
    memcpy(rest, text, strlen(text) + 1);
    if (!cut(rest, partition, sizeof partition) || !cut(rest, out->id, sizeof out->id) ||
        !cut(rest, out->topic, sizeof out->topic))
        return false;
    if (!ps_text_integer(partition, &number) || number < 0 || number > INT32_MAX) return false;
    out->partition = (uint32_t)number;
    return ps_text_is_name(out->topic, PS_TEXT_TOPIC_MAX);
}

/* As Kafka's tools print it, or in hex. */
static bool is_an_id(const char *text) {
    const char *const digits = "0123456789abcdef";
    const char *const base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const size_t length = strlen(text);
    return length == ID_TEXT ? strspn(text, base64) == length
                             : length == ID_HEX && strspn(text, digits) == length;
}

static bool is_same_id(const char *shown, const char *other) {
    uint8_t id[18];
    char padded[25], hex[2 * sizeof id + 1];
    size_t length = 0;
    if (strlen(other) == ID_TEXT) return strcmp(shown, other) == 0;
    (void)snprintf(padded, sizeof padded, "%.22s==", shown);
    for (char *at = padded; *at != '\0'; at++) *at = *at == '-' ? '+' : *at == '_' ? '/' : *at;
    if (!ps_base64_read(padded, 24, id, sizeof id, &length) || length != 16) return false;
    for (size_t i = 0; i < 16; i++) (void)snprintf(hex + 2 * i, 3, "%02x", id[i]);
    return strcmp(hex, other) == 0;
}

ps_status ps_seal_reach_match(const ps_seal_reach *reach, const char *origin, uint32_t partition,
                              bool *anew, ps_error *error) {
    ps_seal_topic_log of;
    *anew = false;
    if (!ps_seal_origin_parse(origin, &of)) {
        ps_log(PS_LOG_WARNING, "seal",
               "its origin does not end in TOPIC/ID/PARTITION: whether the log is of this topic "
               "shows in its entries alone");
        return PS_OK;
    }
    if (strcmp(of.topic, reach->topic) != 0 || of.partition != partition)
        return ps_fail(error, PS_UNKNOWN_NAME,
                       "its origin says that it is the log of %s/%" PRIu32 ", not of %s/%" PRIu32,
                       of.topic, of.partition, reach->topic, partition);
    if (reach->about->id[0] == '\0' || !is_an_id(of.id)) return PS_OK;
    *anew = !is_same_id(reach->about->id, of.id);
    return PS_OK;
}

/* ---- options ---- */

static int lacks(const char *what) {
    ps_log(PS_LOG_ERROR, "seal", "%s", what);
    return PS_EXIT_USAGE;
}

/* The origin of the log that --dir is, where it is one; PS_UNKNOWN_NAME: it is none itself. */
static ps_status look(ps_seal_reach *r, ps_error *error) {
    ps_seal_place place;
    size_t length = 0;
    char origin[PS_KEY_NAME_MAX] = "";
    ps_seal_topic_log of;
    uint8_t *const bytes = malloc(PS_NOTE_BYTES_MAX);
    if (bytes == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a checkpoint");
    ps_status status = ps_seal_place_open(r->job->chosen->dir, &place, error);
    if (status == PS_UNKNOWN_NAME) /* the directory, not the checkpoint */
        status = ps_fail(error, PS_IO, "%s: there is no such directory", r->job->chosen->dir);
    if (status == PS_OK)
        status = place.source.read(place.source.context, "checkpoint", bytes, PS_NOTE_BYTES_MAX,
                                   &length, error);
    ps_bytes rest = {bytes, (uint32_t)length}, line = {NULL, 0};
    r->one_log = status == PS_OK || status == PS_TAMPERED;
    if (status == PS_OK && ps_line_next(&rest, &line) && line.length < sizeof origin)
        (void)snprintf(origin, sizeof origin, "%.*s", (int)line.length, (const char *)line.data);
    r->partition = ps_seal_origin_parse(origin, &of) ? of.partition : PS_NOWHERE;
    ps_seal_place_close(&place);
    free(bytes);
    return r->one_log || status == PS_UNKNOWN_NAME ? PS_OK : status;
}

/* Before any broker is asked. */
static bool are_numbers(const ps_seal_options *chosen) {
    const struct {
        const char *name, *text;
    } all[] = {
        {"partition", chosen->partition}, {"offset", chosen->offset}, {"from", chosen->from}};
    uint64_t ignored;
    ps_error error;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i].text == NULL ||
            ps_seal_number(all[i].name, all[i].text, &ignored, &error) == PS_OK)
            continue;
        ps_log(PS_LOG_ERROR, "seal", "%s", error.message);
        return false;
    }
    return true;
}

static int check_options(const ps_seal_job *job) {
    if (!are_numbers(job->chosen)) return PS_EXIT_USAGE;
    if (job->chosen->dir == NULL) return lacks("where is the log? say --dir DIR or --dir URL");
    if (job->chosen->brokers == NULL && job->chosen->pipeline == NULL)
        return lacks("where is the topic? say --brokers HOST:PORT, or --pipeline FILE");
    if (job->chosen->brokers != NULL && job->chosen->pipeline != NULL)
        return lacks("--brokers and --pipeline both say where the topic is: one of them is enough");
    if (job->chosen->pipeline != NULL && job->chosen->property.count > 0)
        return lacks("--property goes with --brokers: the pipeline has properties of its own");
    if (ps_text_is_name(job->operand[0], PS_TEXT_TOPIC_MAX)) return PS_EXIT_GO_ON;
    ps_log(PS_LOG_ERROR, "seal", "'%.100s' is no topic's name", job->operand[0]);
    return PS_EXIT_USAGE;
}

/* The pipeline of --pipeline, whose source says how to get to the brokers. */
static int read_pipeline(ps_seal_reach *r) {
    const char *const file = r->job->chosen->pipeline;
    const ps_string_list none = {NULL, 0};
    r->config = calloc(1, sizeof *r->config);
    if (r->config == NULL) return PS_EXIT_CANNOT_TELL;
    if (!ps_config_init(r->config, file, NULL, &none)) {
        ps_faults_print(&r->config->faults);
        return PS_EXIT_USAGE;
    }
    if (strcmp(r->config->source.about->name, "kafka") == 0) return PS_EXIT_GO_ON;
    ps_log(PS_LOG_ERROR, "seal", "%s: its source is not Kafka: say --brokers HOST:PORT", file);
    return PS_EXIT_USAGE;
}

static ps_status open_topic(ps_seal_reach *r, const ps_string_map *properties, ps_error *error) {
    PS_TRY(look(r, error));
    if (r->config != NULL)
        return ps_kafka_audit_open_source(r->config->source.config, r->topic, &r->kafka, error);
    return ps_kafka_audit_open(r->job->chosen->brokers, properties, r->topic, &r->kafka, error);
}

int ps_seal_reach_init(ps_seal_reach *reach, const ps_seal_job *job) {
    ps_string_map properties;
    ps_error error;
    *reach = (ps_seal_reach){.job = job, .topic = job->operand[0]};
    int code = check_options(job);
    if (code == PS_EXIT_GO_ON)
        code = ps_properties_read(&job->chosen->property, job->pool, &properties);
    if (code == PS_EXIT_GO_ON && job->chosen->pipeline != NULL) code = read_pipeline(reach);
    if (code != PS_EXIT_GO_ON) return code;
    const ps_status status = open_topic(reach, &properties, &error);
    if (status != PS_OK) return ps_seal_refuted(job->chosen, status, &error);
    reach->about = ps_kafka_audit_about_of(reach->kafka);
    return PS_EXIT_GO_ON;
}

void ps_seal_reach_deinit(ps_seal_reach *reach) {
    ps_kafka_audit_close(reach->kafka);
    if (reach->config != NULL) ps_config_deinit(reach->config);
    free(reach->config);
}

const char *ps_seal_reach_where(const ps_seal_reach *reach, uint32_t partition,
                                char where[PS_SEAL_WHERE_MAX]) {
    const char *const dir = reach->job->chosen->dir;
    const size_t length = strlen(dir);
    if (reach->one_log)
        (void)snprintf(where, PS_SEAL_WHERE_MAX, "%s", dir);
    else
        (void)snprintf(where, PS_SEAL_WHERE_MAX, "%s%s%s/%" PRIu32, dir,
                       length > 0 && dir[length - 1] == '/' ? "" : "/", reach->topic, partition);
    return where;
}

/* ---- records ---- */

/* From the reader's words into the audit's: neither part knows the other. */
static ps_status next(void *context, ps_audit_record *out, ps_error *error) {
    ps_seal_reach *const r = context;
    ps_kafka_audited from;
    const ps_status status = ps_kafka_audit_next(r->kafka, &from, error);
    r->span = (ps_audit_span){r->kafka_span->first, r->kafka_span->end};
    if (status != PS_OK) return status;
    *out = (ps_audit_record){.offset = from.offset,
                             .timestamp_ms = from.timestamp_ms,
                             .append_time = from.append_time,
                             .key = from.key,
                             .headers = from.headers,
                             .value = from.value};
    return PS_OK;
}

ps_status ps_seal_reach_begin(ps_seal_reach *reach, uint32_t partition, int64_t from,
                              ps_audit_topic *out, ps_error *error) {
    PS_TRY(ps_kafka_audit_begin(reach->kafka, partition, from, &reach->kafka_span, error));
    reach->span = (ps_audit_span){reach->kafka_span->first, reach->kafka_span->end};
    *out = (ps_audit_topic){.next = next,
                            .context = reach,
                            .span = &reach->span,
                            .partition = partition,
                            .from = from,
                            .compacted = reach->about->cleanup != PS_KAFKA_CLEANUP_DELETE};
    return PS_OK;
}
