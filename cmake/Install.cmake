# `cmake --install`: the programs that this configuration builds, the demo's files, the systemd unit, and the documents.
# The protos are installed by proto/CMakeLists.txt.
foreach(program modelpatch modelpatch-server modelpatch-worker modelpatch-pretrain)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

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
