#include "core/train/step_inputs.h"

#include <utility>

#include "core/base/file.h"
#include "core/tensor/guard.h"

namespace modelpatch::train {
namespace {

constexpr uint64_t kMaximumResultBytes = 64 << 20;

}  // namespace

absl::StatusOr<std::string> ReadResult(const std::string& step_directory) {
  return base::ReadFile(step_directory + "/result.json", kMaximumResultBytes);
}

absl::StatusOr<FineTuneResult> ReadFineTuneResult(const std::string& step_directory) {
  MP_ASSIGN_OR_RETURN(const std::string json, ReadResult(step_directory));
  return FineTuneResultFromJson(json);
}

absl::StatusOr<SearchResult> ReadSearchResult(const std::string& step_directory) {
  MP_ASSIGN_OR_RETURN(const std::string json, ReadResult(step_directory));
  return SearchResultFromJson(json);
}

absl::StatusOr<std::vector<OpenedTask>> OpenTasks(const std::vector<NamedTask>& patching,
                                                  const std::vector<NamedTask>& supported,
                                                  const data::DecodeLimits& limits) {
  std::vector<OpenedTask> tasks;
  for (const auto& [list, role] :
       {std::pair{&patching, patch::TaskRole::kPatching}, std::pair{&supported, patch::TaskRole::kSupported}}) {
    for (const NamedTask& named : *list) {
      MP_ASSIGN_OR_RETURN(data::Task task, data::OpenTask(named.name, named.source, limits));
      tasks.push_back({std::move(task), role});
    }
  }
  return tasks;
}

absl::StatusOr<std::vector<patch::EvaluationSet>> MakeEvaluationSets(const model::ClipModel& model,
                                                                     const std::vector<OpenedTask>& tasks,
                                                                     data::Split split, int threads,
                                                                     const base::CancellationToken& cancellation) {
  std::vector<patch::EvaluationSet> sets;
  for (const OpenedTask& opened : tasks) {
    MP_ASSIGN_OR_RETURN(patch::EvaluationSet set,
                        patch::MakeEvaluationSet(model, opened.task, opened.role, split, threads,
                                                 /*maximum_examples=*/0, cancellation));
    sets.push_back(std::move(set));
  }
  return sets;
}

BlobWeightsReader::BlobWeightsReader(const std::string& blob_directory, const tensor::WeightSet& base)
    : blobs_(blob_directory), base_(base) {}

absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> BlobWeightsReader::Get(const std::string& blob) {
  const auto found = held_.find(blob);
  if (found != held_.end()) return found->second;
  MP_ASSIGN_OR_RETURN(const tensor::WeightSet stored, blobs_.Get(blob, base_.shared_layout()));
  MP_ASSIGN_OR_RETURN(
      auto weights, tensor::Guarded([&] {
        const bool moves = base_.device().is_cuda();
        return std::make_shared<const tensor::WeightSet>(moves ? stored.CloneTo(base_.device()) : stored);
      }));
  held_.emplace(blob, weights);
  return weights;
}

absl::StatusOr<std::vector<patch::BlobWeights>> BlobWeightsReader::GetAll(const std::vector<std::string>& blobs) {
  std::vector<patch::BlobWeights> all;
  for (const std::string& blob : blobs) {
    MP_ASSIGN_OR_RETURN(auto weights, Get(blob));
    all.push_back({blob, std::move(weights)});
  }
  return all;
}

}  // namespace modelpatch::train
