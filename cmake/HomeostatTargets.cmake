# homeostat_library(name SOURCES ... LIBS ...): a static library with our flags.
function(homeostat_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_link_libraries(${name} PUBLIC homeostat_flags ${A_LIBS})
endfunction()

# homeostat_test(name SOURCES ... LIBS ... [TIMEOUT seconds] [SERIAL]): one GoogleTest program, registered as one ctest
# entry per program (a process per case would cost more than the cases).
function(homeostat_test name)
  cmake_parse_arguments(A "SERIAL" "TIMEOUT" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_compile_options(${name} PRIVATE -O1) # what is tested is optimised in full; its test compiles in half the time
  target_link_libraries(${name} PRIVATE homeostat_flags ${A_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT})
  if(HOMEOSTAT_SANITIZE MATCHES "thread") # which cannot see how XGBoost's own threads wait for each other
    set_tests_properties(${name} PROPERTIES ENVIRONMENT OMP_NUM_THREADS=1)
  endif()
  if(A_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()
