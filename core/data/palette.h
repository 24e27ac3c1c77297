// The colours that the generators name, and random variants of them. Private to core/data. Thread safety: pure.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "core/base/random.h"
#include "core/data/canvas.h"

namespace modelpatch::data {

inline constexpr std::array<std::string_view, 10> kColorNames = {"red",  "orange", "yellow", "green", "cyan",
                                                                 "blue", "purple", "pink",   "white", "black"};

// A variant of the colour `index` of kColorNames that people would still call so.
Color DrawNamedColor(size_t index, base::RandomStream& random);

// A dull colour for a background, at least `contrast` away from `foreground` in luminance or in the sum of the
// differences of the channels.
Color DrawBackgroundColor(const Color& foreground, float contrast, base::RandomStream& random);

}  // namespace modelpatch::data
