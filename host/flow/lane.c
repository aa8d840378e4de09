/* SPDX-License-Identifier: Apache-2.0
 * The step: release, emit, finish, fill and submit. Read this file first; it is the whole data path
 * from above.
 */
#include "host/flow/lane.h"

#include <inttypes.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/flow/columns.h"
#include "host/flow/enrich.h"
#include "host/flow/lane_parts.h"
#include "host/flow/watch.h"

/* A batch of this size is still in the caches when it is emitted; more of them cost nothing. */
enum { ENOUGH_BYTES = 1280 << 10 };

static void sooner(int64_t *ask_again_ns, int64_t at_ns) {
    if (at_ns < *ask_again_ns) *ask_again_ns = at_ns;
}

static void check(const ps_lane *lane) {
    PS_CHECK_OP(lane->released, <=, lane->freed);
    PS_CHECK_OP(lane->freed, <=, lane->emitted);
    PS_CHECK_OP(lane->emitted, <=, lane->finished);
    PS_CHECK_OP(lane->finished, <=, lane->submitted);
    PS_CHECK_OP(lane->submitted - lane->freed, <=, lane->config.depth);
}

static ps_tally tally_rows(const ps_lane *lane, const ps_batch *batch, const ps_run *run) {
    const uint8_t *reject = ps_batch_system(batch, PS_COLUMN_REJECT);
    const uint8_t *keep = ps_batch_system(batch, PS_COLUMN_KEEP);
    ps_tally sum = {0, 0, 0};
    for (uint32_t row = run->first_row; row < run->first_row + run->rows; row++) {
        const uint32_t rejected = reject[row] != 0;
        const uint32_t filtered = !rejected && lane->plan->filters && keep[row] == 0;
        sum.rejected += rejected;
        sum.filtered += filtered;
        sum.out += !rejected && !filtered;
    }
    return sum;
}

static void add_tally(ps_tally *to, ps_tally sum) {
    to->out += sum.out;
    to->filtered += sum.filtered;
    to->rejected += sum.rejected;
}

static uint64_t count_anomalies(const ps_lane *lane, const ps_batch *batch) {
    if (lane->plan->anomaly_column == PS_NOWHERE) return 0;
    const uint8_t *reject = ps_batch_system(batch, PS_COLUMN_REJECT);
    const uint8_t *anomaly =
        ps_batch_values(batch, &lane->plan->schema.column[lane->plan->anomaly_column]);
    uint64_t sum = 0;
    for (uint32_t r = 0; r < batch->run_count; r++) {
        const uint32_t first = batch->runs[r].first_row, end = first + batch->runs[r].rows;
        for (uint32_t row = first; row < end; row++) sum += anomaly[row] == 1 && reject[row] == 0;
    }
    return sum;
}

static void count_rejects(ps_lane *lane, const ps_batch *batch, const ps_run *run) {
    const uint8_t *reject = ps_batch_system(batch, PS_COLUMN_REJECT);
    for (uint32_t row = run->first_row; row < run->first_row + run->rows; row++)
        if (reject[row] != 0 && reject[row] < PS_REJECT_COUNT) lane->account.rejects[reject[row]]++;
}

/* Adds a batch up while it is there. */
static void gather(ps_lane *lane, const ps_batch *batch) {
    ps_account *account = &lane->account;
    uint64_t rows = batch->rows_before;
    for (uint32_t r = 0; r < batch->run_count; r++) {
        const ps_run *run = &batch->runs[r];
        const ps_tally sum = tally_rows(lane, batch, run);
        PS_CHECK_OP(run->rows, ==, sum.out + sum.filtered + sum.rejected);
        if (sum.rejected > 0) count_rejects(lane, batch, run);
        add_tally(&account->rows, sum);
        add_tally(&account->of[run->partition], sum);
        rows += run->rows;
    }
    PS_CHECK_OP(batch->rows, ==, rows);
    account->anomalies += count_anomalies(lane, batch);
    account->bytes += batch->payload_bytes;
    account->batches++;
}

void ps_lane_forget_account(ps_lane *lane) {
    ps_tally *of = lane->account.of;
    if (lane->account.batches > 0) memset(of, 0, lane->config.env.partitions->count * sizeof *of);
    lane->account = (ps_account){.of = of};
}

static void count_partitions(ps_lane *lane) {
    if (lane->config.env.partition_metrics == NULL) return;
    for (uint32_t p = 0; p < lane->config.env.partitions->count; p++) {
        const ps_tally *of = &lane->account.of[p];
        const uint64_t rows = of->out + of->filtered + of->rejected;
        if (rows == 0) continue;
        ps_partition_metrics *metrics = &lane->config.env.partition_metrics[p];
        ps_count(&metrics->rows_in, rows);
        ps_count(&metrics->rows_out, of->out);
        ps_count(&metrics->rows_filtered, of->filtered);
        ps_count(&metrics->rows_rejected, of->rejected);
    }
}

/* It is safely out: it is counted now and not earlier, so that an abort leaves no trace in the
 * totals. */
static void settle(ps_lane *lane) {
    const ps_account *account = &lane->account;
    ps_lane_metrics *metrics = lane->metrics;
    const ps_tally *rows = &account->rows;
    ps_count(&metrics->rows_in, rows->out + rows->filtered + rows->rejected);
    ps_count(&metrics->rows_out, rows->out);
    ps_count(&metrics->rows_filtered, rows->filtered);
    ps_count(&metrics->rows_rejected, rows->rejected);
    for (uint32_t i = 0; rows->rejected > 0 && i < PS_REJECT_COUNT; i++)
        if (account->rejects[i] > 0) ps_count(&metrics->rejects[i], account->rejects[i]);
    ps_count(&metrics->anomalies, account->anomalies);
    ps_count(&metrics->bytes_in, account->bytes);
    ps_count(&metrics->batches, account->batches);
    count_partitions(lane);
    ps_lane_forget_account(lane);
}

/* Rows the sink holds safely: tell the source, free the slots. */
static ps_status release(ps_lane *lane, bool *moved, int64_t *ask_again_ns, ps_error *error) {
    uint64_t flushed = lane->released;
    PS_TRY(lane->config.sink->flushed(lane->sink, &flushed, ask_again_ns, error));
    PS_CHECK_OP(flushed, <=, lane->emitted);
    if (flushed <= lane->released) return PS_OK;
    PS_CHECK_OP(flushed, >=, lane->freed);
    for (uint64_t ticket = lane->freed + 1; ticket <= flushed; ticket++) {
        const ps_batch *batch = ps_lane_slot(lane, ticket);
        gather(lane, batch);
        if (batch->rows_before == 0)
            ps_watch_batch(lane->plan, batch, lane->watch, lane->metrics->watch);
        const ps_sink *sink = lane->config.sink;
        if ((!sink->commits || sink->keeps_positions) && lane->config.source->commit != NULL)
            PS_TRY(lane->config.source->commit(lane->source, batch->positions,
                                               batch->position_count, error));
    }
    settle(lane);
    ps_lane_give_back(lane, lane->freed, flushed);
    lane->released = lane->freed = flushed;
    *moved = true;
    return PS_OK;
}

/* The sink's own count of what it took must agree with the columns: the accounting is checked
 * against a second witness. */
static void check_taken(ps_lane *lane, const ps_batch *batch) {
    ps_tally sum = {0, 0, 0};
    for (uint32_t r = 0; r < batch->run_count; r++)
        add_tally(&sum, tally_rows(lane, batch, &batch->runs[r]));
    PS_CHECK_OP(ps_read(&lane->metrics->sink_rows) - lane->sink_rows, ==, sum.out);
    PS_CHECK_OP(ps_read(&lane->metrics->sink_dead) - lane->sink_dead, ==, sum.rejected);
    lane->sink_rows = ps_read(&lane->metrics->sink_rows);
    lane->sink_dead = ps_read(&lane->metrics->sink_dead);
}

/* Slots whose batches the sink has copied: they are added up now. */
static void free_taken(ps_lane *lane) {
    if (!lane->frees) return;
    const uint64_t taken = lane->config.sink->taken(lane->sink, lane->released);
    PS_CHECK_OP(taken, <=, lane->emitted);
    if (taken <= lane->freed) return;
    for (uint64_t ticket = lane->freed + 1; ticket <= taken; ticket++)
        gather(lane, ps_lane_slot(lane, ticket));
    ps_lane_give_back(lane, lane->freed, taken);
    lane->freed = taken;
}

static ps_status emit(ps_lane *lane, bool *moved, ps_error *error) {
    PS_TRY(ps_lane_compute(lane, error));
    while (lane->emitted < lane->finished) {
        const int64_t begin_ns = ps_clock_ns();
        const ps_batch *batch = ps_lane_slot(lane, lane->emitted + 1);
        const ps_status status =
            lane->config.sink->emit(lane->sink, batch, lane->emitted + 1, error);
        ps_count(&lane->metrics->emit_ns, (uint64_t)(ps_clock_ns() - begin_ns));
        if (status == PS_AGAIN) break;
        PS_TRY(status);
        check_taken(lane, batch);
        lane->emitted++;
        *moved = true;
    }
    free_taken(lane);
    /* Every slot waits for the sink: it must not wait for more rows, since none can come. */
    const bool full = lane->submitted - lane->freed == lane->config.depth;
    if (lane->emitted == lane->submitted && lane->emitted > lane->released && (full || lane->ended))
        PS_TRY(lane->config.sink->flush(lane->sink, error));
    return PS_OK;
}

/* The first reject of a batch, when there is nowhere to put it. */
static ps_status refuse_rejects(const ps_lane *lane, const ps_batch *batch, ps_error *error) {
    if (lane->config.env.dead != NULL && !lane->config.fail_on_reject) return PS_OK;
    const uint8_t *reject = ps_batch_system(batch, PS_COLUMN_REJECT);
    uint32_t run = 0, row = 0;
    bool found = false;
    for (uint32_t r = 0; r < batch->run_count && !found; r++)
        for (uint32_t i = 0; i < batch->runs[r].rows && !found; i++) {
            run = r;
            row = batch->runs[r].first_row + i;
            found = reject[row] != 0;
        }
    if (!found) return PS_OK;
    char source[PS_OUTPUT_TEXT_MAX], reason[256];
    const int64_t offset = ((const int64_t *)ps_batch_system(batch, PS_COLUMN_OFFSET))[row];
    const uint32_t detail = ((const uint32_t *)ps_batch_system(batch, PS_COLUMN_DETAIL))[row];
    const uint32_t length =
        ps_enrich_source(lane->config.env.partitions, batch->runs[run].partition, offset, source);
    (void)ps_reject_reason(reject[row], detail, batch->schema, reason, sizeof reason);
    return ps_fail(error, PS_IO, "record %.*s is rejected (%s: %s); %s", (int)length, source,
                   ps_reject_code(reject[row]), reason,
                   lane->config.fail_on_reject
                       ? "decode.on_error is fail: correct the record, or set on_error: reject and "
                         "a dead_letter"
                       : "no dead_letter is configured to keep it: add one to the pipeline file");
}

/* One timed step of the preparation: decoding, series. */
static void timed(ps_counter *counter, int64_t *since_ns) {
    const int64_t now_ns = ps_clock_ns();
    ps_count(counter, (uint64_t)(now_ns - *since_ns));
    *since_ns = now_ns;
}

ps_status ps_lane_submit(ps_lane *lane, ps_error *error) {
    ps_batch *batch = ps_lane_slot(lane, lane->submitted + 1);
    int64_t since_ns = ps_clock_ns();
    if (lane->config.codec != NULL) lane->config.codec->decode(lane->codec, batch);
    timed(&lane->metrics->decode_ns, &since_ns);
    ps_lane_replay_positions(lane, batch);
    const uint64_t evicted = lane->series == NULL ? 0 : ps_series_evicted(lane->series);
    if (lane->series != NULL) ps_series_resolve(lane->series, batch, lane->key);
    ps_lane_replay_rows(lane, batch);
    timed(&lane->metrics->resolve_ns, &since_ns);
    PS_TRY(refuse_rejects(lane, batch, error));
    ps_columns_prefill(lane->plan, batch);
    batch->ticket = lane->submitted + 1;
    PS_TRY(ps_lane_warm_batch(lane, batch, evicted, error));
    PS_TRY(ps_lane_launch(lane, batch, error));
    lane->submitted++;
    lane->filling = false;
    ps_lane_tell_series(lane);
    return PS_OK;
}

void ps_lane_tell_series(ps_lane *lane) {
    if (lane->series == NULL) return;
    atomic_store_explicit(&lane->metrics->series, ps_series_count(lane->series),
                          memory_order_relaxed);
    atomic_store_explicit(&lane->metrics->series_evicted, ps_series_evicted(lane->series),
                          memory_order_relaxed);
}

/* A device wants long batches, and who holds slots until a commit long ones too. */
static void begin_batch(const ps_lane *lane, ps_batch *batch) {
    const ps_placement *placement = lane->config.placement;
    const bool may_move =
        placement != NULL && (placement->unmeasured || atomic_load(&placement->known) != NULL);
    ps_batch_reset(batch);
    if (lane->frees && lane->traffic == NULL && !may_move) batch->enough = ENOUGH_BYTES;
}

static ps_status fill(ps_lane *lane, bool *moved, int64_t *ask_again_ns, ps_error *error) {
    while (!lane->ended && lane->submitted - lane->freed < lane->config.depth &&
           !ps_lane_warm_waits(lane)) {
        ps_batch *batch = ps_lane_slot(lane, lane->submitted + 1);
        if (!lane->filling) begin_batch(lane, batch);
        lane->filling = true;
        ps_lane_tell_positions(lane, batch);
        const ps_sink *sink = lane->config.sink;
        batch->shown_ns = sink->shown == NULL ? 0 : sink->shown(lane->sink);
        const uint32_t rows = batch->rows;
        const int64_t begin_ns = ps_clock_ns();
        int64_t again_ns = INT64_MAX;
        const ps_status status = lane->config.source->fill(lane->source, batch, &again_ns, error);
        ps_count(&lane->metrics->fill_ns, (uint64_t)(ps_clock_ns() - begin_ns));
        if (batch->rows > rows) *moved = true;
        sooner(ask_again_ns, again_ns);
        if (status == PS_AGAIN) break;
        if (status != PS_OK && status != PS_END) return status;
        if (batch->rows > 0 || batch->position_count > 0) {
            PS_TRY(ps_lane_submit(lane, error));
            *moved = true;
        }
        if (status == PS_END) {
            lane->ended = true;
            *moved = true;
        }
    }
    return PS_OK;
}

/* What was committed is signed. */
static ps_status seal(ps_lane *lane, int64_t *ask_again_ns, ps_error *error) {
    int64_t again_ns = INT64_MAX;
    if (lane->sealer == NULL) return PS_OK;
    PS_TRY(lane->plan->seal.sealer->step(lane->sealer, &again_ns, error));
    sooner(ask_again_ns, again_ns);
    return PS_OK;
}

static ps_status step(ps_lane *lane, bool *moved, int64_t *ask_again_ns, ps_error *error) {
    bool hold = false;
    PS_TRY(release(lane, moved, ask_again_ns, error));
    PS_TRY(seal(lane, ask_again_ns, error));
    PS_TRY(emit(lane, moved, error));
    PS_TRY(ps_lane_event(lane, moved, &hold, error));
    PS_TRY(ps_lane_restore(lane, moved, error));
    if (lane->restoring > 0) sooner(ask_again_ns, ps_clock_ns() + 20 * PS_NS_PER_MS);
    if (lane->draining && (hold || lane->going_back)) lane->ended = true;
    if (hold || lane->going_back || lane->settling) return PS_OK;
    if (lane->move_to != NULL && lane->restoring == 0) {
        /* The queue runs dry first: its wake tells when. */
        if (lane->mark_done < lane->marked) return PS_OK;
        PS_TRY(ps_lane_move(lane, error));
        *moved = true;
    }
    return fill(lane, moved, ask_again_ns, error);
}

ps_status ps_lane_step(ps_lane *lane, bool *moved, int64_t *ask_again_ns, ps_error *error) {
    *moved = false;
    *ask_again_ns = INT64_MAX;
    const ps_status status = step(lane, moved, ask_again_ns, error);
    if (status == PS_ABORTED) {
        ps_count(&lane->metrics->aborts, 1);
        ps_lane_go_back(lane);
        *moved = true;
        return PS_OK;
    }
    PS_TRY(status);
    check(lane);
    if (!lane->ended || lane->released != lane->submitted) return PS_OK;
    /* What was committed and never signed is read back first, though nothing is left to seal. */
    if (lane->sealer != NULL && lane->restoring > 0 && !lane->going_back) return PS_OK;
    if (lane->sealer != NULL) {
        const ps_status left = lane->plan->seal.sealer->finish(lane->sealer, error);
        if (left != PS_OK) return left == PS_AGAIN ? PS_OK : left;
    }
    return PS_END;
}

void ps_lane_drain(ps_lane *lane) {
    lane->draining = true;
    lane->config.source->drain(lane->source);
}

bool ps_lane_ready(const ps_lane *lane) {
    return lane->restoring == 0 && !lane->going_back;
}

int64_t ps_lane_remaining(const ps_lane *lane) {
    return lane->config.source->remaining == NULL ? -1
                                                  : lane->config.source->remaining(lane->source);
}
