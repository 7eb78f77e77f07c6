# Descriptors: tables, the program's calls, capture and restore, run natively (fd_fixture.h).
# Not with ASan: its shadow lies where the tables are.
if(NOT OPTMIG_SANITIZE)
  set(OPTMIG_FDS_UNDER_TEST fd fd_describe fd_epoll fd_event fd_file fd_inotify fd_kept fd_move fd_packet fd_pair fd_relay fd_pipe
    fd_backlog fd_catch fd_service fd_share fd_socket fd_terminal fd_tcp fd_tcp_fin fd_udp sys_fd sys_ioctl sys_socket text)
  list(TRANSFORM OPTMIG_FDS_UNDER_TEST PREPEND ${CMAKE_SOURCE_DIR}/enclave/)
  list(TRANSFORM OPTMIG_FDS_UNDER_TEST APPEND .c)
  foreach(name fd fd_socket fd_tcp)
    add_executable(test_${name} ${CMAKE_CURRENT_SOURCE_DIR}/unit/test_${name}.c
      ${CMAKE_CURRENT_SOURCE_DIR}/unit/fd_fixture.c ${OPTMIG_FDS_UNDER_TEST})
    target_compile_options(test_${name} PRIVATE -ffreestanding -fno-strict-aliasing)
    set_target_properties(test_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_link_options(test_${name} PRIVATE -pie)
    target_link_libraries(test_${name} PRIVATE cmocka optmig_crypto)
    add_test(NAME ${name} COMMAND test_${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 60 SKIP_RETURN_CODE 77)
  endforeach()
endif()
