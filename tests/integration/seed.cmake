# SPDX-License-Identifier: Apache-2.0
# The races, each as one literal interleaving: on the module built with gates, by vm/run --gates --tests.
kernel_module(NAME utrace_seed SOURCE_DIR kmod KERNELS ${UTRACE_SERIES} USES_UTRACE)

tracee(puppet)

function(seed_test name)
  add_executable(${name} ${name}.cc ${ARGN})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${integration_tests}")
  target_link_libraries(${name} PRIVATE seed_harness utrace_warnings)
  vm_test_binary(${name} GATES)
endfunction()

add_library(seed_harness STATIC seed.cc)
target_link_libraries(seed_harness PUBLIC integration_harness PRIVATE utrace_warnings)

seed_test(seed_resume_test seed_main.cc)
seed_test(seed_pass_test seed_main.cc)
seed_test(seed_roster_test seed_main.cc)
seed_test(seed_death_test seed_main.cc)
seed_test(seed_audit_test seed_main.cc)
seed_test(seed_job_test seed_main.cc)
seed_test(seed_nesting_test seed_main.cc)

# Two of them are run by the demonstration.
vm_races(PATH tests/seed_job_test TARGET seed_job_test)
vm_races(PATH tests/seed_resume_test TARGET seed_resume_test)
vm_races(PATH tracees/puppet TARGET puppet)

# Here no interleaving needs a gate: these are the tests of the release module, for its mutations.
foreach(name stop_test lifecycle_test syscall_test
    signal_test signal_effect_test signal_force_test signal_hold_test signal_inject_test
    signal_handler_test jctl_test exit_code_test step_test
    step_neighbour_test stop_place_test syscall_again_test handover_test nested_test rights_test rights_exec_test compat_test
    call_neighbour_test bpf_engine_test)
  add_executable(seed_${name} ${name}.cc)
  set_target_properties(seed_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${integration_tests}")
  target_link_libraries(seed_${name} PRIVATE integration_harness GTest::gtest_main utrace_warnings)
  vm_test_binary(seed_${name} GATES)
endforeach()

target_link_libraries(seed_bpf_engine_test PRIVATE GTest::gmock utrace_bpf utrace_libbpf)

# SEED-1 and all the others: `check` runs them 5 times.
vm_run_test(full/6.12/races-100-times LABEL full
  --gates --tests "*.Seed*" --env UTRACE_REPEAT=100 --test-timeout 1800 --timeout 14000)

# One that fits no more would else be noticed only when its third comes up.
get_filename_component(preset "${CMAKE_BINARY_DIR}" NAME)
add_test(NAME mutations.fit COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/mutations/run --preset "${preset}" --fit)
set_tests_properties(mutations.fit PROPERTIES LABELS unit)
