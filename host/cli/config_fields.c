/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "host/base/text.h"
#include "host/cli/config_read.h"
#include "host/cli/tables.h"

static const char type_words[] = "string|float|int|bool|timestamp";

static void unknown_type(const ps_item *item, ps_faults *faults) {
    const ps_option type = {"type", NULL, "", PS_OPTION_CHOICE, 0, 0, 0, 0, type_words};
    uint32_t index = 0;
    ps_error error;
    if (ps_option_parse(&type, item->value->text, &index, &error) != PS_OK)
        ps_fault_add(faults, item->value->place, "field '%s': %s", item->key, error.message);
}

static void read_long_form(const ps_item *item, ps_field *field, ps_faults *faults) {
    ps_long_field form = {0};
    const ps_table table = {ps_pool_format(faults->pool, "field '%s'", item->key),
                            ps_long_field_options, NULL};
    ps_read_options(&table, item->value, item->place, &form, faults);
    field->type = (ps_field_type)form.type;
    field->unit = (ps_time_unit)form.unit;
    field->required = form.required;
    field->from_string = form.from_string;
    if (form.path != NULL) field->path = form.path;
    if (ps_node_get(item->value, "unit") != NULL && field->type != PS_FIELD_TIMESTAMP)
        ps_fault_add(faults, ps_spot_of(item->value, "unit", item->place),
                     "field '%s': 'unit' is for timestamps only", item->key);
}

static void check_name(const ps_item *item, ps_faults *faults) {
    if (item->key[0] == '\0' || strlen(item->key) >= PS_NAME_MAX)
        ps_fault_add(faults, item->place, "a field's name has 1 to %d bytes", PS_NAME_MAX - 1);
    if (item->key[0] == '$')
        ps_fault_add(faults, item->place,
                     "'%s': names that begin with '$' are penstock's own; use {type: …, path: %s}",
                     item->key, item->key);
}

void ps_read_fields(const ps_node *node, ps_field_list *out, ps_faults *faults) {
    if (node->kind != PS_NODE_MAP) {
        ps_fault_add(faults, node->place,
                     "fields: wants a map such as {host: string, cpu: float}, this is %s",
                     ps_node_kind_text(node));
        return;
    }
    ps_read_duplicates(node, faults);
    if (node->count > PS_FIELDS_MAX)
        ps_fault_add(faults, node->place, "fields: %u are declared; the limit is %d", node->count,
                     PS_FIELDS_MAX);
    ps_field *at = ps_pool_take(faults->pool, (node->count + 1) * sizeof *at);
    uint32_t count = 0, type = 0;
    for (const ps_item *item = node->first; item != NULL; item = item->next) {
        ps_field *field = &at[count++];
        *field = (ps_field){.name = item->key, .path = item->key};
        check_name(item, faults);
        if (item->value->kind == PS_NODE_MAP)
            read_long_form(item, field, faults);
        else if (item->value->kind != PS_NODE_SCALAR)
            ps_fault_add(faults, item->place, "field '%s' wants a type (%s) or a map", item->key,
                         "string, float, int, bool, timestamp");
        else if (ps_words_find(type_words, item->value->text, &type))
            field->type = (ps_field_type)type;
        else
            unknown_type(item, faults);
    }
    *out = (ps_field_list){at, count};
}
