#include "core/train/search_step.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <chrono>
#include <memory>
#include <utility>

#include "core/model/model_loader.h"
#include "core/patch/merging.h"
#include "core/store/blob_store.h"
#include "core/tensor/guard.h"
#include "core/train/coefficient_choice.h"
#include "core/train/final_evaluation.h"
#include "core/train/step_inputs.h"

namespace modelpatch::train {
namespace {

double SecondsSince(base::SteadyTime begin, const base::Clock& clock) {
  return std::chrono::duration<double>(clock.SteadyNow() - begin).count();
}

// One task vector out of all: the digest of θ_zs + τ. Each checkpoint counts as much as another.
absl::StatusOr<std::string> MergeAll(const SearchSpec& spec, const model::ClipModel& model,
                                     const std::vector<FineTuneResult>& fine_tuned,
                                     const std::vector<std::string>& blobs, BlobWeightsReader& weights,
                                     const base::CancellationToken& cancellation,
                                     const std::function<absl::StatusOr<std::string>(const tensor::WeightSet&)>& keep) {
  MP_ASSIGN_OR_RETURN(const std::vector<patch::BlobWeights> checkpoints, weights.GetAll(blobs));
  std::vector<std::shared_ptr<const tensor::WeightSet>> fishers;
  if (spec.merge->method == patch::MergeMethod::kFisher) {
    for (const FineTuneResult& result : fine_tuned) {
      MP_ASSIGN_OR_RETURN(auto fisher, weights.Get(result.fisher_blob));
      fishers.push_back(std::move(fisher));
    }
  }
  const std::vector<double> coefficients(blobs.size(), 1.0);
  const tensor::WeightSet& base = model.image_weights;
  MP_ASSIGN_OR_RETURN(const tensor::WeightSet merged,
                      tensor::Guarded([&] { return tensor::WeightSet(base.shared_layout(), base.device()); }));
  MP_RETURN_IF_ERROR(
      patch::MergeCheckpoints({base, checkpoints, coefficients, fishers}, *spec.merge, cancellation, merged));
  return keep(merged);
}

std::string DescribeTerms(const std::vector<patch::MixtureTerm>& terms) {
  std::vector<std::string> parts;
  for (const patch::MixtureTerm& term : terms) {
    parts.push_back(fmt::format("{:.4g} × {}", term.coefficient, term.blob.substr(0, 8)));
  }
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

absl::StatusOr<SearchResult> RunSearchStep(const StepSpec& step, const SearchSpec& spec,
                                           const StepEnvironment& environment,
                                           const base::CancellationToken& cancellation, StepEvents& events) {
  const base::SteadyTime begin = environment.clock.SteadyNow();
  MP_ASSIGN_OR_RETURN(const tensor::Device device, tensor::Device::Parse(step.device));
  MP_ASSIGN_OR_RETURN(const auto model, model::LoadModel(spec.model_directory, device, cancellation));
  std::vector<FineTuneResult> fine_tuned;
  std::vector<std::string> blobs = spec.blobs;
  for (const std::string& directory : spec.fine_tune_directories) {
    MP_ASSIGN_OR_RETURN(FineTuneResult result, ReadFineTuneResult(directory));
    blobs.push_back(result.blob);
    fine_tuned.push_back(std::move(result));
  }
  BlobWeightsReader weights(step.blob_directory, model->image_weights);
  const store::BlobStore store(step.blob_directory);
  const auto keep = [&](const tensor::WeightSet& merged) {
    return store.Put(merged, {{"model_digest", model->digest}, {"code_version", environment.code_version}});
  };
  std::vector<patch::MixtureTerm> start;
  if (!spec.start_directory.empty()) {
    MP_ASSIGN_OR_RETURN(const SearchResult earlier, ReadSearchResult(spec.start_directory));
    start = earlier.terms;
  }
  std::string merged_blob;
  const std::vector<std::string> mixed_blobs = blobs;
  if (spec.merge.has_value()) {
    MP_ASSIGN_OR_RETURN(merged_blob, MergeAll(spec, *model, fine_tuned, blobs, weights, cancellation, keep));
    blobs = {merged_blob};
    events.Log(fmt::format("merged {} checkpoints by {}", mixed_blobs.size(), patch::NameOf(spec.merge->method)));
  }

  MP_ASSIGN_OR_RETURN(const std::vector<OpenedTask> tasks,
                      OpenTasks(spec.patching_tasks, spec.supported_tasks, step.decode_limits));
  MP_ASSIGN_OR_RETURN(const auto validation,
                      MakeEvaluationSets(*model, tasks, data::Split::kValidation, step.threads, cancellation));
  const base::SteadyTime search_begin = environment.clock.SteadyNow();
  const ChoiceInput choice{
      spec,
      model,
      validation,
      start,
      blobs,
      weights,
      keep,
      [&](const CurvePoint& point) { events.SearchPoint(point); },
      [&](int64_t done, int64_t total) { events.SearchProgress(done, total); },
      cancellation,
  };
  MP_ASSIGN_OR_RETURN(SearchResult result, ChooseCoefficients(choice));
  if (!merged_blob.empty()) result.merged_blob = merged_blob;
  result.search.seconds = SecondsSince(search_begin, environment.clock);
  for (const OpenedTask& opened : tasks) result.task_digests[opened.task.name] = opened.task.digest;
  events.Log(fmt::format("chose α = {} by the policy {} after {} evaluations; coefficients: {}", result.alpha,
                         patch::NameOf(spec.policy), result.search.evaluations, DescribeTerms(result.terms)));
  if (spec.comparison.has_value()) {
    MP_RETURN_IF_ERROR(
        EvaluateFinally({spec, model, tasks, fine_tuned, mixed_blobs, weights, step.threads, cancellation}, result));
  }
  result.seconds = SecondsSince(begin, environment.clock);
  return result;
}

}  // namespace modelpatch::train
