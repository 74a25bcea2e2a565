# homeostat_library(name SOURCES ... LIBS ...): a static library with our flags.
function(homeostat_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_link_libraries(${name} PUBLIC homeostat_flags ${A_LIBS})
endfunction()

# What every test includes, read once. An executable, because headers are precompiled for the code model that uses them.
function(homeostat_test_headers)
  set(unit "${CMAKE_BINARY_DIR}/generated/test_headers.cpp")
  file(CONFIGURE OUTPUT "${unit}" CONTENT "int main() {}\n")
  add_executable(homeostat_test_headers EXCLUDE_FROM_ALL "${unit}")
  target_compile_options(homeostat_test_headers PRIVATE -O0 "$<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>")
  target_link_libraries(homeostat_test_headers PRIVATE homeostat_flags GTest::gtest GTest::gmock)
  target_precompile_headers(homeostat_test_headers PRIVATE
    <gmock/gmock.h> <gtest/gtest.h> <algorithm> <chrono> <expected> <filesystem> <functional> <map> <optional> <string> <vector>)
endfunction()

# homeostat_test(name SOURCES ... LIBS ... [TIMEOUT seconds] [SERIAL]): one GoogleTest program, registered as one ctest
# entry per program (a process per case would cost more than the cases).
function(homeostat_test name)
  cmake_parse_arguments(A "SERIAL" "TIMEOUT" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_compile_options(${name} PRIVATE -O0 "$<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>") # what is tested is optimised in full; its test compiles a third faster
  if(NOT TARGET homeostat_test_headers)
    homeostat_test_headers()
  endif()
  target_precompile_headers(${name} REUSE_FROM homeostat_test_headers)
  if(CCACHE) # takes what uses precompiled headers only when it may take them as they are found
    set_target_properties(${name} PROPERTIES CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;${CCACHE}")
  endif()
  target_link_libraries(${name} PRIVATE homeostat_flags ${A_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  if(HOMEOSTAT_SANITIZE) # instrumented code is several times slower
    math(EXPR A_TIMEOUT "4 * ${A_TIMEOUT}")
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT})
  if(HOMEOSTAT_SANITIZE MATCHES "thread") # which cannot see how XGBoost's own threads wait for each other
    set_tests_properties(${name} PROPERTIES ENVIRONMENT OMP_NUM_THREADS=1)
  endif()
  if(A_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()
