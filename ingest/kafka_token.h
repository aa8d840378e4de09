/* SPDX-License-Identifier: Apache-2.0
 * OAUTHBEARER for librdkafka, which has no property for a token, nor for a command that prints one:
 * it asks by a callback, and this is what answers it. Our own client reads the same properties by
 * itself.
 */
#ifndef PS_INGEST_KAFKA_TOKEN_H
#define PS_INGEST_KAFKA_TOKEN_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "host/base/options.h"

/* Ours, whichever client reads them: a token, or a command for the shell that prints one. */
#define PS_KAFKA_TOKEN         "penstock.oauthbearer.token"
#define PS_KAFKA_TOKEN_COMMAND "penstock.oauthbearer.token.command"

bool ps_kafka_token_is_ours(const char *name);

/* Takes a property that is ours; the last one that was said wins. Copies. NO_MEMORY. */
ps_status ps_kafka_token_set(rd_kafka_conf_t *conf, const ps_string_pair *pair,
                             ps_error *error) PS_MUST_USE;

/* OAUTHBEARER, and nothing that a token could come from: librdkafka would wait for one for ever. */
bool ps_kafka_token_is_missing(const rd_kafka_conf_t *conf);

/* Once the client is made: a command is run on a thread of librdkafka's, which this starts; where
 * there is no such property it does nothing. */
void ps_kafka_token_serve(rd_kafka_t *client);

/* When a token ends, in milliseconds since 1970: as it says itself, where it is a JWT that does
 * (RFC 7519, "exp"), otherwise `otherwise`. */
int64_t ps_kafka_token_end_ms(const char *token, int64_t otherwise);

#endif
