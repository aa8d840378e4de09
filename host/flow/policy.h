/* SPDX-License-Identifier: Apache-2.0
 * How a plan's state is kept. Delta: each commit writes the state of every series that it touched,
 * and a restore reads it. Replay: for state so large that deltas would outgrow the input; a commit
 * writes the slice that a sweep comes by, and a restore reads the rows since then again.
 */
#ifndef PS_HOST_FLOW_POLICY_H
#define PS_HOST_FLOW_POLICY_H

#include <stddef.h>
#include <stdint.h>

/* Auto: replay from PS_REPLAY_FROM_BYTES of state a series on. */
typedef enum ps_policy { PS_POLICY_AUTO, PS_POLICY_DELTA, PS_POLICY_REPLAY } ps_policy;
enum { PS_REPLAY_FROM_BYTES = 1024 };

struct ps_plan;

/* Bytes of one series, its planes included, in a state record. */
size_t ps_policy_entry_bytes(const struct ps_plan *plan);

/* Steps of a lane's sweep round at most that are not over a series of the table. */
size_t ps_policy_idle_steps(const struct ps_plan *plan);

/* Replay: rows, and partitions that a batch moved, that pay for a sweep round of `lanes` lanes; and
 * rows that all of them read again at most, which is those of two rounds. 0 under delta. */
uint64_t ps_policy_round_rows(const struct ps_plan *plan, uint32_t lanes);
uint64_t ps_policy_replay_rows(const struct ps_plan *plan, uint32_t lanes);

#endif
