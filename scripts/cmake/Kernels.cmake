# SPDX-License-Identifier: Apache-2.0
# How one kernel source becomes C, SIMD, CUDA C and OpenCL C.

# Kernels are exact whatever the optimiser does (contraction is off), so they may take -O3; errno and FP exception flags
# are nobody's business here, and without them square roots and conditions vectorise.
set(PS_KERNEL_FLAGS -fno-math-errno -fno-trapping-math $<$<NOT:$<CONFIG:Debug>>:-O3>)

# ps_add_kernels(files…): to penstock_core, with the kernels' flags.
function(ps_add_kernels)
  target_sources(penstock_core PRIVATE ${ARGN})
  set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS ${PS_KERNEL_FLAGS})
endfunction()

# The kernels' text inside the program, for drivers that compile at run time. Their headers are only
# dependencies here, so they may be globbed.
function(ps_embed_kernels)
  file(GLOB HEADERS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.h)
  set(TEXT ${PROJECT_BINARY_DIR}/kernel_text.c)
  add_custom_command(OUTPUT ${TEXT} VERBATIM
    COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR} "-DKERNELS=${PS_KERNELS}" -DOUT=${TEXT}
      -P ${PROJECT_SOURCE_DIR}/scripts/cmake/EmbedKernels.cmake
    DEPENDS ${PS_KERNELS} ${HEADERS} scripts/cmake/EmbedKernels.cmake)
  target_sources(penstock_core PRIVATE ${TEXT})
endfunction()

# ps_add_isa(processor "flags" files…): files that only run where the dispatch found their instruction set.
function(ps_add_isa PROCESSOR FLAGS)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL PROCESSOR)
    ps_add_kernels(${ARGN})
    set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS ${FLAGS})
  endif()
endfunction()

# ps_check_kernels(files…): the program that compares every implementation with the reference, its runs at every level,
# and the compile checks of every kernel in the other dialects. Libraries to compare with are linked where they are.
function(ps_check_kernels)
  add_executable(check_kernels ${ARGN})
  target_link_libraries(check_kernels PRIVATE penstock_kernel_bench m)
  foreach(LIBRARY XXHASH:libxxhash OPENSSL:libcrypto ISAL:libisal)
    string(REPLACE ":" ";" PAIR ${LIBRARY})
    list(GET PAIR 0 NAME)
    list(GET PAIR 1 MODULE)
    if(PKG_CONFIG_FOUND AND NOT CMAKE_CROSSCOMPILING)
      pkg_check_modules(PS_CHECK_${NAME} QUIET IMPORTED_TARGET ${MODULE})
    endif()
    if(PS_CHECK_${NAME}_FOUND)
      target_link_libraries(check_kernels PRIVATE PkgConfig::PS_CHECK_${NAME})
      target_compile_definitions(check_kernels PRIVATE PS_CHECK_${NAME})
    endif()
  endforeach()
  add_test(NAME check_kernels COMMAND check_kernels WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  foreach(LEVEL scalar avx2 avx512 neon sse9)
    add_test(NAME check_kernels_${LEVEL} COMMAND check_kernels --level ${LEVEL} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  endforeach()
  ps_check_dialects()
  ps_check_opencl()
  ps_check_aarch64()
endfunction()

# Every kernel on a real OpenCL driver, PoCL where there is no GPU, and a whole pipeline on it.
function(ps_check_opencl)
  if(PS_OPENCL AND NOT CMAKE_CROSSCOMPILING)
    add_test(NAME check_kernels_opencl COMMAND check_kernels --backend opencl WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set(PS_POCL "POCL_MAX_PTHREAD_COUNT=1;LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/vectors/kernels/lsan.supp")
    set_tests_properties(check_kernels_opencl PROPERTIES TIMEOUT 600 ENVIRONMENT "${PS_POCL}")
    if(TARGET penstock)
      add_test(NAME device_opencl COMMAND tests/device/run $<TARGET_FILE:penstock> opencl
        WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
      set_tests_properties(device_opencl PROPERTIES TIMEOUT 120 ENVIRONMENT "${PS_POCL}")
    endif()
  endif()
endfunction()

# Floors 0 to 2 for AArch64, run under qemu, where cross compiler and emulator are installed.
function(ps_check_aarch64)
  find_program(PS_AARCH64_GCC aarch64-linux-gnu-gcc)
  find_program(PS_QEMU_AARCH64 qemu-aarch64)
  if(PS_AARCH64_GCC AND PS_QEMU_AARCH64 AND NOT CMAKE_CROSSCOMPILING AND NOT PS_SANITIZE)
    add_test(NAME check_kernels_aarch64 COMMAND ${CMAKE_CTEST_COMMAND}
      --build-and-test ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/aarch64 --build-generator Ninja --build-noclean
      --build-target check_kernels --build-run-dir ${PROJECT_SOURCE_DIR} --build-options -DCMAKE_BUILD_TYPE=RelWithDebInfo
        -DCMAKE_TOOLCHAIN_FILE=${PROJECT_SOURCE_DIR}/scripts/cmake/aarch64.cmake
        -DPS_KAFKA=OFF -DPS_HWLOC=OFF -DPS_OPENCL=OFF -DPS_CUDA=OFF
      --test-command ${PS_QEMU_AARCH64} ${PROJECT_BINARY_DIR}/aarch64/check_kernels)
    set_tests_properties(check_kernels_aarch64 PROPERTIES TIMEOUT 600 WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  endif()
endfunction()

# Every kernel as OpenCL C 1.2, and as CUDA C where nvcc is installed.
function(ps_check_dialects)
  find_program(PS_CLANG NAMES clang clang-14)
  find_program(PS_NVCC nvcc HINTS ${PS_CUDA_ROOT}/bin ${PS_DEPS}/cuda/nvidia/cu13/bin /usr/local/cuda/bin)
  foreach(KERNEL ${PS_KERNELS})
    get_filename_component(NAME ${KERNEL} NAME_WE)
    set(SOURCE ${PROJECT_SOURCE_DIR}/${KERNEL})
    if(PS_CLANG)
      add_test(NAME dialect_opencl_${NAME} COMMAND ${PS_CLANG} -x cl -cl-std=CL1.2 -Xclang -finclude-default-header
        -target spir64 -I${PROJECT_SOURCE_DIR} -Wall -Wextra -Wpedantic -Werror -fsyntax-only ${SOURCE})
    endif()
    if(PS_NVCC)
      add_test(NAME dialect_cuda_${NAME} COMMAND ${PS_NVCC} -x cu -ptx --fmad=false --Werror all-warnings
        -I${PROJECT_SOURCE_DIR} ${SOURCE} -o ${PROJECT_BINARY_DIR}/dialect_${NAME}.ptx)
    endif()
  endforeach()
endfunction()
