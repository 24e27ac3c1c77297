# The version comes from git: the newest tag `vX.Y.Z`, with the number of commits since and the commit appended.
# A source tree without git builds as the version below.
set(MODELPATCH_VERSION_NUMBER 0.1.0)
set(MODELPATCH_VERSION_STRING ${MODELPATCH_VERSION_NUMBER})

find_package(Git QUIET)
if(GIT_FOUND AND EXISTS ${CMAKE_CURRENT_LIST_DIR}/../.git)
  execute_process(
    COMMAND ${GIT_EXECUTABLE} -c safe.directory=* describe --tags --match "v[0-9]*" --always --dirty
    WORKING_DIRECTORY ${CMAKE_CURRENT_LIST_DIR}/..
    OUTPUT_VARIABLE description OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    if(description MATCHES "^v([0-9]+\\.[0-9]+\\.[0-9]+)")
      set(MODELPATCH_VERSION_NUMBER ${CMAKE_MATCH_1})
      string(SUBSTRING ${description} 1 -1 MODELPATCH_VERSION_STRING)
    else()
      set(MODELPATCH_VERSION_STRING ${MODELPATCH_VERSION_NUMBER}+${description})
    endif()
  endif()
endif()
