/* SPDX-License-Identifier: Apache-2.0
 * `--policy`: whose checkpoints count, and how many witnesses must have cosigned them.
 */
#ifndef PS_HOST_CLI_SEAL_POLICY_H
#define PS_HOST_CLI_SEAL_POLICY_H

#include "host/cli/seal_keys.h"
#include "host/seal/policy.h"
#include "host/seal/verify.h"

/* The policy's text lies behind it. NULL where none was given. Owns: the caller frees it.
 * Fails: PS_BAD_CONFIG, naming file and line. */
ps_status ps_seal_policy_read(const ps_seal_options *chosen, ps_seal_policy **out,
                              ps_error *error) PS_MUST_USE;

/* What `verify DIR` asks beyond the tree itself: a policy's quorum, and of a roll-up that each
 * entry is a checkpoint. Faults are told and counted as those of the tree are; the keys that an
 * entry was checked with are used.
 * Fails: PS_TAMPERED: there were some; else as the source does. */
ps_status ps_seal_check_more(const ps_tile_source *source, const ps_seal_options *chosen,
                             ps_seal_keys *keys, const ps_verify_watch *watch,
                             ps_verify_report *report, ps_error *error) PS_MUST_USE;

/* Who has cosigned a note, a line each, or as JSON's `cosigned`. */
void ps_seal_print_cosigned(const ps_seal_policy *policy, const ps_note *note, bool json);

/* An entry that is a checkpoint, in words; false: it is none. */
bool ps_seal_print_checkpoint(ps_bytes entry, bool json);

#endif
