# SPDX-License-Identifier: Apache-2.0
# utrace_unit_test(NAME SOURCES ... LIBRARIES ...): one GoogleTest program, each of its tests a CTest
# test of its own with the label `unit`.
find_package(GTest REQUIRED)
include(GoogleTest)

function(utrace_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} utrace_warnings GTest::gmock
                        GTest::gtest_main)
  gtest_discover_tests(${name} PROPERTIES LABELS unit TIMEOUT 60)
endfunction()
