// The generators `shapes` and `colors`: one picture, a coloured shape, asked about in two ways. Thread safety: pure.
#pragma once

#include <memory>

#include "core/data/generated_dataset.h"

namespace modelpatch::data {

enum class ShapeTask { kShapes, kColors };

std::shared_ptr<const Generator> MakeShapeGenerator(ShapeTask task);

}  // namespace modelpatch::data
