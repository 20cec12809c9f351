# SPDX-License-Identifier: Apache-2.0
# Abseil linked statically, and its C++ library with it: what we build must run in a bare guest of
# the same Debian release, which has neither. Debian's package holds both forms of each library and
# describes the shared one. Included once from the top, so that every directory sees these targets.
find_package(absl REQUIRED)

get_property(imported DIRECTORY PROPERTY IMPORTED_TARGETS)
foreach(target IN LISTS imported)
  get_target_property(type ${target} TYPE)
  if(NOT target MATCHES "^absl::" OR NOT type STREQUAL "SHARED_LIBRARY")
    continue()
  endif()
  get_target_property(configurations ${target} IMPORTED_CONFIGURATIONS)
  foreach(configuration IN LISTS configurations)
    get_target_property(shared ${target} IMPORTED_LOCATION_${configuration})
    string(REGEX REPLACE "\\.so[.0-9]*$" ".a" archive "${shared}")
    if(NOT EXISTS "${archive}")
      message(FATAL_ERROR "${target}: ${archive} is missing: apt install --reinstall libabsl-dev")
    endif()
    # For a shared library named outright the linker takes any file; it is the path that counts.
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION_${configuration} "${archive}"
                                               IMPORTED_SONAME_${configuration} "")
  endforeach()
endforeach()
