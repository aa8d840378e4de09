/* SPDX-License-Identifier: Apache-2.0
 * Where the fields of a batch's header lie, for those who read it and those who write it.
 */
#ifndef PS_INGEST_WIRE_LAYOUT_H
#define PS_INGEST_WIRE_LAYOUT_H

enum {
    PS_WIRE_AT_LENGTH = 8, /* of what follows it */
    PS_WIRE_AT_EPOCH = 12,
    PS_WIRE_AT_MAGIC = 16, /* there in the older formats too */
    PS_WIRE_AT_CRC = 17,
    PS_WIRE_AT_ATTRIBUTES = 21, /* what the CRC covers begins here */
    PS_WIRE_AT_LAST_DELTA = 23,
    PS_WIRE_AT_BASE_TIME = 27,
    PS_WIRE_AT_MAX_TIME = 35,
    PS_WIRE_AT_PRODUCER = 43,
    PS_WIRE_AT_PRODUCER_EPOCH = 51,
    PS_WIRE_AT_SEQUENCE = 53,
    PS_WIRE_AT_COUNT = 57,
    PS_WIRE_MAGIC = 2
};

/* Bits of the attributes. */
enum {
    PS_WIRE_CODEC_MASK = 7,
    PS_WIRE_APPEND_TIME = 8,
    PS_WIRE_TRANSACTIONAL = 16,
    PS_WIRE_CONTROL_BATCH = 32
};

#endif
