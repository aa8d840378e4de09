# SPDX-License-Identifier: Apache-2.0
# ps_test(name SOURCES a.c … LIBRARIES x … [LABELS …] [TIMEOUT seconds]): a cmocka program that is one test.
find_library(PS_CMOCKA cmocka)
function(ps_test NAME)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;LIBRARIES;LABELS;ARGS" ${ARGN})
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

# ps_fuzz(name SOURCES a.c … LIBRARIES x …): a libFuzzer target, and a test that lets it run for a few seconds.
function(ps_fuzz NAME)
  cmake_parse_arguments(T "" "" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT PS_FUZZ)
    return()
  endif()
  add_executable(fuzz_${NAME} ${T_SOURCES})
  target_link_libraries(fuzz_${NAME} PRIVATE ${T_LIBRARIES})
  target_link_options(fuzz_${NAME} PRIVATE -fsanitize=fuzzer)
  add_test(NAME fuzz_${NAME} COMMAND fuzz_${NAME} -max_total_time=10 -max_len=4096 -print_final_stats=0)
endfunction()
