#include "core/train/training_progress.h"

#include <chrono>

namespace modelpatch::train {
namespace {

// Progress events are for people and progress bars: a few a second are enough.
constexpr double kSecondsBetweenEvents = 0.25;

double Seconds(base::SteadyTime begin, base::SteadyTime end) {
  return std::chrono::duration<double>(end - begin).count();
}

}  // namespace

ProgressReporter::ProgressReporter(const FineTuneOptions& options, const base::Clock& clock, StepEvents& events)
    : options_(options), clock_(clock), events_(events), begin_(clock.SteadyNow()), last_(begin_) {}

void ProgressReporter::Report(const StepReport& report, std::optional<double> validation_accuracy) {
  const base::SteadyTime now = clock_.SteadyNow();
  const int64_t done = report.step + 1;
  const bool is_due =
      done == 1 || done == options_.steps || validation_accuracy || Seconds(last_, now) >= kSecondsBetweenEvents;
  if (!is_due) return;
  last_ = now;
  const double elapsed = Seconds(begin_, now);
  const double steps_per_second = elapsed > 0 ? static_cast<double>(done) / elapsed : 0;
  const double remaining = steps_per_second > 0 ? static_cast<double>(options_.steps - done) / steps_per_second : 0;
  events_.Progress({done, options_.steps, report.loss, report.learning_rate, report.gradient_norm,
                    steps_per_second * static_cast<double>(options_.batch_size), remaining, validation_accuracy});
}

double ProgressReporter::elapsed_seconds() const { return Seconds(begin_, clock_.SteadyNow()); }

}  // namespace modelpatch::train
