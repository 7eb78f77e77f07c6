# docs/syscalls.md still says what the table says.
add_test(NAME syscalls_doc COMMAND ${CMAKE_SOURCE_DIR}/tools/gen-syscalls-doc --check)
