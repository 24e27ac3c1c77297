// The generator `digits`: 0 to 9 as pen strokes. Thread safety: pure.
#pragma once

#include <memory>

#include "core/data/generated_dataset.h"

namespace modelpatch::data {

std::shared_ptr<const Generator> MakeDigitGenerator();

}  // namespace modelpatch::data
