/* SPDX-License-Identifier: Apache-2.0
 * Which implementation of a kernel is the fastest on this very processor. What CPUID says is not
 * enough: one that has SHA instructions may be faster with sixteen lanes of AVX-512, and the next
 * model of it the other way round. All implementations agree to the bit, so the choice may change
 * at any time, and only the speed with it.
 */
#ifndef PS_SIMD_CALIBRATE_H
#define PS_SIMD_CALIBRATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Room for ps_calibration_text(). */
enum { PS_CALIBRATION_TEXT_MAX = 2048 };

/* Measures what there is to choose from and chooses; kernels whose implementations are one text
 * with other flags keep the order of implementations.def. Some 50 ms of the calling thread, 150 at
 * most. Where PS_ISA forces a level, the choice is among its implementations.
 * Fails: false where `stop` became true, or memory is short; then nothing has changed. */
bool ps_calibrate(const atomic_bool *stop);

/* The choice as lines of kernel, tab, implementation; and back. False where a line names what this
 * machine has not: the lines before it hold nevertheless. */
size_t ps_calibration_text(char text[PS_CALIBRATION_TEXT_MAX]);
bool ps_calibration_apply(const char *text, size_t bytes);

#endif
