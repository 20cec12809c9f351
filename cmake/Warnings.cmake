# SPDX-License-Identifier: Apache-2.0
option(UTRACE_WERROR "Treat warnings of our own code as errors" OFF)
add_library(utrace_warnings INTERFACE)
target_compile_options(utrace_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion)
if(UTRACE_WERROR)
  target_compile_options(utrace_warnings INTERFACE -Werror)
endif()
