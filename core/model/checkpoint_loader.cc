#include "core/model/checkpoint_loader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <vector>

#include "core/base/file.h"
#include "core/model/architecture.h"
#include "core/model/hf_config.h"
#include "core/model/model_loader.h"
#include "core/model/open_clip_config.h"
#include "core/model/weight_copy.h"
#include "core/model/weight_files.h"
#include "core/tensor/guard.h"

namespace modelpatch::model {
namespace {

constexpr size_t kNamesInMessage = 10;

absl::StatusOr<ModelConfig> ReadConfig(const std::string& directory, ConfigSource source) {
  if (source == ConfigSource::kHuggingFace) {
    MP_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(directory + "/config.json", kMaximumModelTextBytes));
    return ParseHuggingFaceConfig(text);
  }
  MP_ASSIGN_OR_RETURN(const std::string text,
                      base::ReadFile(directory + "/open_clip_config.json", kMaximumModelTextBytes));
  MP_ASSIGN_OR_RETURN(OpenClipConfig config, ParseOpenClipConfig(text));
  return config.model;
}

absl::Status CheckConfig(const ClipModel& model, const std::string& directory, ConfigSource source) {
  if (source == ConfigSource::kShapes) return absl::OkStatus();
  MP_ASSIGN_OR_RETURN(ModelConfig config, ReadConfig(directory, source));
  // The trained logit scale stands among the weights.
  config.initial_logit_scale = model.config.initial_logit_scale;
  // Which of two spellings of the same pooling a file uses.
  if (config.text.pooling != TextPooling::kLast && model.config.text.pooling != TextPooling::kLast) {
    config.text.pooling = model.config.text.pooling;
    config.text.end_of_text_id = model.config.text.end_of_text_id;
  }
  if (config == model.config) return absl::OkStatus();
  return base::InvalidArgument(
      "CHECKPOINT_CONFIG_DIFFERS",
      fmt::format("the config in '{}' is of another architecture than the model's", directory));
}

// Whether the tensor `stored` of a file is `expected` in the file's dtype.
bool IsSame(const at::Tensor& stored, const at::Tensor& expected) {
  return stored.reshape(expected.sizes()).equal(expected.to(stored.scalar_type()));
}

absl::Status CheckTextTower(const ClipModel& model, const WeightFiles& files, SourceNames names,
                            const base::CancellationToken& cancellation) {
  std::vector<std::string> different;
  for (size_t i = 0; i < model.text_weights.views().size(); ++i) {
    MP_RETURN_IF_ERROR(cancellation.Check());
    const at::Tensor view = model.text_weights.views()[i].cpu();
    const SourceTensors source = SourceOf(names, model.text_weights.layout().weights()[i].spec.name);
    const auto parts = static_cast<int64_t>(source.names.size());
    for (int64_t part = 0; part < parts; ++part) {
      const std::string& name = source.names[static_cast<size_t>(part)];
      const StoredTensor* stored = files.table().Find(name);
      if (stored == nullptr) continue;
      const at::Tensor value = files.View(*stored);
      const at::Tensor expected = parts == 1 ? view : view.chunk(parts, 0)[static_cast<size_t>(part)];
      if (!IsSame(source.transposed ? value.t() : value, expected)) different.push_back(name);
    }
  }
  if (different.empty()) return absl::OkStatus();
  const size_t count = different.size();
  if (count > kNamesInMessage) different.resize(kNamesInMessage);
  return base::InvalidArgument(
      "CHECKPOINT_TEXT_TOWER_DIFFERS",
      fmt::format("{} tensors of the text tower are not the model's, such as {}; a patch changes the image encoder "
                  "alone: import the checkpoint as a model of its own, or leave its text tower out",
                  count, fmt::join(different, ", ")));
}

}  // namespace

absl::StatusOr<tensor::WeightSet> LoadCheckpoint(const ClipModel& model, const std::string& directory,
                                                 const base::CancellationToken& cancellation) {
  MP_ASSIGN_OR_RETURN(const ModelFileNames names, ChooseCheckpointFilesIn(directory));
  MP_RETURN_IF_ERROR(CheckConfig(model, directory, names.config));
  MP_ASSIGN_OR_RETURN(const WeightFiles files, WeightFiles::Open(directory, names));
  MP_ASSIGN_OR_RETURN(const SourceNames source_names, MatchCheckpoint(model.config, files.table()));
  return tensor::Guarded([&]() -> absl::StatusOr<tensor::WeightSet> {
    const at::NoGradGuard no_grad;
    MP_RETURN_IF_ERROR(CheckTextTower(model, files, source_names, cancellation));
    tensor::WeightSet weights(model.image_weights.shared_layout(), tensor::Device());
    MP_RETURN_IF_ERROR(CopyWeights(files, source_names, weights, cancellation).status());
    return weights;
  });
}

}  // namespace modelpatch::model
