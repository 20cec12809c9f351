# SPDX-License-Identifier: Apache-2.0
# Where tools/setup keeps what it fetched: one place outside the checkout, shared by all builds.
if(DEFINED ENV{UTRACE_CACHE})
  set(UTRACE_CACHE "$ENV{UTRACE_CACHE}")
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(UTRACE_CACHE "$ENV{XDG_CACHE_HOME}/utrace")
else()
  set(UTRACE_CACHE "$ENV{HOME}/.cache/utrace")
endif()
# The prefix into which libbpf, bpftool and vmlinux.h are unpacked; the system is left as it is.
set(UTRACE_DEPS "${UTRACE_CACHE}/deps" CACHE PATH "prefix of the privately unpacked packages")
if(NOT EXISTS "${UTRACE_DEPS}")
  message(FATAL_ERROR "no unpacked dependencies in ${UTRACE_DEPS}: run tools/setup first")
endif()
