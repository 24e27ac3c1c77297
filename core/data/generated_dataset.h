// Generators: tasks whose images are drawn, not read, so that they need no files and come in any number.
//
// An example is a pure function of (generator, side, seed, split, index). Its label is index mod the number of classes,
// so every run of that many examples holds each class once. Within one machine and build the pixels are the same bits.
//   shapes  what the shape is: circle, square, triangle, cross, star, ring, diamond, bar, crescent, heart;
//           any colour, size, position, with clutter and noise on a textured background
//   colors  what the colour is: red, orange, yellow, green, cyan, blue, purple, pink, white, black; any of those shapes
//   digits  what the digit is, 0 to 9: chalk on a dark board, with random thickness, slant, stretch and bends
// Thread safety: a Generator is immutable and safe to use from any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/data/dataset.h"
#include "core/data/image.h"

namespace modelpatch::data {

struct GeneratedExample {
  RgbImage image;
  int32_t label = 0;
  // What was drawn, in words fit for a caption: the name of the shape, or the digit ("7"), and of its colour.
  std::string shape;
  std::string color;
};

inline constexpr int kGeneratedSide = 32;  // pixels

class Generator {
 public:
  virtual ~Generator() = default;

  virtual std::string_view name() const = 0;
  // In the order of the labels.
  virtual std::span<const std::string_view> class_names() const = 0;
  // Example `index` >= 0 at `side` x `side` pixels, 8 <= side <= 1024.
  virtual GeneratedExample Draw(uint64_t seed, Split split, int64_t index, int side) const = 0;
};

// The generator of this name. INVALID_ARGUMENT (UNKNOWN_GENERATOR) with the known names otherwise.
absl::StatusOr<std::shared_ptr<const Generator>> FindGenerator(std::string_view name);

// The names above, sorted.
std::vector<std::string_view> GeneratorNames();

// The first `count` examples as a dataset that draws each when it is asked for.
OpenedDataset MakeGeneratedDataset(std::shared_ptr<const Generator> generator, uint64_t seed, Split split,
                                   int64_t count, int side = kGeneratedSide);

}  // namespace modelpatch::data
