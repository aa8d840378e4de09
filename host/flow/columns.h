/* SPDX-License-Identifier: Apache-2.0
 * Where a plan's operands lie in a batch, and what its columns hold before the first kernel: for
 * whoever runs a plan, a lane or not.
 */
#ifndef PS_HOST_FLOW_COLUMNS_H
#define PS_HOST_FLOW_COLUMNS_H

#include "host/flow/plan.h"

/* Bytes into the batch's block at which an operand of PS_HOME_BATCH begins. */
size_t ps_columns_at(const ps_schema *schema, const ps_operand *operand);

/* What no kernel has to fill for every row of the batch: scores begin as NaN, verdicts as 0,
 * and all rows are kept. */
void ps_columns_prefill(const ps_plan *plan, const ps_batch *batch);

#endif
