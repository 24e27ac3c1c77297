#include "client/report/label_room.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"

namespace modelpatch::client::report {
namespace {

// Of a font of 11 pixels.
constexpr double kCharacterPixels = 6.4;
constexpr double kLinePixels = 13;
// Half of a marker, and from the point to its label.
constexpr double kMarkerPixels = 3.5;
constexpr double kGapPixels = 10;

}  // namespace

bool LabelRoom::IsFree(const Box& box) const {
  if (box.left < 2 || box.right > area_.width || box.bottom < 0 || box.top > area_.height) return false;
  return std::none_of(taken_.begin(), taken_.end(), [&](const Box& other) {
    return box.left < other.right && other.left < box.right && box.bottom < other.top && other.bottom < box.top;
  });
}

void LabelRoom::Avoid(double x, double y) {
  const double left = PixelX(x);
  const double bottom = PixelY(y);
  taken_.push_back({left - kMarkerPixels, bottom - kMarkerPixels, left + kMarkerPixels, bottom + kMarkerPixels});
}

std::string LabelRoom::Label(const std::string& text, double x, double y, const std::string& color) {
  struct Place {
    const char* align;
    // Of the label's anchor from the point, and of its left edge from the anchor in widths.
    double across, up, shift;
  };
  constexpr double kUp = kGapPixels + 4;
  constexpr std::array<Place, 6> kPlaces = {{{"left", kGapPixels, 0, 0},
                                             {"right", -kGapPixels, 0, -1},
                                             {"center", 0, kUp, -0.5},
                                             {"center", 0, -kUp, -0.5},
                                             {"left", -kGapPixels, -kUp, 0},
                                             {"right", kGapPixels, -kUp, -1}}};
  const double width = kCharacterPixels * DisplayWidth(text);
  for (const Place& place : kPlaces) {
    const double left = PixelX(x) + place.across + place.shift * width;
    const double bottom = PixelY(y) + place.up - kLinePixels / 2;
    const Box box{left, bottom, left + width, bottom + kLinePixels};
    if (!IsFree(box)) continue;
    taken_.push_back(box);
    const double anchor_x = x + place.across / area_.width * (x_.high - x_.low);
    const double anchor_y = y + place.up / area_.height * (y_.high - y_.low);
    return absl::StrCat("set label ", Quoted(text), " at ", ExactNumber(anchor_x), ",", ExactNumber(anchor_y), " ",
                        place.align, " front font 'sans-serif,11' tc rgb '", color, "'");
  }
  return "";
}

}  // namespace modelpatch::client::report
