# SPDX-License-Identifier: Apache-2.0
# Cross-builds for AArch64 and runs the tests under qemu: static programs, so no target libraries are looked for.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
# No C++ is built here; the C compiler stands in, so that the root file configures without a second package.
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER_FORCED TRUE)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
