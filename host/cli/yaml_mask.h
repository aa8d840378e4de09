/* SPDX-License-Identifier: Apache-2.0
 * Lets `{brokers: ${BROKERS}}` be written without quotes. YAML would take the inner braces for a
 * map, so while it parses they, and what else has a meaning in flow style, are private-use
 * characters: one column each, so places stay right.
 */
#ifndef PS_HOST_CLI_YAML_MASK_H
#define PS_HOST_CLI_YAML_MASK_H

#include <stddef.h>

#include "host/cli/pool.h"

/* A copy of `text` with every `${…}` hidden; `*length` becomes the copy's. */
char *ps_yaml_mask(ps_pool *pool, const char *text, size_t *length);

/* Brings them back, in place. */
void ps_yaml_unmask(char *text);

#endif
