# SPDX-License-Identifier: Apache-2.0
# Kernel modules, built out of their source tree, each kernel's with the compiler that fits it.

set(UTRACE_MODULE_BUILDER "${PROJECT_SOURCE_DIR}/vm/build_module.py")

# kernel_module(NAME name SOURCE_DIR dir KERNELS series... [DEFAULT series...] [USES_UTRACE])
# Makes <build>/kmod/<series>/<name>.ko by the target <name>-<series> (for utrace itself: kmod-<series>), and the same with
# gates in kmod/<series>-gates/. Only the DEFAULT kernels, and no gate build, belong to `all`. With USES_UTRACE it is built
# against what utrace's own module exports.
function(kernel_module)
  cmake_parse_arguments(arg "USES_UTRACE" "NAME;SOURCE_DIR" "KERNELS;DEFAULT" ${ARGN})
  get_filename_component(source "${arg_SOURCE_DIR}" ABSOLUTE)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS
    "${source}/*.c" "${source}/*.h" "${source}/*.S" "${source}/Kbuild" "${source}/*/Kbuild" "${source}/Makefile"
    "${PROJECT_SOURCE_DIR}/include/*.h")
  set(prefix "${arg_NAME}")
  if(arg_NAME STREQUAL "utrace")
    set(prefix "kmod")
  endif()
  foreach(series IN LISTS arg_KERNELS)
    foreach(variant "" "-gates")
      set(all)
      if(series IN_LIST arg_DEFAULT AND NOT variant)
        set(all ALL)
      endif()
      set(needs ${sources})
      set(options)
      if(variant)
        list(APPEND options UTRACE_GATES=1 KCFLAGS=-DUTRACE_GATES)
      endif()
      if(arg_USES_UTRACE)
        set(utrace "${CMAKE_BINARY_DIR}/kmod/${series}${variant}")
        list(APPEND needs "${utrace}/utrace.ko")
        list(APPEND options "KBUILD_EXTRA_SYMBOLS=${utrace}/utrace.tree/kmod/Module.symvers")
      endif()
      kernel_module_variant("${arg_NAME}" "${source}" "${series}" "${variant}" "${prefix}" "${needs}" "${all}" ${options})
    endforeach()
  endforeach()
endfunction()

function(kernel_module_variant name source series variant prefix sources all)
  set(output "${CMAKE_BINARY_DIR}/kmod/${series}${variant}/${name}.ko")
  # A newer kernel in the cache rewrites this file, and its modules are built anew.
  set(version "${UTRACE_CACHE}/kernels/${series}/version")
  if(NOT EXISTS "${version}")
    set(version)
  endif()
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/kmod/${series}${variant}")
  add_custom_command(OUTPUT "${output}"
    COMMAND "${UTRACE_MODULE_BUILDER}" --kernel "${series}" --name "${name}" --source "${source}"
            --output "${output}" -- UTRACE_VERSION=${PROJECT_VERSION} ${ARGN}
    DEPENDS ${sources} ${version} "${UTRACE_MODULE_BUILDER}"
    COMMENT "Building ${name}.ko for ${series}${variant}" VERBATIM)
  add_custom_target("${prefix}-${series}${variant}" ${all} DEPENDS "${output}")
  set_property(TARGET "${prefix}-${series}${variant}" PROPERTY UTRACE_MODULE "${output}")
endfunction()
