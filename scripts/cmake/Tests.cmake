# SPDX-License-Identifier: Apache-2.0
# ps_test(name SOURCES a.c … LIBRARIES x … [LABELS …] [TIMEOUT seconds] [ONE_THREAD]): a cmocka program that is one
# test. ONE_THREAD: nothing of it runs in a second thread, so ThreadSanitizer, which would take minutes, has nothing to find.
find_library(PS_CMOCKA cmocka)
function(ps_test NAME)
  cmake_parse_arguments(T "ONE_THREAD" "TIMEOUT" "SOURCES;LIBRARIES;LABELS;ARGS" ${ARGN})
  if(T_ONE_THREAD AND PS_SANITIZE MATCHES thread)
    return()
  endif()
  if(NOT PS_CMOCKA)
    return() # a bare GPU machine has no cmocka: check_kernels alone runs there
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  add_executable(test_${NAME} ${T_SOURCES})
  target_link_libraries(test_${NAME} PRIVATE ${T_LIBRARIES} ${PS_CMOCKA})
  add_test(NAME ${NAME} COMMAND test_${NAME} ${T_ARGS} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${NAME} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}")
endfunction()

# ps_fuzz(name SOURCES a.c … LIBRARIES x …): a libFuzzer target, and a test that lets it run for a minute, from its
# corpus in tests/fuzz/corpus/NAME. What it finds goes to build/fuzz/found/NAME and is gone on from the next time.
set(PS_FUZZ_SECONDS 60 CACHE STRING "How long ctest lets each libFuzzer target run")
function(ps_fuzz NAME)
  cmake_parse_arguments(T "" "" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT PS_FUZZ)
    return()
  endif()
  add_executable(fuzz_${NAME} ${T_SOURCES})
  target_link_libraries(fuzz_${NAME} PRIVATE ${T_LIBRARIES})
  target_link_options(fuzz_${NAME} PRIVATE -fsanitize=fuzzer)
  set_property(GLOBAL APPEND PROPERTY PS_FUZZERS fuzz_${NAME})
  add_test(NAME fuzz_${NAME} COMMAND ${PROJECT_SOURCE_DIR}/scripts/fuzz --no-build --seconds ${PS_FUZZ_SECONDS} ${NAME})
  math(EXPR LIMIT "${PS_FUZZ_SECONDS} + 120")
  set_tests_properties(fuzz_${NAME} PROPERTIES TIMEOUT ${LIMIT} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()

# The fuzz preset builds this and nothing else.
function(ps_fuzz_all)
  get_property(FUZZERS GLOBAL PROPERTY PS_FUZZERS)
  if(FUZZERS)
    add_custom_target(fuzzers DEPENDS ${FUZZERS})
  endif()
endfunction()

# The release preset builds this: all programs but the tests, which a user does not run.
function(ps_programs)
  add_custom_target(programs)
  get_property(TARGETS DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
  foreach(PROGRAM ${TARGETS})
    get_target_property(KIND ${PROGRAM} TYPE)
    if(KIND MATCHES "^(EXECUTABLE|MODULE_LIBRARY)$" AND NOT PROGRAM MATCHES "^(test|fuzz)_")
      add_dependencies(programs ${PROGRAM})
    endif()
  endforeach()
endfunction()
