// Pretraining: makes a small CLIP from tasks, with captions from their class names and templates.
#pragma once

#include <functional>
#include <string>

#include "core/base/cancellation.h"
#include "core/train/pretrain_spec.h"

namespace modelpatch::train {

// Trains and writes a Hugging Face directory to `output_directory`. A pure function of the spec (on one machine, at one
// thread count). `log` gets a line now and then, and the zero-shot accuracy of every task on its validation split at
// the end.
absl::Status Pretrain(const PretrainSpec& spec, const std::string& output_directory, int threads,
                      const base::CancellationToken& cancellation, const std::function<void(const std::string&)>& log);

}  // namespace modelpatch::train
