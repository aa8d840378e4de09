/* SPDX-License-Identifier: Apache-2.0
 * What this processor can do, asked once with CPUID (x86) or the kernel's HWCAP (Arm). A bit is
 * set only where the operating system also saves the registers.
 */
#ifndef PS_SIMD_CPU_H
#define PS_SIMD_CPU_H

#include <stdint.h>

enum {
    PS_CPU_AVX2 = 1,    /* with FMA, BMI2, SSE4.2 and PCLMUL, as every such processor has them */
    PS_CPU_AVX512 = 2,  /* F, BW, VL, DQ */
    PS_CPU_SHANI = 4,   /* x86 SHA extensions */
    PS_CPU_VPCLMUL = 8, /* carry-less multiplication of whole registers */
    PS_CPU_NEON = 16,
    PS_CPU_SHA2 = 32, /* Arm's SHA-256 instructions */
    PS_CPU_CRC = 64   /* Arm's CRC-32C instructions */
};

uint32_t ps_cpu_features(void);

/* What the processor calls itself, to tell one model from another; empty where it does not say. */
enum { PS_CPU_MODEL_MAX = 64 };
void ps_cpu_model(char text[PS_CPU_MODEL_MAX]);

#endif
