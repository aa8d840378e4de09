/* SPDX-License-Identifier: Apache-2.0 */
#include "simd/cpu.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* XCR0 says which registers the operating system saves. Written in bytes: old assemblers lack the
 * name. */
static uint32_t saved_registers(void) {
    uint32_t low, high;
    __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static uint32_t all(uint32_t word, uint32_t bits) {
    return (word & bits) == bits;
}

uint32_t ps_cpu_features(void) {
    uint32_t a, b, c, d, features = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !all(c, bit_OSXSAVE)) return 0;
    const uint32_t saved = saved_registers();
    const uint32_t base = all(c, bit_AVX | bit_FMA | bit_SSE4_2 | bit_PCLMUL | bit_POPCNT);
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if (!base || !all(b, bit_AVX2 | bit_BMI | bit_BMI2) || !all(saved, 0x6)) return 0;
    features |= PS_CPU_AVX2;
    if (all(b, bit_SHA)) features |= PS_CPU_SHANI;
    if (all(b, bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ) && all(saved, 0xe6)) {
        features |= PS_CPU_AVX512;
        if (all(c, bit_VPCLMULQDQ)) features |= PS_CPU_VPCLMUL;
    }
    return features;
}

void ps_cpu_model(char text[PS_CPU_MODEL_MAX]) {
    uint32_t words[13] = {0};
    uint32_t a = 0, b, c, d;
    text[0] = 0;
    if (!__get_cpuid(0x80000000u, &a, &b, &c, &d) || a < 0x80000004u) return;
    for (uint32_t i = 0; i < 3; i++)
        (void)__get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                          &words[4 * i + 3]);
    /* Family and model as well: hypervisors shorten the name. */
    (void)__get_cpuid(1, &a, &b, &c, &d);
    (void)snprintf(text, PS_CPU_MODEL_MAX, "%.48s %x", (const char *)words, a);
}

#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

uint32_t ps_cpu_features(void) {
    const unsigned long hwcap = getauxval(AT_HWCAP);
    uint32_t features = PS_CPU_NEON;
    if (hwcap & HWCAP_SHA2) features |= PS_CPU_SHA2;
    if (hwcap & HWCAP_CRC32) features |= PS_CPU_CRC;
    return features;
}

void ps_cpu_model(char text[PS_CPU_MODEL_MAX]) {
    uint64_t id = 0;
    /* The kernel answers for this register where it says so. */
    if (getauxval(AT_HWCAP) & HWCAP_CPUID) __asm__("mrs %0, midr_el1" : "=r"(id));
    (void)snprintf(text, PS_CPU_MODEL_MAX, "midr %llx", (unsigned long long)id);
}

#else
uint32_t ps_cpu_features(void) {
    return 0;
}

void ps_cpu_model(char text[PS_CPU_MODEL_MAX]) {
    text[0] = 0;
}
#endif
