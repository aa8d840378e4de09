/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/seal.h"
#include "host/cli/term.h"

enum { LIVE_NS = 100000000, BAR = 30 };

void ps_seal_live_begin(ps_seal_live *live, bool wanted) {
    live->started_ns = ps_clock_ns();
    live->shown_ns = live->started_ns;
    live->on = wanted && ps_term_is(STDERR_FILENO);
}

void ps_seal_live_tell(ps_seal_live *live, uint64_t entries, uint64_t size) {
    char line[200], bar[BAR + 1], done[PS_TEXT_NUMBER_MAX], rate[PS_TEXT_NUMBER_MAX];
    if (!live->on) return;
    const int64_t now = ps_clock_ns();
    if (now - live->shown_ns < LIVE_NS) return;
    live->shown_ns = now;
    const double share = (double)entries / (double)size;
    const double seconds = (double)(now - live->started_ns) / 1e9;
    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)(share * BAR));
    bar[BAR] = '\0';
    (void)snprintf(line, sizeof line, "%s %3.0f %%  %s entries  %s/s  %.0f s left", bar,
                   share * 100, ps_text_about_count((double)entries, done),
                   ps_text_about_count((double)entries / seconds, rate), seconds / share - seconds);
    ps_log_live(line);
}

void ps_seal_live_hide(const ps_seal_live *live) {
    if (live->on) ps_log_live("");
}
