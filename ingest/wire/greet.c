/* SPDX-License-Identifier: Apache-2.0
 * The first question to a broker: which requests it knows, in which versions, and what its cluster
 * has agreed on (ApiVersions, KIP-511 and KIP-584). Also how a connection asks for itself at all.
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "ingest/wire/bytes.h"
#include "ingest/wire/connection_parts.h"

enum { CORRELATION = 0x7073, UNSUPPORTED_VERSION = 35, GREETING = 3, HEADER = 14 };

void ps_wire_quote(ps_bytes text, char *to, size_t room) {
    const size_t length = text.length == PS_NULL_LENGTH ? 0 : text.length;
    size_t i = 0;
    for (; i < length && i + 1 < room; i++)
        to[i] = text.data[i] < ' ' || text.data[i] == 127 ? ' ' : (char)text.data[i];
    to[i] = '\0';
}

ps_status ps_wire_ask(ps_wire_connection *c, ps_wire_api api, int16_t version, const void *request,
                      ps_error *error) {
    ps_wire_out out = {
        .memory = c->ask, .room = WIRE_ASK, .piece = c->ask_pieces, .pieces_max = WIRE_ASK_PIECES};
    PS_TRY(ps_wire_encode(api, version, CORRELATION, c->recipe.client_id, request, &out, error));
    ps_wire_queue(c, &out);
    return PS_OK;
}

ps_status ps_wire_answer(ps_wire_connection *c, ps_wire_api api, int16_t version, void *response,
                         ps_error *error) {
    const ps_bytes frame = {c->in + c->in_begin + WIRE_SIZE, (uint32_t)c->front};
    ps_wire_pool pool = {.memory = c->pool, .bytes = WIRE_POOL};
    int32_t correlation = 0;
    OPENSSL_cleanse(c->ask, WIRE_ASK);
    PS_TRY(ps_wire_decode(api, version, frame, &correlation, &pool, response, error));
    if (correlation != CORRELATION)
        return ps_fail(error, PS_IO, "answered %d, but %d was asked", correlation, CORRELATION);
    return PS_OK;
}

/* Version 0 has no body, and its header nothing behind the client's id. */
static void ask_old(ps_wire_connection *c) {
    const uint32_t id = c->recipe.client_id.length;
    uint8_t *at = c->ask;
    const bool null = id > INT16_MAX;
    ps_wire_put32(at, HEADER - WIRE_SIZE + (null ? 0 : (int32_t)id));
    ps_wire_put16(at + 4, PS_WIRE_API_VERSIONS);
    ps_wire_put16(at + 6, 0);
    ps_wire_put32(at + 8, CORRELATION);
    ps_wire_put16(at + 12, null ? -1 : (int16_t)id);
    if (!null && id > 0) memcpy(at + HEADER, c->recipe.client_id.data, id);
    c->ask_pieces[0] = (struct iovec){at, HEADER + (null ? 0 : id)};
    const ps_wire_out out = {.piece = c->ask_pieces, .piece_count = 1};
    ps_wire_queue(c, &out);
}

ps_status ps_wire_greet_begin(ps_wire_connection *c, int64_t now_ns, ps_error *error) {
    const ps_wire_api_versions_request request = {
        .client_software_name = ps_wire_text("penstock"),
        .client_software_version = ps_wire_text(PS_VERSION),
    };
    ps_wire_enter(c, PS_WIRE_ASKING, now_ns);
    c->asked_version = GREETING;
    return ps_wire_ask(c, PS_WIRE_API_VERSIONS, GREETING, &request, error);
}

static void keep_features(ps_wire_connection *c, const ps_wire_api_versions_response *answer) {
    c->feature_count = 0;
    if (answer->finalized_features_epoch < 0) return;
    for (int32_t i = 0; i < answer->finalized_features_count; i++) {
        const ps_wire_api_versions_response_finalized_feature_key *from =
            &answer->finalized_features[i];
        if (from->name.length >= WIRE_FEATURE_NAME || c->feature_count == WIRE_FEATURES) continue;
        wire_feature *to = &c->features[c->feature_count++];
        memcpy(to->name, from->name.data, from->name.length);
        to->name[from->name.length] = '\0';
        to->level = from->max_version_level;
    }
}

static void keep_versions(ps_wire_connection *c, const ps_wire_api_versions_response *answer) {
    for (int i = 0; i < PS_WIRE_APIS; i++) c->range[i] = (ps_wire_range){0, -1};
    for (int32_t i = 0; i < answer->api_keys_count; i++) {
        const ps_wire_api_versions_response_api_version *from = &answer->api_keys[i];
        if (from->api_key < 0 || from->api_key >= PS_WIRE_APIS) continue;
        c->range[from->api_key] = (ps_wire_range){from->min_version, from->max_version};
    }
}

ps_status ps_wire_greet_answer(ps_wire_connection *c, int64_t now_ns, ps_error *error) {
    ps_wire_api_versions_response answer;
    /* Who does not know the version says so in the oldest form. */
    const uint8_t *frame = c->in + c->in_begin + WIRE_SIZE;
    const int16_t told = c->front >= 6 ? ps_wire_get16(frame + 4) : 0;
    const int16_t version = told == UNSUPPORTED_VERSION ? 0 : c->asked_version;
    PS_TRY(ps_wire_answer(c, PS_WIRE_API_VERSIONS, version, &answer, error));
    if (answer.error_code == UNSUPPORTED_VERSION && c->asked_version > 0) {
        ps_wire_connection_drop(c);
        c->asked_version = 0;
        ask_old(c);
        return PS_OK;
    }
    c->outdated = answer.error_code == UNSUPPORTED_VERSION;
    if (c->outdated)
        return ps_fail(error, PS_BAD_CONFIG,
                       "the broker is too old: it knows no version of api_versions");
    if (answer.error_code != 0)
        return ps_fail(error, PS_IO, "did not tell its versions: error %d", answer.error_code);
    keep_versions(c, &answer);
    keep_features(c, &answer);
    ps_wire_connection_drop(c);
    return ps_wire_sasl_begin(c, now_ns, error);
}

int16_t ps_wire_connection_version(const ps_wire_connection *c, ps_wire_api api) {
    const ps_wire_range ours = ps_wire_versions(api), theirs = c->range[api];
    const int16_t newest = ours.max < theirs.max ? ours.max : theirs.max;
    const int16_t oldest = ours.min > theirs.min ? ours.min : theirs.min;
    return newest >= oldest ? newest : -1;
}

int16_t ps_wire_connection_feature(const ps_wire_connection *c, const char *name) {
    for (uint32_t i = 0; i < c->feature_count; i++)
        if (strcmp(c->features[i].name, name) == 0) return c->features[i].level;
    return 0;
}

static ps_status lacks(const ps_wire_connection *c, ps_wire_api api, int16_t version,
                       ps_error *error) {
    const ps_wire_range ours = ps_wire_versions(api), theirs = c->range[api];
    const int16_t both = ps_wire_connection_version(c, api);
    if (both >= 0 && both >= version) return PS_OK;
    const int16_t least = ours.min > version ? ours.min : version;
    if (theirs.max < 0)
        return ps_fail(error, PS_BAD_CONFIG, "the broker is too old: it does not know %s",
                       ps_wire_api_name(api));
    return ps_fail(error, PS_BAD_CONFIG,
                   "the broker is too %s: it knows %s in versions %d to %d, we need %d to %d",
                   theirs.max < least ? "old" : "new", ps_wire_api_name(api), theirs.min,
                   theirs.max, least, ours.max);
}

ps_status ps_wire_lacks(ps_wire_connection *c, ps_wire_api api, int16_t version, ps_error *error) {
    const ps_status status = lacks(c, api, version, error);
    c->outdated = status != PS_OK;
    return status;
}

bool ps_wire_connection_outdated(const ps_wire_connection *c) {
    return c->outdated;
}

ps_status ps_wire_connection_require(const ps_wire_connection *c, ps_wire_api api, int16_t version,
                                     ps_error *error) {
    const ps_status status = lacks(c, api, version, error);
    return status == PS_OK ? PS_OK : ps_fail_in(error, status, c->name);
}
