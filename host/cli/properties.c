/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/properties.h"

#include <string.h>

#include "host/cli/config_read.h"

typedef struct client_options {
    ps_string_map properties;
} client_options;

int ps_properties_read(const ps_string_list *texts, ps_pool *pool, ps_string_map *map) {
    static const ps_option rows[] = {
        {.name = "properties", .type = PS_OPTION_MAP, .at = offsetof(client_options, properties)},
        {.name = NULL}};
    static const ps_table table = {"--property", rows, NULL};
    ps_faults faults = {.pool = pool, .file = "--property"};
    client_options client = {0};
    ps_node *listed = ps_node_new(pool, PS_NODE_MAP, (ps_spot){0});
    ps_node *whole = ps_node_new(pool, PS_NODE_MAP, (ps_spot){0});
    ps_item properties = {.key = "properties", .value = listed};
    ps_node_append(whole, &properties);
    for (uint32_t i = 0; i < texts->count; i++) {
        const char *equals = strchr(texts->at[i], '=');
        if (equals == NULL || equals == texts->at[i]) {
            /* Not the text: it may be a secret. */
            ps_fault_add(&faults, (ps_spot){0},
                         "wants NAME=VALUE, such as security.protocol=sasl_ssl");
            continue;
        }
        ps_item *item = ps_pool_take(pool, sizeof *item);
        item->key = ps_pool_text(pool, texts->at[i], (size_t)(equals - texts->at[i]));
        item->value = ps_node_new(pool, PS_NODE_SCALAR, (ps_spot){0});
        item->value->text = equals + 1;
        ps_node_append(listed, item);
    }
    ps_read_options(&table, whole, (ps_spot){0}, &client, &faults);
    ps_faults_print(&faults);
    *map = client.properties;
    return faults.count == 0 ? PS_EXIT_GO_ON : PS_EXIT_USAGE;
}
