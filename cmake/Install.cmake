# What `cmake --install` puts beside the programs and protos, which the folders that make them install: the demo's files, the
# systemd unit, and the documents.
if(MODELPATCH_BUILD_SERVER)
  # The unit names the server by its full path, which only the installation knows.
  install(CODE "
    file(READ \"${PROJECT_SOURCE_DIR}/deploy/modelpatch.service\" unit)
    string(REPLACE \"/usr/local/bin/\" \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/\" unit \"\${unit}\")
    file(WRITE \"${CMAKE_CURRENT_BINARY_DIR}/modelpatch.service\" \"\${unit}\")")
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/modelpatch.service DESTINATION lib/systemd/system)
  if(EXISTS ${PROJECT_SOURCE_DIR}/deploy/demo)
    install(DIRECTORY deploy/demo DESTINATION ${CMAKE_INSTALL_DATADIR}/modelpatch)
  endif()
endif()

foreach(document README.md ARCHITECTURE.md CHANGELOG.md LICENSE)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${document})
    install(FILES ${document} DESTINATION ${CMAKE_INSTALL_DOCDIR})
  endif()
endforeach()
