#include "core/model/architecture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <set>
#include <utility>

#include "core/base/text.h"

namespace modelpatch::model {
namespace {

constexpr size_t kNamesInMessage = 10;

// Collects everything that is wrong with a model's tensors, so that one error names it all.
class TensorProblems {
 public:
  void Add(std::string problem) {
    if (problems_.size() < kNamesInMessage) problems_.push_back(std::move(problem));
    ++count_;
  }
  absl::Status ToStatus() const {
    if (count_ == 0) return absl::OkStatus();
    return base::InvalidArgument(
        "MODEL_TENSORS_MISMATCH",
        fmt::format("the weights and the config disagree about {} tensors{}: {}", count_,
                    count_ > kNamesInMessage ? fmt::format(" (the first {})", kNamesInMessage) : "",
                    fmt::join(problems_, "; ")));
  }

 private:
  std::vector<std::string> problems_;
  size_t count_ = 0;
};

// The wide types that a weight may have in a file; a counter is an integer there.
bool IsAllowed(tensor::DType dtype, const tensor::WeightSpec& spec) {
  if (spec.source_dtype == tensor::DType::kInt64) return dtype == tensor::DType::kInt64;
  return dtype == tensor::DType::kFloat64 || dtype == tensor::DType::kFloat32 || dtype == tensor::DType::kFloat16 ||
         dtype == tensor::DType::kBFloat16;
}

// The shape that each source tensor of a weight must have.
std::vector<int64_t> SourceShape(const tensor::WeightSpec& spec, const SourceTensors& source) {
  std::vector<int64_t> shape = spec.shape;
  if (source.transposed) std::swap(shape[0], shape[1]);
  if (source.names.size() > 1) shape[0] /= static_cast<int64_t>(source.names.size());
  return shape;
}

enum class Presence { kRequired, kOptional };

// Looks up and checks the sources of `specs`, and notes their dtype there; the names found go to `used`.
void CheckSources(const TensorTable& tensors, SourceNames names, Presence presence,
                  std::vector<tensor::WeightSpec>& specs, std::set<std::string, std::less<>>& used,
                  TensorProblems& problems) {
  for (tensor::WeightSpec& spec : specs) {
    std::optional<tensor::DType> dtype;
    const SourceTensors source = SourceOf(names, spec.name);
    const std::vector<int64_t> shape = SourceShape(spec, source);
    for (const std::string& name : source.names) {
      used.insert(name);
      const StoredTensor* stored = tensors.Find(name);
      // A scalar may have been written as a tensor of one element.
      const bool scalar = stored != nullptr && shape.empty() && stored->info.numel() == 1;
      if (stored == nullptr) {
        if (presence == Presence::kRequired) problems.Add(fmt::format("'{}' is missing", name));
      } else if (stored->info.shape != shape && !scalar) {
        problems.Add(fmt::format("'{}' has shape [{}], the config asks for [{}]", name,
                                 fmt::join(stored->info.shape, ", "), fmt::join(shape, ", ")));
      } else if (!IsAllowed(stored->info.dtype, spec)) {
        problems.Add(fmt::format("'{}' has dtype {}; use {}", name, tensor::NameOf(stored->info.dtype),
                                 spec.source_dtype == tensor::DType::kInt64 ? "I64" : "F32, F16 or BF16"));
      } else {
        // Parts of several dtypes fit into fp32 without a loss.
        const bool agrees = !dtype.has_value() || dtype == stored->info.dtype;
        dtype = agrees ? stored->info.dtype : tensor::DType::kFloat32;
      }
    }
    spec.source_dtype = dtype.value_or(spec.source_dtype);
  }
}

// Told by the token embedding, which every CLIP has.
SourceNames NamesOf(const TensorTable& tensors) {
  if (tensors.Find("token_embedding.weight") != nullptr) return SourceNames::kOpenAi;
  if (tensors.Find("text.token_embedding.weight") != nullptr) return SourceNames::kOpenClipCustomText;
  if (tensors.Find("vision_model.head.probe") != nullptr) return SourceNames::kHuggingFaceSiglip;
  // A checkpoint of the image tower alone.
  if (tensors.Find("visual.conv1.weight") != nullptr) return SourceNames::kOpenAi;
  return SourceNames::kHuggingFace;
}

void CheckNothingElse(const TensorTable& tensors, SourceNames names, const std::set<std::string, std::less<>>& used,
                      TensorProblems& problems) {
  for (const auto& [name, stored] : tensors.tensors()) {
    if (!used.contains(name) && !IsIgnoredTensor(names, name)) {
      problems.Add(fmt::format("'{}' is not part of the architecture", base::Printable(name)));
    }
  }
}

}  // namespace

absl::StatusOr<Architecture> MatchArchitecture(const ModelConfig& config, const TensorTable& tensors) {
  Architecture architecture;
  architecture.names = NamesOf(tensors);
  architecture.image_encoder = MakeImageEncoder(config.vision, config.embedding_width);
  architecture.text_encoder = std::make_shared<const TextEncoder>(config.text, config.embedding_width);
  architecture.image_specs = architecture.image_encoder->WeightSpecs();
  architecture.text_specs = architecture.text_encoder->WeightSpecs();
  TensorProblems problems;
  std::set<std::string, std::less<>> used;
  CheckSources(tensors, architecture.names, Presence::kRequired, architecture.image_specs, used, problems);
  CheckSources(tensors, architecture.names, Presence::kRequired, architecture.text_specs, used, problems);
  CheckNothingElse(tensors, architecture.names, used, problems);
  MP_RETURN_IF_ERROR(problems.ToStatus());
  return architecture;
}

absl::StatusOr<SourceNames> MatchCheckpoint(const ModelConfig& config, const TensorTable& tensors) {
  const SourceNames names = NamesOf(tensors);
  std::vector<tensor::WeightSpec> image_specs = MakeImageEncoder(config.vision, config.embedding_width)->WeightSpecs();
  std::vector<tensor::WeightSpec> text_specs = TextEncoder(config.text, config.embedding_width).WeightSpecs();
  TensorProblems problems;
  std::set<std::string, std::less<>> used;
  CheckSources(tensors, names, Presence::kRequired, image_specs, used, problems);
  CheckSources(tensors, names, Presence::kOptional, text_specs, used, problems);
  CheckNothingElse(tensors, names, used, problems);
  MP_RETURN_IF_ERROR(problems.ToStatus());
  return names;
}

}  // namespace modelpatch::model
