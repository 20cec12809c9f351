# SPDX-License-Identifier: Apache-2.0
# What the guest gets at /payload, and the tests that run there.

set(UTRACE_SERIES 6.12 6.12-generic 6.1 7.3 debug kcsan)

# vm_payload(PATH path-in-payload FILE file [TARGET target] [TESTS]): one more file for /payload, of every series; with
# TESTS one that only tests want.
function(vm_payload)
  cmake_parse_arguments(arg "TESTS" "PATH;FILE;TARGET" "" ${ARGN})
  set(kind PAYLOAD)
  if(arg_TESTS)
    set(kind TESTS_PAYLOAD)
  endif()
  set_property(GLOBAL APPEND PROPERTY "UTRACE_${kind}_FILES" "${arg_FILE}=${arg_PATH}")
  if(arg_TARGET)
    set_property(GLOBAL APPEND PROPERTY "UTRACE_${kind}_TARGETS" "${arg_TARGET}")
  endif()
endfunction()

# vm_test_binary(target [GATES]): a GoogleTest program that `vm/run --tests` runs in the guest; each of its tests becomes a
# CTest test of its own, under the label vm. With GATES it needs the module that is built with gates: the guest of
# `vm/run --gates` has these tests and no others, and their label is seed.
function(vm_test_binary target)
  cmake_parse_arguments(arg "GATES" "" "" ${ARGN})
  set(kind VM)
  set(sets)
  if(arg_GATES)
    set(kind GATE)
    set(sets gates)
  endif()
  set_property(GLOBAL APPEND PROPERTY "UTRACE_${kind}_TEST_TARGETS" "${target}")
  set_property(GLOBAL APPEND PROPERTY "UTRACE_${kind}_TEST_FILES" "$<TARGET_FILE:${target}>=tests/${target}")
  set(results "${CMAKE_BINARY_DIR}/vm-results")
  set(script "${results}/${target}.ctest.cmake")
  add_custom_command(TARGET "${target}" POST_BUILD
    COMMAND "${PROJECT_SOURCE_DIR}/vm/discover_tests.py"
            "$<TARGET_FILE:${target}>" "${script}" "${PROJECT_SOURCE_DIR}/vm/verdict" "${results}" ${sets}
    BYPRODUCTS "${script}" VERBATIM)
  # What tests there are is known when the program is built, not when it is configured.
  file(WRITE "${results}/${target}.include.cmake"
    "if(EXISTS [==[${script}]==])\n  include([==[${script}]==])\nelse()\n  add_test(${target}-is-not-built false)\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${results}/${target}.include.cmake")
endfunction()

# vm_command_test(name LABEL label [KERNEL series] [SMP cpus] [SECONDS most] word...): a command in a guest of its own; its
# status and the kernel's log say whether it passes.
function(vm_command_test name)
  cmake_parse_arguments(arg "" "LABEL;KERNEL;SMP;SECONDS" "" ${ARGN})
  if(NOT arg_KERNEL)
    set(arg_KERNEL 6.12)
  endif()
  set(options --kernel "${arg_KERNEL}")
  if(arg_SMP)
    list(APPEND options --smp "${arg_SMP}")
  endif()
  if(arg_SECONDS)
    list(APPEND options --timeout "${arg_SECONDS}")
  endif()
  vm_run_test("${name}" LABEL "${arg_LABEL}" ${options} -- ${arg_UNPARSED_ARGUMENTS})
endfunction()

# vm_run_test(name LABEL label option...): vm/run with these options, whose status says whether it passes.
function(vm_run_test name)
  cmake_parse_arguments(arg "" "LABEL" "" ${ARGN})
  get_filename_component(preset "${CMAKE_BINARY_DIR}" NAME)
  add_test(NAME "${name}" COMMAND "${PROJECT_SOURCE_DIR}/vm/run" --preset "${preset}" ${arg_UNPARSED_ARGUMENTS})
  # As of a boot of tests: vm/run bounds itself.
  set_tests_properties("${name}" PROPERTIES LABELS "${arg_LABEL}" RUN_SERIAL ON TIMEOUT 14400)
endfunction()

# vm_program(target): a program that lies in the guest's PATH.
function(vm_program target)
  vm_payload(PATH "bin/${target}" FILE "$<TARGET_FILE:${target}>" TARGET "${target}")
endfunction()

# vm_races(PATH path-in-payload TARGET target): what the demonstration's races want beside the tools.
function(vm_races)
  cmake_parse_arguments(arg "" "PATH;TARGET" "" ${ARGN})
  set_property(GLOBAL APPEND PROPERTY UTRACE_RACE_FILES "$<TARGET_FILE:${arg_TARGET}>=${arg_PATH}")
  set_property(GLOBAL APPEND PROPERTY UTRACE_RACE_TARGETS "${arg_TARGET}")
endfunction()

# Called once, after all of the above: makes the targets payload-<series>, payload-<series>-gates and, without what only
# tests want, payload-<series>-tools and payload-<series>-races.
function(vm_finish_payload)
  foreach(series IN LISTS UTRACE_SERIES)
    foreach(variant "" "-gates" "-tools" "-races")
      set(kinds PAYLOAD TESTS_PAYLOAD VM_TEST)
      set(modules kmod utrace_splat utrace_event_count utrace_crash_suspend utrace_livepatch)
      set(module_variant)
      if(variant STREQUAL "-gates")
        set(kinds PAYLOAD TESTS_PAYLOAD GATE_TEST)
        list(APPEND modules utrace_seed)
        set(module_variant "-gates")
      elseif(variant STREQUAL "-races")
        set(kinds PAYLOAD RACE)
        set(modules kmod utrace_seed)
        set(module_variant "-gates")
      elseif(variant STREQUAL "-tools")
        set(kinds PAYLOAD)
        set(modules kmod utrace_event_count)
      endif()
      set(staged)
      set(needs utrace_vm_init)
      foreach(kind IN LISTS kinds)
        get_property(files GLOBAL PROPERTY "UTRACE_${kind}_FILES")
        get_property(targets GLOBAL PROPERTY "UTRACE_${kind}_TARGETS")
        list(APPEND staged ${files})
        list(APPEND needs ${targets})
      endforeach()
      # Part of the payload as soon as there is one; the guest does without it before.
      foreach(module IN LISTS modules)
        if(TARGET "${module}-${series}${module_variant}")
          get_property(file TARGET "${module}-${series}${module_variant}" PROPERTY UTRACE_MODULE)
          get_filename_component(name "${file}" NAME)
          list(APPEND staged "${file}=${name}")
          list(APPEND needs "${module}-${series}${module_variant}")
        endif()
      endforeach()
      add_custom_target("payload-${series}${variant}"
        COMMAND "${PROJECT_SOURCE_DIR}/vm/stage_payload.py"
                "${CMAKE_BINARY_DIR}/payload/${series}${variant}" ${staged}
        COMMENT "Staging the payload for ${series}${variant}" VERBATIM)
      add_dependencies("payload-${series}${variant}" ${needs})
    endforeach()
  endforeach()
endfunction()

# Called once, after vm_finish_payload(): one boot for each set of tests, as a CTest fixture that each of them requires,
# and a test that the boot's kernel log was clean. The sets are those of vm/discover_tests.py.
function(vm_finish_tests)
  get_property(targets GLOBAL PROPERTY UTRACE_VM_TEST_TARGETS)
  if(NOT targets)
    return()
  endif()
  vm_boot_fixture(vm 6.12 "*")
  vm_boot_fixture(seed 6.12 "*" --gates)
  foreach(series 6.1 7.3)
    vm_boot_fixture(smoke "${series}" "*Smoke*")
    vm_boot_fixture(full "${series}" "*")
  endforeach()
  foreach(series 6.12-generic debug)
    vm_boot_fixture(full "${series}" "*")
  endforeach()
  vm_boot_fixture(full debug-gates "*" --kernel debug --gates)
endfunction()

# vm_boot_fixture(label name filter [option...]): the name is the kernel's, unless the options of vm/run say another.
function(vm_boot_fixture label name filter)
  get_filename_component(preset "${CMAKE_BINARY_DIR}" NAME)
  set(file "${CMAKE_BINARY_DIR}/vm-results/${label}-${name}.json")
  if(NOT "--kernel" IN_LIST ARGN)
    list(PREPEND ARGN --kernel "${name}")
  endif()
  add_test(NAME "${label}/${name}/boot" COMMAND "${PROJECT_SOURCE_DIR}/vm/run" --preset "${preset}"
    --tests "${filter}" --collect --results "${file}" ${ARGN})
  set_tests_properties("${label}/${name}/boot" PROPERTIES
    # vm/run bounds itself, by the kernel's own measure, and says what it waited for; this is for a vm/run that hangs.
    LABELS "${label}" FIXTURES_SETUP "boot-${label}-${name}" RUN_SERIAL ON TIMEOUT 14400)
  add_test(NAME "${label}/${name}/kernel-log" COMMAND "${PROJECT_SOURCE_DIR}/vm/verdict" "${file}" --log)
  set_tests_properties("${label}/${name}/kernel-log" PROPERTIES
    LABELS "${label}" FIXTURES_REQUIRED "boot-${label}-${name}")
endfunction()
