#include "core/train/search_step.h"

#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "core/base/file.h"
#include "core/data/task.h"
#include "core/model/model_loader.h"
#include "core/patch/feature_similarity.h"
#include "core/patch/sweep.h"
#include "core/patch/weight_metrics.h"
#include "core/store/blob_store.h"
#include "core/tensor/compat.h"
#include "core/tensor/guard.h"

namespace modelpatch::train {
namespace {

constexpr uint64_t kMaximumResultBytes = 16 << 20;

struct OpenedTask {
  data::Task task;
  patch::TaskRole role;
};

absl::StatusOr<std::vector<OpenedTask>> OpenTasks(const SearchSpec& spec, const data::DecodeLimits& limits) {
  std::vector<OpenedTask> tasks;
  for (const auto& [list, role] : {std::pair{&spec.patching_tasks, patch::TaskRole::kPatching},
                                   std::pair{&spec.supported_tasks, patch::TaskRole::kSupported}}) {
    for (const NamedTask& named : *list) {
      MP_ASSIGN_OR_RETURN(data::Task task, data::OpenTask(named.name, named.source, limits));
      tasks.push_back({std::move(task), role});
    }
  }
  return tasks;
}

absl::StatusOr<std::vector<patch::EvaluationSet>> MakeSets(const model::ClipModel& model,
                                                           const std::vector<OpenedTask>& tasks, data::Split split,
                                                           int threads, const base::CancellationToken& cancellation) {
  std::vector<patch::EvaluationSet> sets;
  for (const OpenedTask& opened : tasks) {
    MP_ASSIGN_OR_RETURN(patch::EvaluationSet set,
                        patch::MakeEvaluationSet(model, opened.task, opened.role, split, threads,
                                                 /*maximum_examples=*/0, cancellation));
    sets.push_back(std::move(set));
  }
  return sets;
}

// The means over each kind of task, along the curve.
absl::StatusOr<patch::TradeOffMetrics> TradeOff(const std::vector<patch::AlphaAccuracies>& points) {
  std::vector<patch::TradeOffPoint> curve;
  for (const patch::AlphaAccuracies& point : points) {
    double sums[2] = {0, 0};
    int64_t counts[2] = {0, 0};
    for (const patch::TaskAccuracy& accuracy : point.accuracies) {
      const int kind = accuracy.role == patch::TaskRole::kSupported ? 0 : 1;
      sums[kind] += accuracy.accuracy();
      ++counts[kind];
    }
    curve.push_back({point.alpha, counts[0] > 0 ? sums[0] / static_cast<double>(counts[0]) : 0,
                     counts[1] > 0 ? sums[1] / static_cast<double>(counts[1]) : 0});
  }
  return patch::ComputeTradeOffMetrics(curve);
}

// The sweep of one split, as the policies and the result want it.
absl::StatusOr<std::vector<patch::AlphaAccuracies>> Sweep(
    const std::shared_ptr<const model::ClipModel>& model, const std::string& blob, const std::vector<double>& alphas,
    const std::vector<patch::EvaluationSet>& sets, const patch::BlobLoader& load_blob,
    const patch::FeatureFunction& features, const base::CancellationToken& cancellation,
    const std::function<void(const patch::AlphaAccuracies&)>& on_point) {
  std::vector<patch::AlphaAccuracies> points;
  const patch::SweepInput input{model, {}, {{blob, 1.0}}, alphas, sets};
  const auto collect = [&](const patch::SweepPoint& point) {
    points.push_back({point.alpha, point.accuracies});
    if (on_point) on_point(points.back());
    return absl::OkStatus();
  };
  MP_RETURN_IF_ERROR(patch::RunSweep(input, load_blob, features, cancellation, collect).status());
  return points;
}

}  // namespace

absl::StatusOr<SearchResult> RunSearchStep(const StepSpec& step, const SearchSpec& spec,
                                           const StepEnvironment& environment,
                                           const base::CancellationToken& cancellation, StepEvents& events) {
  const base::SteadyTime begin = environment.clock.SteadyNow();
  MP_ASSIGN_OR_RETURN(const tensor::Device device, tensor::Device::Parse(step.device));
  MP_ASSIGN_OR_RETURN(const auto model, model::LoadModel(spec.model_directory, device, cancellation));
  MP_ASSIGN_OR_RETURN(const std::string fine_tuned_json,
                      base::ReadFile(spec.fine_tune_directory + "/result.json", kMaximumResultBytes));
  MP_ASSIGN_OR_RETURN(const FineTuneResult fine_tuned_result, FineTuneResultFromJson(fine_tuned_json));
  const store::BlobStore blobs(step.blob_directory);
  MP_ASSIGN_OR_RETURN(const tensor::WeightSet stored,
                      blobs.Get(fine_tuned_result.blob, model->image_weights.shared_layout()));
  MP_ASSIGN_OR_RETURN(
      const auto fine_tuned, tensor::Guarded([&] {
        return std::make_shared<const tensor::WeightSet>(device.is_cuda() ? stored.CloneTo(device) : stored);
      }));
  const patch::BlobLoader load_blob = [&](const std::string&) { return fine_tuned; };
  const patch::FeatureFunction features = patch::DirectFeatures(model, spec.precision);

  MP_ASSIGN_OR_RETURN(const std::vector<OpenedTask> tasks, OpenTasks(spec, step.decode_limits));
  MP_ASSIGN_OR_RETURN(const auto validation_sets,
                      MakeSets(*model, tasks, data::Split::kValidation, step.threads, cancellation));
  SearchResult result;
  for (const OpenedTask& opened : tasks) result.task_digests[opened.task.name] = opened.task.digest;
  MP_ASSIGN_OR_RETURN(result.validation,
                      Sweep(model, fine_tuned_result.blob, spec.alphas, validation_sets, load_blob, features,
                            cancellation, [&](const patch::AlphaAccuracies& point) { events.SearchPoint(point); }));
  MP_ASSIGN_OR_RETURN(result.trade_off, TradeOff(result.validation));
  result.alpha = spec.fixed_alpha;
  if (spec.policy != patch::AlphaPolicy::kFixed) {
    MP_ASSIGN_OR_RETURN(const size_t chosen, patch::ChooseAlpha(result.validation, spec.policy, spec.epsilon_points));
    result.alpha = result.validation[chosen].alpha;
  }
  events.Log(fmt::format("chose α = {} by the policy {}", result.alpha, patch::NameOf(spec.policy)));

  MP_ASSIGN_OR_RETURN(const auto test_sets, MakeSets(*model, tasks, data::Split::kTest, step.threads, cancellation));
  std::vector<double> reported = {0.0, result.alpha, 1.0};
  std::sort(reported.begin(), reported.end());
  reported.erase(std::unique(reported.begin(), reported.end()), reported.end());
  MP_ASSIGN_OR_RETURN(result.test, Sweep(model, fine_tuned_result.blob, reported, test_sets, load_blob, features,
                                         cancellation, nullptr));

  for (const OpenedTask& opened : tasks) {
    if (opened.role != patch::TaskRole::kSupported) continue;
    MP_ASSIGN_OR_RETURN(result.cka[opened.task.name], patch::CompareFeatures(model, model->image_weights, *fine_tuned,
                                                                             opened.task, step.threads, cancellation));
  }
  MP_ASSIGN_OR_RETURN(const patch::WeightSimilarity similarity, tensor::Guarded([&] {
                        return patch::CompareWeights(model->image_weights.flat(), fine_tuned->flat(),
                                                     model->image_weights.layout().parameter_count());
                      }));
  result.weight_cosine = similarity.cosine;
  result.weight_mean_absolute_difference = similarity.mean_absolute_difference;
  result.seconds = std::chrono::duration<double>(environment.clock.SteadyNow() - begin).count();
  return result;
}

}  // namespace modelpatch::train
