/* SPDX-License-Identifier: Apache-2.0
 * The bench's topics: made for a run and deleted after it. Each call works in a child process of
 * its own, because the bench forks and must have no client's threads.
 */
#ifndef PS_BENCH_TOPICS_H
#define PS_BENCH_TOPICS_H

#include "host/base/status.h"

ps_status ps_topic_create(const char *brokers, const char *name, int partitions,
                          ps_error *error) PS_MUST_USE;
ps_status ps_topic_delete(const char *brokers, const char *name, ps_error *error) PS_MUST_USE;

#endif
