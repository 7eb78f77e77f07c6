# The dispatcher of system calls, natively.  Not with ASan: its shadow lies where the tables are.
if(NOT OPTMIG_SANITIZE)
  set(OPTMIG_SYSCALLS_UNDER_TEST call_check futex_pi hooks host_result path process receive_timeout sys_hooks sys_limits sys_message sys_path sys_process
    sys_time sys_wait syscall syscall_table text timers)
  list(TRANSFORM OPTMIG_SYSCALLS_UNDER_TEST PREPEND ${CMAKE_SOURCE_DIR}/enclave/)
  list(TRANSFORM OPTMIG_SYSCALLS_UNDER_TEST APPEND .c)
  foreach(name syscalls syscall_waits syscall_table)
    add_executable(test_${name} ${CMAKE_CURRENT_SOURCE_DIR}/unit/test_${name}.c
      ${CMAKE_CURRENT_SOURCE_DIR}/unit/syscalls_fixture.c ${OPTMIG_SYSCALLS_UNDER_TEST})
    target_compile_options(test_${name} PRIVATE -fno-strict-aliasing)
    target_link_libraries(test_${name} PRIVATE cmocka)
    add_test(NAME ${name} COMMAND test_${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 30)
  endforeach()
endif()
