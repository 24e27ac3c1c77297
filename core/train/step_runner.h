// Runs one step, from its spec to its result: what a worker process does, without processes.
//
// RunStep blocks its thread until the step is done. `events` is called on that thread.
#pragma once

#include <optional>
#include <string>

#include "core/base/cancellation.h"
#include "core/base/clock.h"
#include "core/train/step_result.h"
#include "core/train/step_spec.h"

namespace modelpatch::train {

struct TrainingProgress {
  int64_t step;  // steps taken
  int64_t total_steps;
  double loss;
  double learning_rate;
  double gradient_norm;
  double images_per_second;
  double remaining_seconds;
  // On the validation split, at the steps where it was measured.
  std::optional<double> validation_accuracy;
};

class StepEvents {
 public:
  virtual ~StepEvents() = default;
  virtual void Progress(const TrainingProgress& progress) = 0;
  // A point of a search's curve, validation split.
  virtual void SearchPoint(const CurvePoint& point) = 0;
  // That many evaluations of a search are done, of about that many.
  virtual void SearchProgress(int64_t done, int64_t total) = 0;
  virtual void Log(std::string_view message) = 0;
};

// What the code calls itself in lineage, such as the version of the build.
struct StepEnvironment {
  const base::Clock& clock;
  std::string code_version;
};

// Returns the JSON of FineTuneResult or SearchResult. CANCELLED soon after the token is.
absl::StatusOr<std::string> RunStep(const StepSpec& spec, const StepEnvironment& environment,
                                    const base::CancellationToken& cancellation, StepEvents& events);

}  // namespace modelpatch::train
