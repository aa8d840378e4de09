/* SPDX-License-Identifier: Apache-2.0 */
#include "host/flow/columns.h"

#include <string.h>

size_t ps_columns_at(const ps_schema *schema, const ps_operand *operand) {
    if (operand->column == PS_NOWHERE) /* the arena, or the whole block */
        return operand->offset + (operand->part == PS_PART_LENGTHS ? schema->arena : 0);
    const ps_column *column = &schema->column[operand->column];
    const uint32_t at = operand->part == PS_PART_VALUES    ? column->values
                        : operand->part == PS_PART_LENGTHS ? column->lengths
                                                           : column->validity;
    PS_CHECK_OP(at, !=, PS_NOWHERE);
    return at + operand->offset;
}

void ps_columns_prefill(const ps_plan *plan, const ps_batch *batch) {
    const ps_schema *schema = &plan->schema;
    for (uint32_t i = 0; i < plan->nan_count; i++) {
        const ps_column *column = &schema->column[plan->nan_column[i]];
        if (column->type == PS_TYPE_NUMBER) {
            uint64_t *const numbers = ps_batch_values(batch, column);
            for (uint32_t row = 0; row < batch->rows; row++)
                numbers[row] = UINT64_C(0x7ff8000000000000);
            continue;
        }
        if (column->type == PS_TYPE_U8) {
            memset(ps_batch_values(batch, column), 0, batch->rows);
            continue;
        }
        /* Planes of a scratch column lie rows_max apart: all of them, up to the rows in use. */
        const uint32_t planes = column->width / 4;
        uint32_t *values = ps_batch_values(batch, column);
        for (uint32_t plane = 0; plane < planes; plane++)
            for (uint32_t row = 0; row < batch->rows; row++)
                values[(size_t)plane * schema->rows_max + row] = UINT32_C(0x7fc00000);
    }
    if (plan->filters) memset(ps_batch_system(batch, PS_COLUMN_KEEP), 1, batch->rows);
}
