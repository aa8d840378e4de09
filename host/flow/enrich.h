/* SPDX-License-Identifier: Apache-2.0
 * What a sink writes for a row: the plan's outputs as text, either one by one (headers) or as one
 * JSON member.
 */
#ifndef PS_HOST_FLOW_ENRICH_H
#define PS_HOST_FLOW_ENRICH_H

#include <stddef.h>

#include "host/batch/headers.h"
#include "host/batch/partitions.h"
#include "host/flow/plan.h"

enum { PS_OUTPUT_TEXT_MAX = 320 }; /* the longest text of one output: topic/partition/offset */

typedef struct ps_enricher ps_enricher;

/* Prepares names and prefixes. Owns: until close. */
ps_status ps_enricher_open(const ps_plan *plan, const ps_partitions *partitions, ps_enricher **out,
                           ps_error *error);
void ps_enricher_close(ps_enricher *enricher);

/* All headers of a row: `ps-source` first, then the plan's outputs in plan order, those left out
 * omitted. Names are static, values lie in `text`, which must have ps_enricher_text_max() bytes;
 * `out` PS_OUTPUTS_MAX + 1 places. Returns how many. */
uint32_t ps_enrich_headers(const ps_enricher *enricher, const ps_batch *batch, uint32_t row,
                           uint32_t partition, char *text, ps_header *out);
size_t ps_enricher_text_max(const ps_enricher *enricher);

/* The same headers as a record has them: each half's length, zigzag-coded in groups of seven bits,
 * and its bytes. `to` has ps_enricher_record_max() bytes. Returns the byte behind them, and how
 * many they are. */
uint8_t *ps_enrich_record(const ps_enricher *enricher, const ps_batch *batch, uint32_t row,
                          uint32_t partition, uint8_t *to, uint32_t *count);
size_t ps_enricher_record_max(const ps_enricher *enricher);

/* The row's value, a JSON object, with `"penstock":{…}` appended as its last member; the rest of
 * its bytes unchanged. `to` has value length + ps_enricher_json_max() bytes. Returns the length; 0
 * if the value is not an object. */
size_t ps_enrich_json(const ps_enricher *enricher, const ps_batch *batch, uint32_t row,
                      uint32_t partition, char *to);
/* The same as a line of NDJSON: line breaks between the object's tokens become blanks, and one ends
 * it. One byte more at most. */
size_t ps_enrich_line(const ps_enricher *enricher, const ps_batch *batch, uint32_t row,
                      uint32_t partition, char *to);
size_t ps_enricher_json_max(const ps_enricher *enricher);

/* "topic/partition/offset" into `text` of PS_OUTPUT_TEXT_MAX bytes; returns its length. */
uint32_t ps_enrich_source(const ps_partitions *partitions, uint32_t partition, int64_t offset,
                          char *text);

#endif
