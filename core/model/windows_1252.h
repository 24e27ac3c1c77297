// Windows-1252, where it differs from Latin-1. Thread safety: a constant.
#pragma once

#include <cstdint>

namespace modelpatch::model {

// The code points of the bytes 0x80 … 0x9f; the five bytes that Windows-1252 leaves open stay C1 controls.
inline constexpr uint16_t kWindows1252[32] = {0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
                                              0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8d,   0x017d, 0x8f,
                                              0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                              0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178};

}  // namespace modelpatch::model
