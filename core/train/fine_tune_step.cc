#include "core/train/fine_tune_step.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/data/batch_loader.h"
#include "core/model/model_loader.h"
#include "core/patch/evaluation.h"
#include "core/store/blob_store.h"
#include "core/tensor/guard.h"
#include "core/train/batch_pixels.h"
#include "core/train/fine_tuner.h"
#include "core/train/fisher.h"
#include "core/train/start_weights.h"
#include "core/train/training_progress.h"
#include "core/train/training_tasks.h"

namespace modelpatch::train {
namespace {

absl::Status CheckSpec(const FineTuneSpec& spec) {
  MP_RETURN_IF_ERROR(CheckFineTuneOptions(spec.options));
  const bool weighs = spec.options.elastic_weight > 0;
  if (weighs && !spec.elastic_task.has_value()) {
    return BadFineTuneOption("elastic_weight_consolidation.task", "there is a weight, but no task; name one");
  }
  if (!weighs && spec.elastic_task.has_value()) {
    return BadFineTuneOption("elastic_weight_consolidation.weight",
                             "there is a task, but the weight is 0; give a positive one");
  }
  return absl::OkStatus();
}

// What every part of the run needs.
struct Run {
  const StepSpec& step;
  const FineTuneSpec& spec;
  const std::string& code_version;
  const base::CancellationToken& cancellation;
  StepEvents& events;
  const store::BlobStore blobs;
  std::shared_ptr<const model::ClipModel> model = nullptr;
  FineTuneResult result = {};
};

// A task that the option `field` names.
absl::StatusOr<data::Task> OpenOtherTask(const NamedTask& named, std::string_view field, Run& run) {
  MP_ASSIGN_OR_RETURN(data::Task task, data::OpenTask(named.name, named.source, run.step.decode_limits));
  if (!HasTrainingExamples(task)) {
    return BadFineTuneOption(field, fmt::format("the task {} has no training examples; name another one", task.name));
  }
  run.result.task_digests[task.name] = task.digest;
  return task;
}

absl::StatusOr<tensor::WeightSet> EstimateElasticFisher(const tensor::WeightSet& start, Run& run) {
  const FineTuneOptions& options = run.spec.options;
  MP_ASSIGN_OR_RETURN(const data::Task task,
                      OpenOtherTask(*run.spec.elastic_task, "elastic_weight_consolidation.task", run));
  MP_ASSIGN_OR_RETURN(const std::vector<model::ClassPrompts> prompts, PromptsOf({task}));
  MP_ASSIGN_OR_RETURN(const model::ZeroShotHead head, model::MakeZeroShotHead(*run.model, prompts, run.cancellation));
  const int64_t examples = std::min(options.elastic_examples, task.train->size());
  run.events.Log(fmt::format("estimating the Fisher information of {} examples of {}", examples, task.name));
  return EstimateTaskFisher(*run.model, start, head, task.train, {examples, options.seed, options.precision},
                            run.cancellation);
}

std::unique_ptr<data::BatchLoader> MakeLoader(std::shared_ptr<const data::Dataset> dataset, const Run& run) {
  data::BatchLoaderOptions options;
  options.batch_size = run.spec.options.batch_size;
  options.seed = run.spec.options.seed;
  options.augment = run.spec.options.augment;
  return std::make_unique<data::BatchLoader>(std::move(dataset), run.model->preprocess, options);
}

// What the contrastive loss sees.
struct ContrastiveSource {
  std::optional<PromptBank> prompts;
  // Null where it sees the images of the training.
  std::unique_ptr<data::BatchLoader> loader;
};

absl::StatusOr<ContrastiveSource> OpenContrastiveSource(const TrainingTasks& tasks, Run& run) {
  ContrastiveSource source;
  if (run.spec.options.contrastive_weight == 0) return source;
  std::vector<data::Task> seen = tasks.tasks;
  if (run.spec.contrastive_task.has_value()) {
    MP_ASSIGN_OR_RETURN(data::Task task, OpenOtherTask(*run.spec.contrastive_task, "contrastive_mixing.task", run));
    source.loader = MakeLoader(task.train, run);
    seen = {std::move(task)};
  }
  MP_ASSIGN_OR_RETURN(const std::vector<model::ClassPrompts> prompts, PromptsOf(seen));
  MP_ASSIGN_OR_RETURN(source.prompts, PromptBank::Make(*run.model, prompts, run.cancellation));
  return source;
}

absl::StatusOr<StepReport> TakeStep(FineTuner& tuner, data::BatchLoader& loader, data::BatchLoader* contrastive,
                                    const model::ClipModel& model) {
  const data::ImageSize image_size = model.preprocess.image_size;
  MP_ASSIGN_OR_RETURN(data::Batch batch, loader.Next());
  if (contrastive == nullptr) return tuner.Step(PixelsOf(batch, image_size), batch.labels, batch.candidates);
  MP_ASSIGN_OR_RETURN(data::Batch other, contrastive->Next());
  const at::Tensor other_pixels = PixelsOf(other, image_size);
  const LabelledImages images{other_pixels, other.labels};
  return tuner.Step(PixelsOf(batch, image_size), batch.labels, batch.candidates, &images);
}

bool IsEvery(int64_t interval, int64_t done) { return interval > 0 && done % interval == 0; }

absl::StatusOr<std::vector<patch::TaskAccuracy>> Evaluate(const std::vector<patch::EvaluationSet>& sets,
                                                          const tensor::WeightSet& weights, const Run& run) {
  const patch::FeatureFunction features = patch::DirectFeatures(run.model, run.spec.options.precision);
  std::vector<patch::TaskAccuracy> accuracies;
  for (const patch::EvaluationSet& set : sets) {
    MP_ASSIGN_OR_RETURN(const patch::TaskAccuracy accuracy,
                        patch::EvaluateAccuracy(*run.model, weights, set, features, run.cancellation));
    accuracies.push_back(accuracy);
  }
  return accuracies;
}

// `sets` under the rows of the learned head that stand for each task's classes.
absl::StatusOr<std::vector<patch::EvaluationSet>> UnderLearnedHead(std::vector<patch::EvaluationSet> sets,
                                                                   const LearnedHead& head) {
  return tensor::Guarded([&] {
    const at::NoGradGuard no_grad;
    int64_t first = 0;
    for (patch::EvaluationSet& set : sets) {
      const int64_t classes = set.head->embeddings->size(0);
      auto own = std::make_shared<model::ZeroShotHead>(*set.head);
      own->embeddings = std::make_shared<const at::Tensor>(head.weight().narrow(0, first, classes));
      set.head = std::move(own);
      first += classes;
    }
    return sets;
  });
}

absl::StatusOr<std::string> Publish(const tensor::WeightSet& weights, const std::string& content, const Run& run) {
  return run.blobs.Put(weights, {{"content", content},
                                 {"model_digest", run.model->digest},
                                 {"task_digests", nlohmann::json(run.result.task_digests).dump()},
                                 {"seed", std::to_string(run.spec.options.seed)},
                                 {"code_version", run.code_version}});
}

// Trains, and publishes snapshots on the way.
absl::Status Train(FineTuner& tuner, const TrainingTasks& tasks, data::BatchLoader* contrastive,
                   ProgressReporter& reporter, Run& run) {
  const FineTuneOptions& options = run.spec.options;
  const std::unique_ptr<data::BatchLoader> loader = MakeLoader(tasks.train, run);
  for (int64_t done = 1; done <= options.steps; ++done) {
    MP_RETURN_IF_ERROR(run.cancellation.Check());
    MP_ASSIGN_OR_RETURN(const StepReport report, TakeStep(tuner, *loader, contrastive, *run.model));
    const bool is_last = done == options.steps;
    std::optional<double> accuracy;
    if (is_last || IsEvery(options.validation_interval_steps, done)) {
      MP_ASSIGN_OR_RETURN(run.result.validation, Evaluate(tasks.validation, tuner.weights(), run));
      accuracy = patch::MeanAccuracy(run.result.validation);
    }
    if (!is_last && IsEvery(options.snapshot_interval_steps, done)) {
      MP_ASSIGN_OR_RETURN(std::string blob, Publish(tuner.weights(), fmt::format("weights of step {}", done), run));
      run.result.snapshots.push_back({done, std::move(blob)});
    }
    run.result.final_loss = report.loss;
    reporter.Report(report, accuracy);
  }
  // The last step's update has not been through a forward.
  MP_ASSIGN_OR_RETURN(const bool finite,
                      tensor::Guarded([&] { return at::isfinite(tuner.weights().flat()).all().item<bool>(); }));
  if (finite) return absl::OkStatus();
  return base::FailedPrecondition(
      "TRAINING_DIVERGED", "the weights are infinite or not a number after the last step; lower the learning rate");
}

// Publishes what the training made, and lets go of it.
absl::Status Finish(std::unique_ptr<FineTuner> tuner, const TrainingTasks& tasks, Run& run) {
  if (tuner->learned_head() != nullptr) {
    MP_ASSIGN_OR_RETURN(const auto sets, UnderLearnedHead(tasks.validation, *tuner->learned_head()));
    MP_ASSIGN_OR_RETURN(run.result.learned_head_validation, Evaluate(sets, tuner->weights(), run));
    for (const patch::TaskAccuracy& accuracy : run.result.learned_head_validation) {
      run.events.Log(fmt::format("with its learned head the model is right on {} of {} validation examples of {}",
                                 accuracy.correct, accuracy.total, accuracy.task));
    }
  }
  MP_ASSIGN_OR_RETURN(run.result.blob, Publish(tuner->weights(), "fine-tuned weights", run));
  if (tuner->average().has_value()) {
    MP_ASSIGN_OR_RETURN(run.result.average_blob, Publish(*tuner->average(), "moving average", run));
  }
  if (run.spec.fisher_examples == 0) return absl::OkStatus();
  const tensor::WeightSet weights = tuner->weights();
  // AdamW's state gives its memory to the estimate.
  tuner.reset();
  run.events.Log(fmt::format("estimating the Fisher information of {} training examples",
                             std::min(run.spec.fisher_examples, tasks.train->size())));
  const FisherOptions options{run.spec.fisher_examples, run.spec.options.seed, run.spec.options.precision};
  MP_ASSIGN_OR_RETURN(const tensor::WeightSet fisher,
                      EstimateTaskFisher(*run.model, weights, tasks.head, tasks.train, options, run.cancellation));
  MP_ASSIGN_OR_RETURN(run.result.fisher_blob, Publish(fisher, "diagonal Fisher information", run));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FineTuneResult> RunFineTuneStep(const StepSpec& step, const FineTuneSpec& spec,
                                               const StepEnvironment& environment,
                                               const base::CancellationToken& cancellation, StepEvents& events) {
  MP_RETURN_IF_ERROR(CheckSpec(spec));
  MP_ASSIGN_OR_RETURN(const tensor::Device device, tensor::Device::Parse(step.device));
  Run run{step, spec, environment.code_version, cancellation, events, store::BlobStore(step.blob_directory)};
  MP_ASSIGN_OR_RETURN(run.model, model::LoadModel(spec.model_directory, device, cancellation));
  MP_ASSIGN_OR_RETURN(StartWeights start, ReadStartWeights(spec.start_directory, *run.model, step.blob_directory));
  MP_ASSIGN_OR_RETURN(const TrainingTasks tasks, OpenTrainingTasks(*run.model, spec.tasks, spec.balance, step.threads,
                                                                   step.decode_limits, cancellation));
  for (const data::Task& task : tasks.tasks) {
    run.result.task_digests[task.name] = task.digest;
    events.Log(fmt::format("fine-tuning on {}: {} training and {} validation examples, {} classes", task.name,
                           task.train->size(), task.validation->size(), task.class_names.size()));
  }
  FineTunerParts parts{run.model, tasks.head, start.weights};
  if (spec.options.elastic_weight > 0) {
    MP_ASSIGN_OR_RETURN(parts.fisher, EstimateElasticFisher(start.weights, run));
  }
  MP_ASSIGN_OR_RETURN(const ContrastiveSource contrastive, OpenContrastiveSource(tasks, run));
  parts.prompts = contrastive.prompts;

  MP_ASSIGN_OR_RETURN(std::unique_ptr<FineTuner> tuner,
                      tensor::Guarded([&] { return std::make_unique<FineTuner>(std::move(parts), spec.options); }));
  ProgressReporter reporter(spec.options, environment.clock, events);
  MP_RETURN_IF_ERROR(Train(*tuner, tasks, contrastive.loader.get(), reporter, run));
  run.result.seconds = reporter.elapsed_seconds();
  run.result.steps = spec.options.steps;
  if (run.result.seconds > 0) {
    run.result.images_per_second =
        static_cast<double>(spec.options.steps * spec.options.batch_size) / run.result.seconds;
  }
  run.result.start = std::move(start.terms);
  run.result.model_digest = run.model->digest;
  run.result.layout_digest = run.model->image_weights.layout().digest();
  MP_RETURN_IF_ERROR(Finish(std::move(tuner), tasks, run));
  return std::move(run.result);
}

}  // namespace modelpatch::train
