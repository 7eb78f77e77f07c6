# Unit tests of protocol/.
foreach(name test_protocol test_resume test_receipt test_bodies test_session test_claim test_aead test_record_portable)
  add_executable(${name} ${CMAKE_CURRENT_SOURCE_DIR}/unit/${name}.c)
  target_link_libraries(${name} PRIVATE optmig-protocol optmig_crypto cmocka)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120 LABELS unit)
endforeach()

# The golden vectors are still those of the second implementation, in Python.
add_test(NAME protocol_vectors COMMAND ${CMAKE_SOURCE_DIR}/tests/unit/protocol_vectors.py
  --check ${CMAKE_SOURCE_DIR}/tests/unit/protocol_vectors.h)

# docs/protocol.md still says what the tables say.
add_test(NAME protocol_doc COMMAND ${CMAKE_SOURCE_DIR}/tools/gen-protocol-doc --check)

# The library asks for nothing that the enclave's runtime does not have.  (Sanitizers call more.)
if(NOT OPTMIG_SANITIZE)
  add_test(NAME protocol_symbols COMMAND ${CMAKE_SOURCE_DIR}/tests/unit/protocol_symbols
    $<TARGET_FILE:optmig-protocol>)
endif()
