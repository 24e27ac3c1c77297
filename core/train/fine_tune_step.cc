#include "core/train/fine_tune_step.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/data/batch_loader.h"
#include "core/data/task.h"
#include "core/model/model_loader.h"
#include "core/patch/evaluation.h"
#include "core/store/blob_store.h"
#include "core/tensor/guard.h"
#include "core/train/fine_tuner.h"

namespace modelpatch::train {
namespace {

// Progress events are for people and progress bars: a few a second are enough.
constexpr double kSecondsBetweenEvents = 0.25;

double Seconds(base::SteadyTime begin, base::SteadyTime end) {
  return std::chrono::duration<double>(end - begin).count();
}

// Turns step reports into progress events, not too many.
class ProgressReporter {
 public:
  ProgressReporter(const FineTuneOptions& options, const base::Clock& clock, StepEvents& events)
      : options_(options), clock_(clock), events_(events), begin_(clock.SteadyNow()), last_(begin_) {}

  void Report(const StepReport& report, std::optional<double> validation_accuracy) {
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

  double elapsed_seconds() const { return Seconds(begin_, clock_.SteadyNow()); }

 private:
  const FineTuneOptions& options_;
  const base::Clock& clock_;
  StepEvents& events_;
  const base::SteadyTime begin_;
  base::SteadyTime last_;
};

at::Tensor PixelTensor(data::Batch& batch, data::ImageSize image_size) {
  return at::from_blob(batch.pixels.data(), {batch.count, 3, image_size.height, image_size.width}, at::kFloat);
}

bool IsValidationDue(const FineTuneOptions& options, int64_t done) {
  return done == options.steps ||
         (options.validation_interval_steps > 0 && done % options.validation_interval_steps == 0);
}

}  // namespace

absl::StatusOr<FineTuneResult> RunFineTuneStep(const StepSpec& step, const FineTuneSpec& spec,
                                               const StepEnvironment& environment,
                                               const base::CancellationToken& cancellation, StepEvents& events) {
  MP_RETURN_IF_ERROR(CheckFineTuneOptions(spec.options));
  MP_ASSIGN_OR_RETURN(const tensor::Device device, tensor::Device::Parse(step.device));
  MP_ASSIGN_OR_RETURN(const auto model, model::LoadModel(spec.model_directory, device, cancellation));
  MP_ASSIGN_OR_RETURN(const data::Task task, data::OpenTask(spec.task.name, spec.task.source, step.decode_limits));
  events.Log(fmt::format("fine-tuning on {}: {} training and {} validation examples, {} classes", task.name,
                         task.train->size(), task.validation->size(), task.class_names.size()));
  MP_ASSIGN_OR_RETURN(
      const patch::EvaluationSet validation,
      patch::MakeEvaluationSet(*model, task, patch::TaskRole::kPatching, data::Split::kValidation, step.threads,
                               /*maximum_examples=*/0, cancellation));
  const patch::FeatureFunction features = patch::DirectFeatures(model, spec.options.precision);

  data::BatchLoaderOptions loader_options;
  loader_options.batch_size = spec.options.batch_size;
  loader_options.seed = spec.options.seed;
  loader_options.augment = spec.options.augment;
  data::BatchLoader loader(task.train, model->preprocess, loader_options);

  MP_ASSIGN_OR_RETURN(const std::unique_ptr<FineTuner> tuner, tensor::Guarded([&] {
                        return std::make_unique<FineTuner>(model, *validation.head, spec.options);
                      }));
  ProgressReporter reporter(spec.options, environment.clock, events);
  FineTuneResult result;
  for (int64_t i = 0; i < spec.options.steps; ++i) {
    MP_RETURN_IF_ERROR(cancellation.Check());
    MP_ASSIGN_OR_RETURN(data::Batch batch, loader.Next());
    MP_ASSIGN_OR_RETURN(const StepReport report,
                        tuner->Step(PixelTensor(batch, model->preprocess.image_size), batch.labels));
    std::optional<double> accuracy;
    if (IsValidationDue(spec.options, report.step + 1)) {
      MP_ASSIGN_OR_RETURN(const patch::TaskAccuracy measured,
                          patch::EvaluateAccuracy(*model, tuner->weights(), validation, features, cancellation));
      accuracy = measured.accuracy();
      result.validation_accuracy = *accuracy;
      result.validation_correct = measured.correct;
      result.validation_total = measured.total;
    }
    result.final_loss = report.loss;
    reporter.Report(report, accuracy);
  }

  // The last step's update has not been through a forward.
  MP_ASSIGN_OR_RETURN(const bool finite,
                      tensor::Guarded([&] { return at::isfinite(tuner->weights().flat()).all().item<bool>(); }));
  if (!finite) {
    return base::FailedPrecondition(
        "TRAINING_DIVERGED", "the weights are infinite or not a number after the last step; lower the learning rate");
  }

  result.seconds = reporter.elapsed_seconds();
  result.steps = spec.options.steps;
  result.images_per_second =
      result.seconds > 0 ? static_cast<double>(spec.options.steps * spec.options.batch_size) / result.seconds : 0;
  result.model_digest = model->digest;
  result.layout_digest = model->image_weights.layout().digest();
  result.task_digest = task.digest;
  const store::BlobStore blobs(step.blob_directory);
  MP_ASSIGN_OR_RETURN(result.blob, blobs.Put(tuner->weights(), {{"model_digest", model->digest},
                                                                {"task_digest", task.digest},
                                                                {"seed", std::to_string(spec.options.seed)},
                                                                {"code_version", environment.code_version}}));
  return result;
}

}  // namespace modelpatch::train
