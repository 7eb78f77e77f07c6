# Strings, memory map, ELF, loader, clocks, vDSO: parts of the runtime, run natively.
# ELRANGE lies where ASan has its shadow memory, so tests that map it get UBSan only.
enable_language(ASM)
find_package(Threads REQUIRED)
set(OPTMIG_RUNTIME_DIR ${CMAKE_SOURCE_DIR}/enclave)
set(OPTMIG_UNIT_DIR ${CMAKE_SOURCE_DIR}/tests/unit)
set(OPTMIG_VDSO_IMAGE ${CMAKE_BINARY_DIR}/enclave/vdso/optmig-vdso.so)

function(optmig_native_test name)
  list(TRANSFORM ARGN REPLACE "^enclave/" "${CMAKE_SOURCE_DIR}/enclave/")
  list(TRANSFORM ARGN REPLACE "^host/" "${CMAKE_SOURCE_DIR}/host/")
  list(TRANSFORM ARGN REPLACE "^([a-z_]+\\.c)$" "${OPTMIG_UNIT_DIR}/\\1")
  add_executable(${name} ${OPTMIG_UNIT_DIR}/${name}.c ${ARGN})
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/unit)
  target_compile_options(${name} PRIVATE -fno-strict-aliasing -fno-omit-frame-pointer)
  target_link_options(${name} PRIVATE -pie)
  target_link_libraries(${name} PRIVATE cmocka Threads::Threads ${CMAKE_DL_LIBS})
  if(OPTMIG_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=undefined -fno-sanitize-recover=all)
    target_link_options(${name} PRIVATE -fsanitize=undefined)
  endif()
  if(NOT name STREQUAL "test_vdso")
    add_test(NAME unit-${name} COMMAND ${name})
  endif()
endfunction()

# As in the runtime: the kernel's headers then give what they keep back beside a libc.
file(GLOB OPTMIG_RUNTIME_SOURCES CONFIGURE_DEPENDS ${OPTMIG_RUNTIME_DIR}/*.c)
set_source_files_properties(${OPTMIG_RUNTIME_SOURCES} ${OPTMIG_UNIT_DIR}/native.c PROPERTIES
  COMPILE_OPTIONS -ffreestanding)

set(OPTMIG_NATIVE_BASE native.c enclave/mm.c enclave/lock.c enclave/local.c enclave/log.c
  enclave/text.c)
optmig_native_test(test_mm ${OPTMIG_NATIVE_BASE} enclave/mm_layout.c)
optmig_native_test(test_sys_mm ${OPTMIG_NATIVE_BASE} enclave/sys_mm.c enclave/shared_files.c enclave/file_copy.c enclave/page.c
  native_threads.c)
optmig_native_test(test_cards ${OPTMIG_NATIVE_BASE} enclave/cards.c enclave/card_scan.c
  enclave/card_note.c)
add_test(NAME unit-test_cards_avx2 COMMAND test_cards avx2)
set_tests_properties(unit-test_cards unit-test_cards_avx2 PROPERTIES SKIP_RETURN_CODE 77)
optmig_native_test(test_clock ${OPTMIG_NATIVE_BASE} enclave/clock.c)
optmig_native_test(test_elf enclave/elf.c enclave/text.c)
optmig_native_test(test_call_sites enclave/call_sites.c enclave/unwind.c enclave/insn.c)
optmig_native_test(test_text enclave/string.c enclave/text.c enclave/page.c enclave/random.c enclave/lock.c
  enclave/log.c)
optmig_native_test(test_vdso host/clock.c native_host.c)
optmig_native_test(test_host_clock native_host.c) # includes host/clock.c
optmig_native_test(test_loader ${OPTMIG_NATIVE_BASE} enclave/sys_mm.c enclave/shared_files.c enclave/file_copy.c enclave/page.c enclave/elf.c
  enclave/card_note.c enclave/loader.c enclave/loader_stack.c enclave/random.c enclave/vdso.c enclave/vdso_image.S
  host/clock.c native_host.c)

# The ELF decoder needs no ELRANGE.
if(OPTMIG_SANITIZE)
  target_compile_options(test_elf PRIVATE -fsanitize=address)
  target_link_options(test_elf PRIVATE -fsanitize=address)
endif()

# The runtime's functions beside those of the libc.
foreach(function memcpy memmove memset memcmp strlen strcmp strncmp strchr
    __memcpy_chk __memmove_chk __memset_chk __stack_chk_fail)
  target_compile_definitions(test_text PRIVATE ${function}=runtime_${function})
endforeach()
target_compile_options(test_text PRIVATE -fno-builtin)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(test_text PRIVATE -fno-tree-loop-distribute-patterns)
endif()

foreach(name test_vdso test_loader)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/host/clock.c ${OPTMIG_UNIT_DIR}/native_host.c
    ${OPTMIG_UNIT_DIR}/test_vdso.c ${OPTMIG_UNIT_DIR}/test_host_clock.c PROPERTIES COMPILE_DEFINITIONS _GNU_SOURCE)
  add_dependencies(${name} optmig-vdso)
endforeach()
add_test(NAME unit-test_vdso COMMAND test_vdso ${OPTMIG_VDSO_IMAGE})
set_source_files_properties(${OPTMIG_RUNTIME_DIR}/vdso_image.S PROPERTIES
  OBJECT_DEPENDS ${OPTMIG_VDSO_IMAGE} INCLUDE_DIRECTORIES ${CMAKE_BINARY_DIR}/enclave/vdso)

# Programs for test_loader, in the two forms that need no interpreter.
add_executable(loaded-static ${OPTMIG_UNIT_DIR}/loaded.c)
target_compile_options(loaded-static PRIVATE -fno-pie)
target_link_options(loaded-static PRIVATE -static)
add_executable(loaded-static-pie ${OPTMIG_UNIT_DIR}/loaded.c)
target_compile_options(loaded-static-pie PRIVATE -fPIE)
target_link_options(loaded-static-pie PRIVATE -static-pie)
foreach(name loaded-static loaded-static-pie)
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/unit)
endforeach()
target_compile_definitions(test_loader PRIVATE
  STATIC_PROGRAM="${CMAKE_BINARY_DIR}/tests/unit/loaded-static"
  STATIC_PIE_PROGRAM="${CMAKE_BINARY_DIR}/tests/unit/loaded-static-pie")
add_dependencies(test_loader loaded-static loaded-static-pie)

set_tests_properties(unit-test_mm unit-test_sys_mm unit-test_clock unit-test_elf unit-test_text
  unit-test_vdso unit-test_host_clock unit-test_loader PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 120)
