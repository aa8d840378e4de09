# SPDX-License-Identifier: Apache-2.0
# How one kernel source becomes C, SIMD, CUDA C and OpenCL C.
