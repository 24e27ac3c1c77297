# Everything comes from the distribution's packages (or a CUDA libtorch on CMAKE_PREFIX_PATH).
find_package(CLI11 REQUIRED)
find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(ZLIB REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(TIFF REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc)
find_package(PkgConfig REQUIRED)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp)
find_package(Torch REQUIRED)

# Torch's package adds global flags; what our targets need comes through this one, as system headers.
add_library(modelpatch_torch INTERFACE)
target_link_libraries(modelpatch_torch INTERFACE ${TORCH_LIBRARIES})
target_include_directories(modelpatch_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})

if(MODELPATCH_BUILD_SERVER)
  # Debian ships no CMake config for protobuf: CMake's own module finds it.
  find_package(Protobuf REQUIRED)
  find_package(gRPC CONFIG REQUIRED)
  find_package(prometheus-cpp CONFIG REQUIRED)
  pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
endif()
