/* SPDX-License-Identifier: Apache-2.0
 * A tree node's message is 65 bytes (RFC 6962, section 2.1), so its second block is one byte of the
 * right child and padding. Here is what the 64 rounds of that block add, message word plus round
 * constant, for each of the 256 values of the byte: the message schedule costs a load. The same for
 * the last block of messages of one length that is a multiple of 64.
 */
#ifndef PS_SIMD_SHA256_NODE_H
#define PS_SIMD_SHA256_NODE_H

#include <stdint.h>

extern uint32_t ps_sha256_node_schedule[256][64];

/* Fills the table, in some 30 us. Threads: called by ps_dispatch_init(); only read ever after. */
void ps_sha256_node_init(void);

/* Of messages of `bytes`, a multiple of 64. */
void ps_sha256_padding(uint32_t schedule[64], uint64_t bytes);

#endif
