# Language level, warnings, sanitizers, caching: what every target shares.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "build type" FORCE)
endif()

# Line tables are enough for a stack trace, and cost a quarter less compile time than full debug information.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
# GCC collects its garbage often enough to cost a tenth of the build, for memory that two compilers can have.
add_compile_options("$<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=700000>")

option(HOMEOSTAT_WITH_CAF "Build what links CAF and gRPC (off under ThreadSanitizer: Debian's are not instrumented)" ON)
set(HOMEOSTAT_SANITIZE "" CACHE STRING "value of -fsanitize=, for example address,undefined")

add_library(homeostat_flags INTERFACE)
# A user of the installed package keeps his own warnings.
target_compile_options(homeostat_flags INTERFACE
  "$<BUILD_INTERFACE:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Werror>"
  # GCC 12 sees ghosts in std::string once its headers are precompiled (its bugs 105329 and 105651).
  "$<BUILD_INTERFACE:$<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-restrict;-Wno-stringop-overflow;-Wno-stringop-overread>>")
target_compile_features(homeostat_flags INTERFACE cxx_std_23)
target_include_directories(homeostat_flags INTERFACE "$<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>")

if(HOMEOSTAT_SANITIZE)
  add_compile_options(-fsanitize=${HOMEOSTAT_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${HOMEOSTAT_SANITIZE})
  if(HOMEOSTAT_SANITIZE MATCHES "undefined")
    # CAF and Protobuf are built without the typeinfo this check wants; failures must fail the test.
    add_compile_options(-fno-sanitize=vptr -fno-sanitize-recover=all)
  endif()
endif()

find_program(CCACHE ccache)
if(CCACHE) # takes what uses precompiled headers only when it may take them as they are found
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;CCACHE_DEPEND=1;${CCACHE}")
  add_compile_options("$<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>")
endif()

find_program(MOLD mold)
if(MOLD) # a policy that changes is linked into fifty programs
  add_link_options(-fuse-ld=mold)
endif()
