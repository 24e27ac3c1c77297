// The version of modelpatch that was built, such as `0.1.0+4-gabc1234`: from git, see cmake/Version.cmake.
#pragma once

#include <string>

namespace modelpatch::server {

std::string Version();

}  // namespace modelpatch::server
