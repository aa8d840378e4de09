/* SPDX-License-Identifier: Apache-2.0
 * Whom an auditor believes: logs, witnesses, and how many of these must have cosigned a checkpoint.
 *
 *   log <vkey> [<url>]                   witness <name> <vkey> [<url>]
 *   group <name> all|any|<k> <name>…     quorum <name>|none
 *
 * Source: c2sp.org/tlog-policy.
 */
#ifndef PS_HOST_SEAL_POLICY_H
#define PS_HOST_SEAL_POLICY_H

#include "host/seal/checkpoint.h"

enum {
    PS_SEAL_POLICY_LOGS_MAX = 64,
    PS_SEAL_POLICY_NAMES_MAX = 128,
    PS_SEAL_POLICY_BYTES_MAX = 1 << 20
};

/* A witness, or a group of names that come before it. */
typedef struct ps_seal_policy_name {
    ps_bytes name;
    bool is_group;
    bool is_member;    /* of a group, which only one may have it */
    uint32_t verifier; /* of a witness */
    uint32_t needed;   /* of a group's members */
    uint32_t group;    /* whose member it is, where is_member */
} ps_seal_policy_name;

typedef struct ps_seal_policy {
    uint32_t logs, witnesses, names;
    bool has_quorum;
    uint32_t quorum; /* a name, or PS_SEAL_POLICY_NAMES_MAX for none */
    ps_verifier log[PS_SEAL_POLICY_LOGS_MAX], witness[PS_SEAL_POLICY_NAMES_MAX];
    ps_bytes log_url[PS_SEAL_POLICY_LOGS_MAX],
        witness_url[PS_SEAL_POLICY_NAMES_MAX]; /* length 0: none */
    ps_seal_policy_name name[PS_SEAL_POLICY_NAMES_MAX];
} ps_seal_policy;

/* `text` stays while the policy is used. Fails: PS_BAD_CONFIG, naming the line. The policy is
 * large: not for a stack. */
ps_status ps_seal_policy_parse(ps_bytes text, ps_seal_policy *out, ps_error *error) PS_MUST_USE;

/* A note that one of the logs has signed, whose origin is that log's, and that the quorum has
 * cosigned; `*log` is which. A policy without logs takes none here: ask
 * ps_seal_policy_has_quorum(). Fails: PS_TAMPERED. */
ps_status ps_seal_policy_open(const ps_seal_policy *policy, ps_bytes bytes, ps_note *note,
                              ps_checkpoint *out, uint32_t *log, ps_error *error) PS_MUST_USE;

/* Have enough witnesses cosigned? */
bool ps_seal_policy_has_quorum(const ps_seal_policy *policy, const ps_note *note);

#endif
