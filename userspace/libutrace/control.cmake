# SPDX-License-Identifier: Apache-2.0
# The control plane: sessions on the module's device.
add_library(utrace_control STATIC
  brake.cc char_device.cc control_names.cc engine.cc engine_view.cc interrupt_effect.cc machine.cc
  memory.cc process_info.cc process_maps.cc registers.cc session.cc)
target_compile_definitions(utrace_control PUBLIC UTRACE_VERSION="${PROJECT_VERSION}")
target_link_libraries(utrace_control
  PUBLIC utrace_base absl::span absl::status absl::statusor absl::strings absl::time
  PRIVATE utrace_warnings)

add_library(utrace_fake_device STATIC ../testing/fake_device.cc)
target_link_libraries(utrace_fake_device PUBLIC utrace_control PRIVATE utrace_warnings)

utrace_unit_test(session_test SOURCES session_test.cc LIBRARIES utrace_fake_device)
utrace_unit_test(process_info_test SOURCES process_info_test.cc LIBRARIES utrace_control)
utrace_unit_test(interrupt_effect_test SOURCES interrupt_effect_test.cc LIBRARIES utrace_control)
