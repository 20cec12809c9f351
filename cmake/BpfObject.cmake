# SPDX-License-Identifier: Apache-2.0
# utrace_bpf_skeleton(NAME SOURCE DEPENDS...): compiles one BPF object and makes an interface library
# NAME from it, whose users can include "NAME.skel.h".
#
# The kernel's types come from the unpacked linux-bpf-dev; CO-RE fits the object to the kernel it is
# loaded on, so one object serves all supported kernels.
include_guard(GLOBAL)
find_program(UTRACE_CLANG NAMES clang clang-14 REQUIRED)
find_program(UTRACE_LLVM_STRIP NAMES llvm-strip llvm-strip-14 REQUIRED)
find_program(UTRACE_BPFTOOL bpftool PATHS "${UTRACE_DEPS}/usr/sbin" NO_DEFAULT_PATH REQUIRED)
find_path(UTRACE_VMLINUX_DIR vmlinux.h
  PATHS "${UTRACE_DEPS}/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/linux/bpf"
  NO_DEFAULT_PATH REQUIRED)

# libbpf itself, statically: its version is part of what we tested, and the guests have none. What it is linked to they
# have, and it is shared: trixie's libelf.a lacks functions of its own.
find_library(UTRACE_LIBBPF NAMES libbpf.a
  PATHS "${UTRACE_DEPS}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}" NO_DEFAULT_PATH REQUIRED)
find_library(UTRACE_LIBELF NAMES elf REQUIRED)
find_library(UTRACE_LIBZ NAMES z REQUIRED)
add_library(utrace_libbpf INTERFACE)
target_include_directories(utrace_libbpf SYSTEM INTERFACE "${UTRACE_DEPS}/usr/include")
target_link_libraries(utrace_libbpf
  INTERFACE "${UTRACE_LIBBPF}" "${UTRACE_LIBELF}" "${UTRACE_LIBZ}")

# utrace_bpf_object(NAME SOURCE): compiles one BPF object, NAME.bpf.o in the build's bpf/gallery/, with the target NAME.
function(utrace_bpf_object name source)
  set(object "${PROJECT_BINARY_DIR}/bpf/gallery/${name}.bpf.o")
  file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/bpf/gallery")
  utrace_bpf_compile("${source}" "${object}")
  add_custom_target(${name} ALL DEPENDS "${object}")
endfunction()

function(utrace_bpf_compile source object)
  get_filename_component(source "${source}" ABSOLUTE)
  get_filename_component(name "${object}" NAME_WE)
  add_custom_command(
    OUTPUT "${object}"
    COMMAND "${UTRACE_CLANG}" -g -O2 -mcpu=v3 --target=bpf -D__TARGET_ARCH_x86
            -Wall -Wextra -Wno-unused-parameter -Werror
            "-I${PROJECT_SOURCE_DIR}" -isystem "${UTRACE_DEPS}/usr/include"
            -isystem "${UTRACE_VMLINUX_DIR}"
            -MD -MF "${object}.d" -MT "${object}" -c "${source}" -o "${object}"
    COMMAND "${UTRACE_LLVM_STRIP}" -g "${object}"
    DEPENDS "${source}"
    DEPFILE "${object}.d"
    COMMENT "BPF object ${name}"
    VERBATIM)
endfunction()

function(utrace_bpf_skeleton name source)
  set(object "${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o")
  set(skeleton "${CMAKE_CURRENT_BINARY_DIR}/${name}.skel.h")
  utrace_bpf_compile("${source}" "${object}")
  add_custom_command(
    OUTPUT "${skeleton}"
    COMMAND "${UTRACE_BPFTOOL}" gen skeleton "${object}" name "${name}" > "${skeleton}"
    DEPENDS "${object}"
    COMMENT "BPF skeleton ${name}"
    VERBATIM)
  add_custom_target(${name}_skeleton DEPENDS "${skeleton}")
  add_library(${name} INTERFACE)
  add_dependencies(${name} ${name}_skeleton)
  target_include_directories(${name} SYSTEM INTERFACE "${CMAKE_CURRENT_BINARY_DIR}")
  target_link_libraries(${name} INTERFACE utrace_libbpf)
endfunction()
