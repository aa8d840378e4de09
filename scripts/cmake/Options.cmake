# SPDX-License-Identifier: Apache-2.0
# What can be switched, and the flags that every file is compiled with.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

foreach(PART KAFKA HWLOC OPENCL CUDA)
  set(PS_${PART} AUTO CACHE STRING "AUTO (where it is found), ON (or stop) or OFF")
  set_property(CACHE PS_${PART} PROPERTY STRINGS AUTO ON OFF)
endforeach()
set(PS_SANITIZE "" CACHE STRING "Sanitizers, separated by commas: address,undefined or thread")
option(PS_FUZZ "Build the libFuzzer targets (clang only)" OFF)
option(PS_SYSTEM_LIBRDKAFKA "Accept the distribution's librdkafka (2.0.2 on Debian 12) instead of the project's own" OFF)
if(PS_SYSTEM_LIBRDKAFKA AND PS_SANITIZE MATCHES thread)
  message(FATAL_ERROR "PS_SANITIZE=thread does not go with PS_SYSTEM_LIBRDKAFKA: a librdkafka that uses C11 threads, as "
    "distributions build it, crashes under ThreadSanitizer. Leave PS_SYSTEM_LIBRDKAFKA off: scripts/setup builds one that does not")
endif()
set(PS_DEPS ${PROJECT_SOURCE_DIR}/.deps CACHE PATH "Where scripts/setup puts what Debian does not have")

add_library(ps_flags INTERFACE)
target_include_directories(ps_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_compile_definitions(ps_flags INTERFACE _GNU_SOURCE PS_VERSION="${PROJECT_VERSION}")
# Contraction is off everywhere: a kernel must give the same bits on every compiler and processor.
target_compile_options(ps_flags INTERFACE -ffp-contract=off -fno-omit-frame-pointer
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Werror
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes;-Wmissing-prototypes>
  $<$<NOT:$<CONFIG:Debug>>:-fstack-protector-strong>)
# Hardening; tests/cli/test_hardening.sh reads the program for it. What a compiler or processor lacks is left out.
include(CheckPIESupported)
check_pie_supported()
include(CheckCCompilerFlag)
foreach(FLAG -fstack-clash-protection -fcf-protection=full -mbranch-protection=standard)
  string(MAKE_C_IDENTIFIER "PS_HAS${FLAG}" HAS)
  check_c_compiler_flag("${FLAG} -Werror" ${HAS})
  if(${HAS})
    target_compile_options(ps_flags INTERFACE ${FLAG})
  endif()
endforeach()
target_link_options(ps_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
if(PS_SANITIZE)
  target_compile_options(ps_flags INTERFACE -fsanitize=${PS_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(ps_flags INTERFACE -fsanitize=${PS_SANITIZE})
else()
  target_compile_definitions(ps_flags INTERFACE $<$<CONFIG:Release,RelWithDebInfo>:_FORTIFY_SOURCE=2>)
endif()

if(PS_FUZZ)
  target_compile_options(ps_flags INTERFACE -fsanitize=fuzzer-no-link) # coverage for libFuzzer
endif()

option(PS_BARE "Use no library but libc: floors 0 to 3 for scripts/gpu-check" OFF)
if(NOT PS_BARE)
  find_package(PkgConfig)
endif()
find_package(Threads REQUIRED)
target_link_libraries(ps_flags INTERFACE Threads::Threads)

# ps_resolve(PART variable why): PS_<PART>, AUTO, ON or OFF, becomes ON or OFF by whether the variable says that what
# it needs was found. ON without it ends here, with the reason.
macro(ps_resolve PART FOUND WHY)
  if(NOT "${PS_${PART}}" STREQUAL "OFF")
    if(${FOUND})
      set(PS_${PART} ON)
    elseif("${PS_${PART}}" STREQUAL "ON")
      message(FATAL_ERROR "PS_${PART}=ON, but ${WHY}")
    else()
      set(PS_${PART} OFF)
    endif()
  endif()
endmacro()
# ps_find(PART target module): the same for a module of pkg-config, which becomes PkgConfig::<target>.
macro(ps_find PART TARGET MODULE)
  if(PKG_CONFIG_FOUND AND NOT "${PS_${PART}}" STREQUAL "OFF")
    pkg_check_modules(${TARGET} QUIET IMPORTED_TARGET ${MODULE})
  endif()
  ps_resolve(${PART} ${TARGET}_FOUND "${MODULE} was not found: run scripts/setup")
endmacro()

# What knows the machine: hwloc for cores, libnuma for where memory lies. A bare GPU machine has neither.
ps_find(HWLOC HWLOC hwloc)
add_library(ps_machine INTERFACE)
if(PS_HWLOC)
  target_compile_definitions(ps_machine INTERFACE PS_HAVE_HWLOC)
  target_link_libraries(ps_machine INTERFACE PkgConfig::HWLOC)
  find_library(PS_NUMA numa)
  if(PS_NUMA)
    target_compile_definitions(ps_machine INTERFACE PS_HAVE_NUMA)
    target_link_libraries(ps_machine INTERFACE ${PS_NUMA})
  endif()
endif()
# Both drivers are loaded when they are needed. Here it is whether nvcc can make code for the one, and whether the
# other is there for the tests.
find_program(PS_NVCC nvcc HINTS ${PS_CUDA_ROOT}/bin ${PS_DEPS}/cuda/nvidia/cu13/bin /usr/local/cuda/bin)
ps_resolve(CUDA PS_NVCC "nvcc was not found: run scripts/setup --cuda, or set PS_CUDA_ROOT")
find_library(PS_OPENCL_DRIVER NAMES OpenCL libOpenCL.so.1)
ps_resolve(OPENCL PS_OPENCL_DRIVER "there is no OpenCL driver: run scripts/setup")

# Compressors of the file sink and of packed records: all three or none.
if(PKG_CONFIG_FOUND)
  pkg_check_modules(ZSTD QUIET IMPORTED_TARGET libzstd)
  pkg_check_modules(LZ4 QUIET IMPORTED_TARGET liblz4)
  pkg_check_modules(SNAPPY QUIET IMPORTED_TARGET snappy)
  pkg_check_modules(ZLIB QUIET IMPORTED_TARGET zlib) # of compressed record batches
endif()
if(ZSTD_FOUND AND LZ4_FOUND AND SNAPPY_FOUND)
  set(PS_FRAMES ON)
endif()
# The project's own librdkafka comes first unless the distribution's is asked for.
if(NOT PS_SYSTEM_LIBRDKAFKA)
  set(ENV{PKG_CONFIG_PATH} "${PS_DEPS}/librdkafka/lib/pkgconfig:$ENV{PKG_CONFIG_PATH}")
  ps_find(KAFKA RDKAFKA rdkafka-static>=2.13.2)
else()
  ps_find(KAFKA RDKAFKA rdkafka>=2.0.2)
endif()

function(ps_print_summary)
  message(STATUS "penstock ${PROJECT_VERSION}: ${CMAKE_BUILD_TYPE}, ${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}, ${CMAKE_SYSTEM_PROCESSOR}")
  message(STATUS "  Kafka ${PS_KAFKA} (librdkafka ${RDKAFKA_VERSION}) · hwloc ${PS_HWLOC} · OpenCL ${PS_OPENCL} · CUDA ${PS_CUDA} · sanitizers '${PS_SANITIZE}'")
endfunction()
