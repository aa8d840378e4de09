/* SPDX-License-Identifier: Apache-2.0
 * What the files of the fetcher share: partitions as they are read, and a lane for each broker that
 * leads some of them, with its Fetch session.
 */
#ifndef PS_INGEST_WIRE_FETCHER_PARTS_H
#define PS_INGEST_WIRE_FETCHER_PARTS_H

#include "ingest/wire/client_parts.h"
#include "ingest/wire/fetcher.h"
#include "ingest/wire/unpack.h"

typedef enum ps_wire_part_state {
    PS_WIRE_PART_IDLE,
    PS_WIRE_PART_SEEKING, /* ListOffsets has to say where */
    PS_WIRE_PART_READING,
    PS_WIRE_PART_STUCK /* until it is started again */
} ps_wire_part_state;

/* Why ListOffsets is asked. */
typedef enum ps_wire_seek {
    PS_WIRE_SEEK_START,
    PS_WIRE_SEEK_FIRST, /* an offset is out of range: below this? */
    PS_WIRE_SEEK_END    /* or above that? */
} ps_wire_seek;

typedef struct ps_wire_part {
    ps_wire_part_state state;
    uint32_t topic, within;
    uint32_t turn;  /* grows with each start and stop: what was asked before is void */
    uint32_t made;  /* which of the topics of that name; 0: not known yet */
    int64_t next;   /* behind all that has come */
    int64_t due;    /* behind all that was shown */
    int32_t epoch;  /* of the batch that came last; -1: none */
    int64_t end;    /* as the newest answer said; -1 */
    int64_t at_end; /* END was told here */
    int64_t retry_ns;
    int16_t failing;                       /* error of the newest answer, 0: none */
    int64_t stalled_ns;                    /* since when it is tried in vain, 0: it is not */
    uint32_t lane;                         /* in whose session it is or was last */
    uint32_t asked;                        /* its turn when the request under way left, */
    uint32_t came;                         /* and when the request left whose answer is held */
    bool unread;                           /* the answer that its lane holds has something of it */
    int32_t told_leader_epoch, told_epoch; /* what the session knows */
    int64_t told_next;
    ps_wire_seek seek;
    int64_t seek_time, first;
    bool sought; /* ListOffsets is under way */
    uint32_t sought_turn, ranges;
    bool has_news, queued;
    ps_wire_news news;
    int16_t code;
} ps_wire_part;

/* One broker. */
typedef struct ps_wire_lane {
    ps_wire_fetcher *fetcher;
    int32_t node;
    int32_t session, session_epoch; /* the epoch that comes next; 0: a new session */
    uint8_t *members;               /* [partitions] whether the session has it */
    bool fetching, seeking;         /* a request is under way */
    bool gathers;                   /* the newest answer had some records, and not many */
    bool gathered;                  /* it had been gathered for as long as may be */
    int64_t asked_ns;               /* when the newest request left, */
    int32_t wait_ms;                /* and how long the broker may take */
    uint64_t quiet;                 /* nothing to ask for since so many changes */
    int64_t not_before_ns;
    const ps_wire_fetch_response *answer; /* held; NULL: none */
    int16_t version;
    int32_t topic, partition; /* of the answer: which is being read */
} ps_wire_lane;

/* The partition of an answer that is being read. */
typedef struct ps_wire_reading {
    ps_wire_part *part; /* NULL: none */
    uint32_t index;
    ps_bytes all; /* its batches */
    uint32_t at;
    bool in_batch, over; /* over: only what is told at the end is left */
    int64_t reached;     /* behind the last batch that was read */
    ps_wire_batch batch;
    ps_wire_records records;
    ps_wire_fetch_response_aborted_transaction *aborted; /* the answer's, sorted */
    int32_t aborted_count, aborted_at, active;           /* [0, active): those that are open here */
} ps_wire_reading;

struct ps_wire_fetcher {
    ps_wire_fetcher_recipe recipe;
    ps_wire_client *client;
    ps_wire_unpacker *unpacker;
    ps_wire_part *parts; /* [partitions], those below parts_end have been started */
    uint32_t parts_end;
    uint32_t *index; /* [topics * partitions_max] which partition + 1; 0: none */
    uint32_t *queue; /* [partitions] a ring of those with news */
    uint32_t queue_first, queue_count;
    ps_wire_lane *lanes; /* [lanes_max] */
    uint32_t lane_count, lanes_max;
    uint32_t reading_lane;
    ps_wire_reading reading;
    ps_wire_fetched current; /* as it was shown; of a record only where it is: */
    const uint8_t *current_at;
    bool has_current;
    ps_error current_error;
    uint64_t changes; /* of what should be asked for */
    uint32_t metadata_count, seeking_count, rotation;
    int64_t resume_ns; /* when the first pause is over */
    int64_t gather_until_ns;
    uint8_t *marks;   /* [partitions] and requests, while they are made */
    uint32_t *counts; /* [topics + 1] */
    ps_wire_fetch_request_fetch_topic *topics;
    ps_wire_fetch_request_fetch_partition *partitions;
    ps_wire_fetch_request_forgotten_topic *forgotten;
    int32_t *forgotten_partitions;
    ps_wire_list_offsets_request_list_offsets_topic *list_topics;
    ps_wire_list_offsets_request_list_offsets_partition *list_partitions;
};

/* ---- fetcher.c ---- */

/* Shown when the partition's turn comes; it is not read on. */
void ps_wire_part_stop_at(ps_wire_fetcher *fetcher, uint32_t index, ps_wire_news news,
                          int16_t code);
/* Asked for again after a pause. */
void ps_wire_part_pause(ps_wire_fetcher *fetcher, ps_wire_part *part, int64_t pause_ns);
void ps_wire_part_seek(ps_wire_fetcher *fetcher, ps_wire_part *part, ps_wire_seek why,
                       int64_t time);
void ps_wire_part_set(ps_wire_fetcher *fetcher, ps_wire_part *part, ps_wire_part_state state);
/* What became of a partition that an answer has an error for. */
void ps_wire_part_failed(ps_wire_fetcher *fetcher, ps_wire_part *part, ps_wire_api api,
                         int16_t code);
ps_wire_part *ps_wire_part_find(ps_wire_fetcher *fetcher, uint32_t topic, int32_t within);

/* ---- fetch_session.c, fetch_answer.c, fetch_seek.c ---- */

void ps_wire_lane_fetch(ps_wire_fetcher *fetcher, ps_wire_lane *lane);
void ps_wire_lane_answered(void *opaque, ps_status status, int16_t version, const void *response);
void ps_wire_lane_seek(ps_wire_fetcher *fetcher, ps_wire_lane *lane);
/* The topic of that name or, from version 13 on, of that id; topic_count: none. */
uint32_t ps_wire_topic_by_name(const ps_wire_client *client, ps_bytes name);
uint32_t ps_wire_topic_of(const ps_wire_client *client, int16_t version,
                          const ps_wire_fetch_response_fetchable_topic_response *topic);

#endif
