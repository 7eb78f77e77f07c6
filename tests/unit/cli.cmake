# Unit tests of the CLI's parsers, and the daemon's tests around a host process without an enclave.
find_package(PkgConfig REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
find_package(Threads REQUIRED)

add_executable(fake-host
  ${CMAKE_SOURCE_DIR}/tests/fakes/fake_enclave.c ${CMAKE_SOURCE_DIR}/host/control.c
  ${CMAKE_SOURCE_DIR}/host/main.c ${CMAKE_SOURCE_DIR}/host/line.c ${CMAKE_SOURCE_DIR}/host/report.c
  ${CMAKE_SOURCE_DIR}/host/service.c ${CMAKE_SOURCE_DIR}/host/address.c ${CMAKE_SOURCE_DIR}/host/registry.c ${CMAKE_SOURCE_DIR}/host/terminal.c ${CMAKE_SOURCE_DIR}/host/service_call.c ${CMAKE_SOURCE_DIR}/host/service_text.c)
pkg_check_modules(MNL REQUIRED IMPORTED_TARGET libmnl)
target_link_libraries(fake-host PRIVATE optmig_host_flags PkgConfig::JANSSON PkgConfig::MNL Threads::Threads)
set_target_properties(fake-host PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

add_executable(test-cli-parsers
  ${CMAKE_SOURCE_DIR}/tests/unit/cli_parsers.c ${CMAKE_SOURCE_DIR}/cli/units.c
  ${CMAKE_SOURCE_DIR}/cli/hello.c ${CMAKE_SOURCE_DIR}/host/address.c ${CMAKE_SOURCE_DIR}/host/line.c ${CMAKE_SOURCE_DIR}/host/report.c)
target_link_libraries(test-cli-parsers PRIVATE optmig_host_flags PkgConfig::JANSSON cmocka m)
set_target_properties(test-cli-parsers PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME cli-parsers COMMAND test-cli-parsers)

add_executable(test_elf_file ${CMAKE_SOURCE_DIR}/tests/unit/test_elf_file.c ${CMAKE_SOURCE_DIR}/cli/elf_file.c)
target_link_libraries(test_elf_file PRIVATE optmig_host_flags cmocka)
set_target_properties(test_elf_file PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME test_elf_file COMMAND test_elf_file)
set_tests_properties(test_elf_file PROPERTIES TIMEOUT 120 LABELS unit)

add_test(NAME daemon
  COMMAND ${CMAKE_SOURCE_DIR}/tests/daemon/daemon.py ${CMAKE_BINARY_DIR})
set_tests_properties(daemon PROPERTIES TIMEOUT 300)
