# Headers that many units include are read once (precompiled), not by each unit: those of the standard library, of
# packages, and for the units of one folder also what all of them include. A change of one rebuilds all who share it.
# homeostat_headers(name HEADERS ... LIBS ... [OPTIONS ...]): who shares them has the same options.
function(homeostat_headers name)
  cmake_parse_arguments(A "" "" "HEADERS;LIBS;OPTIONS" ${ARGN})
  set(unit "${CMAKE_BINARY_DIR}/generated/${name}.cpp")
  file(CONFIGURE OUTPUT "${unit}" CONTENT "// Headers only.\n")
  add_library(${name} STATIC EXCLUDE_FROM_ALL "${unit}")
  target_compile_options(${name} PRIVATE ${A_OPTIONS})
  target_link_libraries(${name} PRIVATE homeostat_flags ${A_LIBS})
  target_precompile_headers(${name} PRIVATE
    <algorithm> <array> <chrono> <cmath> <cstdint> <expected> <filesystem> <functional> <map> <memory> <optional> <set> <span>
    <sstream> <string> <string_view> <unordered_map> <utility> <variant> <vector> ${A_HEADERS})
endfunction()
homeostat_headers(homeostat_standard_headers)

# homeostat_share_headers(name stem): the standard library's where `stem` is empty.
function(homeostat_share_headers name stem)
  if(NOT stem)
    set(stem homeostat_standard_headers)
  endif()
  target_precompile_headers(${name} REUSE_FROM ${stem})
endfunction()

# Compiles a target's files four at a time, which takes half the time where their headers are most of the work. The four
# share one anonymous namespace.
function(homeostat_together name)
  set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 4)
endfunction()

# homeostat_library(name [TOGETHER] [HEADERS stem] SOURCES ... LIBS ... [OPTIONS ...]): a static library with our flags;
# `stem` is of homeostat_headers.
function(homeostat_library name)
  cmake_parse_arguments(A "TOGETHER" "HEADERS" "SOURCES;LIBS;OPTIONS" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_compile_options(${name} PRIVATE ${A_OPTIONS})
  target_link_libraries(${name} PUBLIC homeostat_flags ${A_LIBS})
  homeostat_share_headers(${name} "${A_HEADERS}")
  if(A_TOGETHER)
    homeostat_together(${name})
  endif()
endfunction()

# homeostat_program(name [HEADERS stem] SOURCES ... LIBS ... [OPTIONS ...]): -fPIC, as the libraries, because headers are
# precompiled for one model of code.
function(homeostat_program name)
  cmake_parse_arguments(A "" "HEADERS" "SOURCES;LIBS;OPTIONS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_compile_options(${name} PRIVATE -fPIC ${A_OPTIONS})
  target_link_libraries(${name} PRIVATE homeostat_flags ${A_LIBS})
  homeostat_share_headers(${name} "${A_HEADERS}")
endfunction()

# homeostat_allocator(program): memory that one thread takes and another gives back costs glibc's allocator a quarter of a
# durable apply (decision 20). A sanitizer brings its own.
find_library(JEMALLOC jemalloc)
function(homeostat_allocator program)
  if(JEMALLOC AND NOT HOMEOSTAT_SANITIZE)
    target_link_libraries(${program} PRIVATE "${JEMALLOC}")
  endif()
endfunction()

# What is tested is optimised in full; its test compiles in half the time.
set(HOMEOSTAT_TEST_OPTIONS -O0)
if(NOT HOMEOSTAT_SANITIZE) # whose reports name lines
  list(APPEND HOMEOSTAT_TEST_OPTIONS -g0)
endif()

# homeostat_timeout(test seconds): more where instrumented code is several times slower.
function(homeostat_timeout test seconds)
  if(HOMEOSTAT_SANITIZE)
    math(EXPR seconds "4 * ${seconds}")
  endif()
  set_tests_properties(${test} PROPERTIES TIMEOUT ${seconds})
endfunction()

# homeostat_test(name [HEADERS stem] SOURCES ... LIBS ... [TIMEOUT seconds] [SERIAL] [APART]): one GoogleTest program,
# registered as one ctest entry (a process per case would cost more than the cases). APART where its files give one name
# to different things.
function(homeostat_test name)
  cmake_parse_arguments(A "SERIAL;APART" "HEADERS;TIMEOUT" "SOURCES;LIBS" ${ARGN})
  if(NOT A_HEADERS)
    set(A_HEADERS homeostat_test_headers)
  endif()
  homeostat_program(${name} HEADERS ${A_HEADERS} OPTIONS ${HOMEOSTAT_TEST_OPTIONS}
    SOURCES ${A_SOURCES} LIBS ${A_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
  if(NOT A_APART)
    homeostat_together(${name})
  endif()
  add_test(NAME ${name} COMMAND ${name})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  homeostat_timeout(${name} ${A_TIMEOUT})
  if(HOMEOSTAT_SANITIZE MATCHES "thread") # which cannot see how XGBoost's own threads wait for each other
    set_tests_properties(${name} PROPERTIES ENVIRONMENT OMP_NUM_THREADS=1)
  endif()
  if(A_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()
