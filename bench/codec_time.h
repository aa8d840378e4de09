/* SPDX-License-Identifier: Apache-2.0
 * What a codec's own library takes to unpack the record batches of a topic, as they lie there.
 */
#ifndef PS_BENCH_CODEC_TIME_H
#define PS_BENCH_CODEC_TIME_H

typedef struct ps_codec_time_config {
    const char *brokers, *topic;
    int partitions;
} ps_codec_time_config;

/* Runs in a child: reads all that the topic has and prints one line of JSON with rows, batches,
 * packed_bytes, plain_bytes and codec_ns, all of CPU and nothing but unpacking; the exit code. */
int ps_codec_time_child(void *config);

#endif
