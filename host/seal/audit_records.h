/* SPDX-License-Identifier: Apache-2.0
 * Records on their way to be compared: read some hundred at a time and hashed together, on the
 * kernels of this processor. Part of host/seal/audit.c.
 */
#ifndef PS_HOST_SEAL_AUDIT_RECORDS_H
#define PS_HOST_SEAL_AUDIT_RECORDS_H

#include "host/seal/audit.h"

typedef struct ps_audit_records ps_audit_records;

ps_status ps_audit_records_open(const ps_audit_topic *topic, ps_audit_records **out,
                                ps_error *error) PS_MUST_USE;
void ps_audit_records_close(ps_audit_records *records);

/* The next record's entry; the same until it is taken. NULL: there are no more. */
ps_status ps_audit_records_peek(ps_audit_records *records, const ps_seal_entry **out,
                                ps_error *error) PS_MUST_USE;
void ps_audit_records_taken(ps_audit_records *records);

uint64_t ps_audit_records_read(const ps_audit_records *records);

#endif
