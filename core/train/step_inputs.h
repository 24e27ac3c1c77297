// What a step finds when it begins: the results of the steps before it, tasks, and weights by their blobs.
//
// Pure functions of the files, and BlobWeightsReader, which belongs to one thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/cancellation.h"
#include "core/data/task.h"
#include "core/patch/evaluation.h"
#include "core/patch/interpolation.h"
#include "core/store/blob_store.h"
#include "core/train/step_result.h"
#include "core/train/step_spec.h"

namespace modelpatch::train {

// The result.json of a step's directory, as text and parsed. Errors of reading a file; DATA_LOSS (BAD_STEP_RESULT).
absl::StatusOr<std::string> ReadResult(const std::string& step_directory);
absl::StatusOr<FineTuneResult> ReadFineTuneResult(const std::string& step_directory);
absl::StatusOr<SearchResult> ReadSearchResult(const std::string& step_directory);

struct OpenedTask {
  data::Task task;
  patch::TaskRole role;
};

// Patching tasks first, in their order.
absl::StatusOr<std::vector<OpenedTask>> OpenTasks(const std::vector<NamedTask>& patching,
                                                  const std::vector<NamedTask>& supported,
                                                  const data::DecodeLimits& limits);

// One split of each, for `model`.
absl::StatusOr<std::vector<patch::EvaluationSet>> MakeEvaluationSets(const model::ClipModel& model,
                                                                     const std::vector<OpenedTask>& tasks,
                                                                     data::Split split, int threads,
                                                                     const base::CancellationToken& cancellation);

// Reads weights from the store, each blob once, onto the device of the model that outlives it.
class BlobWeightsReader {
 public:
  BlobWeightsReader(const std::string& blob_directory, const tensor::WeightSet& base);

  // Errors of BlobStore::Get; RESOURCE_EXHAUSTED (OUT_OF_MEMORY).
  absl::StatusOr<std::shared_ptr<const tensor::WeightSet>> Get(const std::string& blob);
  absl::StatusOr<std::vector<patch::BlobWeights>> GetAll(const std::vector<std::string>& blobs);
  // This, as interpolation takes it; it must outlive the function.
  patch::BlobLoader loader() {
    return [this](const std::string& blob) { return Get(blob); };
  }

 private:
  const store::BlobStore blobs_;
  const tensor::WeightSet& base_;
  std::map<std::string, std::shared_ptr<const tensor::WeightSet>> held_;
};

}  // namespace modelpatch::train
