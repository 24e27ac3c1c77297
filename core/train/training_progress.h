// ProgressReporter: turns the reports of training steps into events, not too many.
//
// One thread. The arguments outlive it.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/clock.h"
#include "core/train/fine_tune_options.h"
#include "core/train/fine_tuner.h"
#include "core/train/step_runner.h"

namespace modelpatch::train {

class ProgressReporter {
 public:
  // The time runs from now on.
  ProgressReporter(const FineTuneOptions& options, const base::Clock& clock, StepEvents& events);

  // The first step, the last one and those with an accuracy are told, and what lies between now and then.
  void Report(const StepReport& report, std::optional<double> validation_accuracy);

  double elapsed_seconds() const;

 private:
  const FineTuneOptions& options_;
  const base::Clock& clock_;
  StepEvents& events_;
  const base::SteadyTime begin_;
  base::SteadyTime last_;
};

}  // namespace modelpatch::train
