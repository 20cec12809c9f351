# SPDX-License-Identifier: Apache-2.0
# What the guest gets at /payload, and the tests that run there.

set(UTRACE_SERIES 6.12 6.12-generic 6.1 7.3 debug)

# vm_payload(PATH path-in-payload FILE file [TARGET target]): one more file for /payload, of every series.
function(vm_payload)
  cmake_parse_arguments(arg "" "PATH;FILE;TARGET" "" ${ARGN})
  set_property(GLOBAL APPEND PROPERTY UTRACE_PAYLOAD_FILES "${arg_FILE}=${arg_PATH}")
  if(arg_TARGET)
    set_property(GLOBAL APPEND PROPERTY UTRACE_PAYLOAD_TARGETS "${arg_TARGET}")
  endif()
endfunction()

# vm_test_binary(target): a GoogleTest program that `vm/run --tests` runs in the guest; each of its tests becomes a
# CTest test of its own, under the label vm.
function(vm_test_binary target)
  vm_payload(PATH "tests/${target}" FILE "$<TARGET_FILE:${target}>" TARGET "${target}")
  set_property(GLOBAL APPEND PROPERTY UTRACE_VM_TEST_TARGETS "${target}")
endfunction()

# vm_program(target): a program that lies in the guest's PATH.
function(vm_program target)
  vm_payload(PATH "bin/${target}" FILE "$<TARGET_FILE:${target}>" TARGET "${target}")
endfunction()

# Called once, after all of the above: makes the targets payload-<series> and payload-<series>-gates.
function(vm_finish_payload)
  get_property(files GLOBAL PROPERTY UTRACE_PAYLOAD_FILES)
  get_property(targets GLOBAL PROPERTY UTRACE_PAYLOAD_TARGETS)
  foreach(series IN LISTS UTRACE_SERIES)
    foreach(variant "" "-gates")
      set(staged ${files})
      set(needs ${targets} utrace_vm_init)
      # Part of the payload as soon as there is one; the guest does without it before.
      foreach(module kmod utrace_splat)
        if(TARGET "${module}-${series}${variant}")
          get_property(file TARGET "${module}-${series}${variant}" PROPERTY UTRACE_MODULE)
          get_filename_component(name "${file}" NAME)
          list(APPEND staged "${file}=${name}")
          list(APPEND needs "${module}-${series}${variant}")
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
