/* SPDX-License-Identifier: Apache-2.0
 * Which Kafka client a pipeline has, and why: runtime.client says what is wanted, source and sink
 * say what only librdkafka can do.
 */
#ifndef PS_HOST_CLI_CLIENT_H
#define PS_HOST_CLI_CLIENT_H

#include "host/cli/config.h"

typedef struct ps_client_choice {
    const char *name; /* "native", "librdkafka", or "none": nothing here is Kafka */
    bool native;
    bool lacks; /* native does not go with what is asked for, and `why` begins with it */
    char why[320];
} ps_client_choice;

/* Of parts whose options are all right. Where native is wanted and lacks something it is chosen all
 * the same: ps_config_init has told that fault. */
void ps_client_choose(const ps_config *config, ps_client_choice *out);

#endif
