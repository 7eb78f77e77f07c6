# The move: two processes, each with an ELRANGE, joined by socket pairs; around the runtime's and the host's
# own files a program of ordinary threads.  ELRANGE lies where ASan has its shadow memory: UBSan only.
find_package(Threads REQUIRED)

# The runtime's string functions under names of their own, beside libc's.
add_library(move-string OBJECT ${CMAKE_SOURCE_DIR}/enclave/string.c)
foreach(function memcpy memmove memset memcmp strlen strcmp strncmp strchr
    __memcpy_chk __memmove_chk __memset_chk __stack_chk_fail)
  target_compile_definitions(move-string PRIVATE ${function}=runtime_${function})
endforeach()
target_compile_options(move-string PRIVATE -fPIE -fno-builtin)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(move-string PRIVATE -fno-tree-loop-distribute-patterns)
endif()

set(OPTMIG_MOVE_PARTS attestation audit cards card_scan claims cpu_features guard hooks local lock log mm mm_layout move_in move_out move_role pager
  page pageset place platform/sim random receipt safepoint sealed shared_files source text
  tracker)
list(TRANSFORM OPTMIG_MOVE_PARTS PREPEND ${CMAKE_SOURCE_DIR}/enclave/)
list(TRANSFORM OPTMIG_MOVE_PARTS APPEND .c)

# Not the library optmig-protocol, which may be built with ASan.
file(GLOB OPTMIG_MOVE_PROTOCOL ${CMAKE_SOURCE_DIR}/protocol/*.c ${CMAKE_SOURCE_DIR}/attest/*.c)

add_executable(test_move
  ${CMAKE_SOURCE_DIR}/tests/unit/test_move.c ${CMAKE_SOURCE_DIR}/tests/unit/move_enclave.c
  ${CMAKE_SOURCE_DIR}/host/channel.c ${CMAKE_SOURCE_DIR}/host/pager.c ${CMAKE_SOURCE_DIR}/host/track.c
  ${CMAKE_SOURCE_DIR}/host/uffd.c ${CMAKE_SOURCE_DIR}/host/platform.c ${CMAKE_SOURCE_DIR}/host/tsm.c
  ${OPTMIG_MOVE_PARTS} ${OPTMIG_MOVE_PROTOCOL} $<TARGET_OBJECTS:move-string>)
target_compile_definitions(test_move PRIVATE _GNU_SOURCE)
target_compile_options(test_move PRIVATE -fPIE -fno-strict-aliasing -fno-omit-frame-pointer -mpopcnt)
target_link_options(test_move PRIVATE -pie)
target_link_libraries(test_move PRIVATE cmocka optmig_crypto Threads::Threads)
set_target_properties(test_move PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
if(OPTMIG_SANITIZE)
  target_compile_options(test_move PRIVATE -fsanitize=undefined -fno-sanitize-recover=all)
  target_link_options(test_move PRIVATE -fsanitize=undefined)
endif()

add_executable(test_pageset ${CMAKE_SOURCE_DIR}/tests/unit/test_pageset.c
  ${CMAKE_SOURCE_DIR}/enclave/pageset.c)
target_link_libraries(test_pageset PRIVATE optmig_host_flags cmocka)
set_target_properties(test_pageset PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME pageset COMMAND test_pageset)
add_test(NAME move COMMAND test_move)
set_tests_properties(move PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77)
