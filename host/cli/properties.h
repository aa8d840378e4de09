/* SPDX-License-Identifier: Apache-2.0
 * What `--property NAME=VALUE` says to a Kafka client, of the commands that have no pipeline file.
 */
#ifndef PS_HOST_CLI_PROPERTIES_H
#define PS_HOST_CLI_PROPERTIES_H

#include "host/cli/args.h"

/* As `properties` of a pipeline file are read, `file:/path` included. PS_EXIT_GO_ON, or the code to
 * leave with: the faults were printed. */
int ps_properties_read(const ps_string_list *texts, ps_pool *pool, ps_string_map *map);

#endif
