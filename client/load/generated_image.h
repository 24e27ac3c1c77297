// A picture to send where there is none at hand. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace modelpatch::client {

// A JPEG file, of quality 85, of smooth colours with some grain, which takes about as many bytes as a photograph of
// that size. A function of its arguments.
std::string GenerateJpeg(int width, int height, uint64_t seed);

}  // namespace modelpatch::client
