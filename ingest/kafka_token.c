/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/kafka_token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/base64.h"
#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/wire/connection.h"
#include "ingest/wire/token.h"

/* A token that does not say when it ends: one that is given is all there will ever be, one that was
 * printed is asked for again (librdkafka does so after four fifths of its life). */
#define GIVEN_MS   (INT64_C(365) * 24 * 3600 * 1000)
#define PRINTED_MS (INT64_C(300) * 1000)
/* librdkafka's connections wait for a token, and so does the end of a client. */
#define COMMAND_NS (10 * PS_NS_PER_S)

/* What librdkafka hands to its callback beside the opaque, which is the source's or the sink's: our
 * property, behind a word that says which. It counts this text among its secrets. */
#define CONFIG "sasl.oauthbearer.config"
static const char given[] = "token ", printed[] = "command ";

bool ps_kafka_token_is_ours(const char *name) {
    return strcmp(name, PS_KAFKA_TOKEN) == 0 || strcmp(name, PS_KAFKA_TOKEN_COMMAND) == 0;
}

/* The text of a JWT's second part; false: it is none. */
static bool read_claims(const char *token, char *to, size_t room) {
    const char *begin = strchr(token, '.');
    const char *end = begin == NULL ? NULL : strchr(++begin, '.');
    const size_t length = end == NULL ? 0 : (size_t)(end - begin);
    char text[PS_WIRE_TOKEN_BYTES + 4];
    size_t padded = length, bytes = 0;
    if (length == 0 || length > PS_WIRE_TOKEN_BYTES || length >= room) return false;
    for (size_t i = 0; i < length; i++)
        text[i] = begin[i] == '-' ? '+' : begin[i] == '_' ? '/' : begin[i];
    while (padded % 4 != 0) text[padded++] = '=';
    if (!ps_base64_decode((const uint8_t *)text, padded, (uint8_t *)to, &bytes)) return false;
    to[bytes] = '\0';
    return true;
}

int64_t ps_kafka_token_end_ms(const char *token, int64_t otherwise) {
    char claims[PS_WIRE_TOKEN_BYTES + 4];
    const char *at = read_claims(token, claims, sizeof claims) ? strstr(claims, "\"exp\"") : NULL;
    if (at == NULL) return otherwise;
    at += strcspn(at, ":");
    if (*at == '\0') return otherwise;
    const int64_t seconds = strtoll(at + 1, NULL, 10);
    return seconds > 0 && seconds < INT64_MAX / 1000000 ? seconds * 1000 : otherwise;
}

static int64_t now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Into PS_WIRE_TOKEN_BYTES + 2. */
static ps_status get(const char *config, char *token, ps_error *error) {
    size_t length = 0;
    const size_t room = PS_WIRE_TOKEN_BYTES + 1;
    if (strncmp(config, printed, sizeof printed - 1) == 0) {
        PS_TRY(ps_wire_token_fetch(config + sizeof printed - 1, COMMAND_NS, (uint8_t *)token, room,
                                   &length, error));
    } else {
        const char *text = config + sizeof given - 1;
        length = strlen(text);
        if (length >= room)
            return ps_fail(error, PS_BAD_CONFIG, "the token that is given is over %d bytes",
                           PS_WIRE_TOKEN_BYTES);
        memcpy(token, text, length);
    }
    token[length] = '\0';
    return PS_OK;
}

static void answer(rd_kafka_t *client, const char *config, void *opaque) {
    char token[PS_WIRE_TOKEN_BYTES + 2] = "";
    char reason[256];
    ps_error error;
    (void)opaque;
    if (config == NULL || config[0] == '\0') return;
    const int64_t life_ms = config[0] == printed[0] ? PRINTED_MS : GIVEN_MS;
    const ps_status status = get(config, token, &error);
    if (status != PS_OK)
        (void)rd_kafka_oauthbearer_set_token_failure(client, error.message);
    else if (rd_kafka_oauthbearer_set_token(
                 client, token, ps_kafka_token_end_ms(token, now_ms() + life_ms), "penstock", NULL,
                 0, reason, sizeof reason) != RD_KAFKA_RESP_ERR_NO_ERROR)
        (void)rd_kafka_oauthbearer_set_token_failure(client, reason);
    explicit_bzero(token, sizeof token);
}

ps_status ps_kafka_token_set(rd_kafka_conf_t *conf, const ps_string_pair *pair, ps_error *error) {
    char reason[256];
    const char *word = strcmp(pair->name, PS_KAFKA_TOKEN) == 0 ? given : printed;
    const size_t bytes = strlen(word) + strlen(pair->value) + 1;
    const bool none = pair->value[0] == '\0';
    if (word == given && !none &&
        !ps_wire_token_is_word((const uint8_t *)pair->value, strlen(pair->value)))
        return ps_fail(error, PS_BAD_CONFIG, "properties: '%s' is no token: one word is wanted",
                       pair->name);
    char *text = malloc(bytes);
    if (text == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a token");
    (void)snprintf(text, bytes, "%s%s", word, pair->value);
    (void)rd_kafka_conf_set(conf, CONFIG, none ? "" : text, reason, sizeof reason);
    explicit_bzero(text, bytes);
    free(text);
    rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, none ? NULL : answer);
    rd_kafka_conf_enable_sasl_queue(conf, 1);
    return PS_OK;
}

static bool says(const rd_kafka_conf_t *conf, const char *name, const char *value) {
    char now[32] = "";
    size_t bytes = sizeof now;
    const rd_kafka_conf_res_t result = rd_kafka_conf_get(conf, name, now, &bytes);
    return result == RD_KAFKA_CONF_OK && strcmp(now, value) == 0;
}

static bool is_empty(const rd_kafka_conf_t *conf, const char *name) {
    size_t bytes = 0;
    return rd_kafka_conf_get(conf, name, NULL, &bytes) != RD_KAFKA_CONF_OK || bytes <= 1;
}

bool ps_kafka_token_is_missing(const rd_kafka_conf_t *conf) {
    const bool sasl = says(conf, "security.protocol", "sasl_ssl") ||
                      says(conf, "security.protocol", "sasl_plaintext");
    return sasl && says(conf, "sasl.mechanisms", "OAUTHBEARER") &&
           !says(conf, "sasl.oauthbearer.method", "oidc") &&
           !says(conf, "enable.sasl.oauthbearer.unsecure.jwt", "true") && is_empty(conf, CONFIG);
}

void ps_kafka_token_serve(rd_kafka_t *client) {
    rd_kafka_queue_t *queue = rd_kafka_queue_get_sasl(client);
    if (queue == NULL) return;
    rd_kafka_queue_destroy(queue);
    rd_kafka_error_t *error = rd_kafka_sasl_background_callbacks_enable(client);
    if (error == NULL) return;
    ps_log(PS_LOG_ERROR, "kafka", "no thread for tokens: %s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
}
