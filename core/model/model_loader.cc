#include "core/model/model_loader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <cmath>
#include <filesystem>
#include <set>
#include <utility>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/model/bpe_tokenizer.h"
#include "core/model/hf_config.h"
#include "core/model/hf_layout.h"
#include "core/tensor/guard.h"
#include "core/tensor/safetensors_file.h"

namespace modelpatch::model {
namespace {

constexpr size_t kNamesInMessage = 10;

// Collects everything that is wrong with a file's tensors, so that one error names it all.
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
        fmt::format("model.safetensors and config.json disagree about {} tensors{}: {}", count_,
                    count_ > kNamesInMessage ? fmt::format(" (the first {})", kNamesInMessage) : "",
                    fmt::join(problems_, "; ")));
  }

 private:
  std::vector<std::string> problems_;
  size_t count_ = 0;
};

bool IsFloating(tensor::DType dtype) {
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

// Looks up and checks the sources of `specs`, and notes their dtype there; the names found go to `used`.
void CheckSources(const tensor::SafetensorsHeader& header, std::vector<tensor::WeightSpec>& specs,
                  std::set<std::string>& used, TensorProblems& problems) {
  for (tensor::WeightSpec& spec : specs) {
    const SourceTensors source = HuggingFaceSource(spec.name);
    const std::vector<int64_t> shape = SourceShape(spec, source);
    for (const std::string& name : source.names) {
      used.insert(name);
      const tensor::TensorInfo* info = header.Find(name);
      // A scalar may have been written as a tensor of one element.
      const bool scalar = info != nullptr && shape.empty() && info->numel() == 1;
      if (info == nullptr) {
        problems.Add(fmt::format("'{}' is missing", name));
      } else if (info->shape != shape && !scalar) {
        problems.Add(fmt::format("'{}' has shape [{}], the config asks for [{}]", name, fmt::join(info->shape, ", "),
                                 fmt::join(shape, ", ")));
      } else if (!IsFloating(info->dtype)) {
        problems.Add(fmt::format("'{}' has dtype {}; use F32, F16 or BF16", name, tensor::NameOf(info->dtype)));
      } else {
        spec.source_dtype = info->dtype;
      }
    }
  }
}

// Copies the sources of every weight of `weights` out of the file, as fp32. Not a number and infinity are refused.
absl::Status CopyWeights(const tensor::SafetensorsFile& file, const tensor::WeightSet& weights,
                         const base::CancellationToken& cancellation) {
  for (size_t i = 0; i < weights.views().size(); ++i) {
    MP_RETURN_IF_ERROR(cancellation.Check());
    const std::string& name = weights.layout().weights()[i].spec.name;
    const at::Tensor& view = weights.views()[i];
    const SourceTensors source = HuggingFaceSource(name);
    const int64_t rows = view.dim() == 0 ? 0 : view.size(0) / static_cast<int64_t>(source.names.size());
    for (size_t part = 0; part < source.names.size(); ++part) {
      const at::Tensor stored = file.View(*file.header().Find(source.names[part]));
      at::Tensor target = source.names.size() == 1 ? view : view.narrow(0, static_cast<int64_t>(part) * rows, rows);
      target.copy_((source.transposed ? stored.t() : stored).reshape(target.sizes()));
      if (!at::isfinite(target).all().item<bool>()) {
        return base::InvalidArgument(
            "MODEL_TENSOR_NOT_FINITE",
            fmt::format("the tensor '{}' holds NaN or infinity; the model cannot work", source.names[part]));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<double> ReadLogitScale(const tensor::WeightSet& text_weights) {
  const auto logarithm = static_cast<double>(text_weights.views().back().item<float>());
  if (IsValidLogitScale(logarithm)) return std::exp(logarithm);
  return base::InvalidArgument("MODEL_LOGIT_SCALE_INVALID",
                               fmt::format("the tensor 'logit_scale' is {}; it must be from -{} to {}", logarithm,
                                           kMaximumLogitScale, kMaximumLogitScale));
}

absl::StatusOr<std::string> ReadModelText(const std::string& directory, const std::string& name) {
  const std::string path = directory + "/" + name;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return base::InvalidArgument("MODEL_FILE_MISSING", fmt::format("there is no '{}'; a model directory holds {}", path,
                                                                   fmt::join(ModelFileNames(), ", ")));
  }
  return base::ReadFile(path, kMaximumModelTextBytes);
}

// The parts of a model that come from its small files.
struct SmallParts {
  ModelConfig config;
  data::PreprocessConfig preprocess;
  std::shared_ptr<const Tokenizer> tokenizer;
};

absl::StatusOr<SmallParts> LoadSmallParts(const std::string& directory) {
  ModelConfig config;
  data::PreprocessConfig preprocess;
  std::shared_ptr<const Tokenizer> tokenizer;
  MP_ASSIGN_OR_RETURN(const std::string config_json, ReadModelText(directory, "config.json"));
  MP_ASSIGN_OR_RETURN(config, ParseHuggingFaceConfig(config_json));
  MP_ASSIGN_OR_RETURN(const std::string preprocess_json, ReadModelText(directory, "preprocessor_config.json"));
  MP_ASSIGN_OR_RETURN(preprocess, data::ParsePreprocessConfig(preprocess_json));
  if (preprocess.image_size != config.vision.image_size) {
    return base::InvalidArgument("MODEL_PREPROCESS_MISMATCH",
                                 fmt::format("preprocessor_config.json gives images of {} pixels, config.json takes {}",
                                             preprocess.image_size, config.vision.image_size));
  }
  MP_ASSIGN_OR_RETURN(const std::string vocabulary, ReadModelText(directory, "vocab.json"));
  MP_ASSIGN_OR_RETURN(const std::string merges, ReadModelText(directory, "merges.txt"));
  MP_ASSIGN_OR_RETURN(tokenizer, MakeBpeTokenizer(vocabulary, merges, config.text.context_length));
  if (tokenizer->vocabulary_size() != config.text.vocabulary_size) {
    return base::InvalidArgument("MODEL_VOCABULARY_MISMATCH",
                                 fmt::format("vocab.json has {} entries, config.json's vocab_size is {}",
                                             tokenizer->vocabulary_size(), config.text.vocabulary_size));
  }
  if (config.text.pooling == TextPooling::kFirstEndOfText &&
      config.text.end_of_text_id != tokenizer->end_of_text_id()) {
    return base::InvalidArgument("MODEL_VOCABULARY_MISMATCH",
                                 fmt::format("config.json's eos_token_id is {}, the vocabulary's <|endoftext|> is {}",
                                             config.text.end_of_text_id, tokenizer->end_of_text_id()));
  }
  return SmallParts{config, preprocess, std::move(tokenizer)};
}

// The towers that a config asks for, and the weights they need.
struct Architecture {
  std::shared_ptr<const ImageEncoder> image_encoder;
  std::shared_ptr<const TextEncoder> text_encoder;
  std::vector<tensor::WeightSpec> image_specs;  // with the dtypes of the file
  std::vector<tensor::WeightSpec> text_specs;
};

// Checks that the tensors of the file are the weights of the architecture.
absl::StatusOr<Architecture> MatchArchitecture(const ModelConfig& config, const tensor::SafetensorsHeader& header) {
  Architecture architecture;
  architecture.image_encoder = MakeVisionTransformer(config.vision, config.embedding_width);
  architecture.text_encoder = std::make_shared<const TextEncoder>(config.text, config.embedding_width);
  architecture.image_specs = architecture.image_encoder->WeightSpecs();
  architecture.text_specs = architecture.text_encoder->WeightSpecs();
  TensorProblems problems;
  std::set<std::string> used;
  CheckSources(header, architecture.image_specs, used, problems);
  CheckSources(header, architecture.text_specs, used, problems);
  for (const tensor::TensorInfo& info : header.tensors) {
    if (!used.contains(info.name) && !IsIgnoredHuggingFaceTensor(info.name)) {
      problems.Add(fmt::format("'{}' is not part of the architecture", info.name));
    }
  }
  MP_RETURN_IF_ERROR(problems.ToStatus());
  return architecture;
}

absl::StatusOr<std::string> DigestFiles(const std::string& directory) {
  base::Sha256 digest;
  digest.Update("modelpatch model 1");
  for (const std::string& name : ModelFileNames()) {
    MP_ASSIGN_OR_RETURN(const std::string file_digest, base::Sha256File(directory + "/" + name));
    digest.Update(file_digest);
  }
  return digest.Finish();
}

}  // namespace

const std::vector<std::string>& ModelFileNames() {
  static const std::vector<std::string> names = {"config.json", "preprocessor_config.json", "vocab.json", "merges.txt",
                                                 "model.safetensors"};
  return names;
}

absl::Status CheckModelBeforeWeights(const std::string& directory, const tensor::SafetensorsHeader& weights) {
  MP_ASSIGN_OR_RETURN(const SmallParts parts, LoadSmallParts(directory));
  return MatchArchitecture(parts.config, weights).status();
}

absl::StatusOr<std::shared_ptr<const ClipModel>> LoadModel(const std::string& directory, const tensor::Device& device,
                                                           const base::CancellationToken& cancellation) {
  MP_ASSIGN_OR_RETURN(SmallParts parts, LoadSmallParts(directory));
  const ModelConfig& config = parts.config;
  const std::string weight_path = directory + "/model.safetensors";
  std::error_code ignored;
  if (!std::filesystem::exists(weight_path, ignored)) {
    return base::InvalidArgument("MODEL_FILE_MISSING", fmt::format("there is no '{}'", weight_path));
  }
  MP_ASSIGN_OR_RETURN(const tensor::SafetensorsFile file, tensor::SafetensorsFile::Open(weight_path));
  MP_ASSIGN_OR_RETURN(Architecture architecture, MatchArchitecture(config, file.header()));

  MP_ASSIGN_OR_RETURN(auto image_layout, tensor::WeightLayout::Make(std::move(architecture.image_specs)));
  MP_ASSIGN_OR_RETURN(auto text_layout, tensor::WeightLayout::Make(std::move(architecture.text_specs)));
  MP_ASSIGN_OR_RETURN(std::string digest, DigestFiles(directory));
  return tensor::Guarded([&]() -> absl::StatusOr<std::shared_ptr<const ClipModel>> {
    const at::NoGradGuard no_grad;
    tensor::WeightSet image_weights(image_layout, device);
    tensor::WeightSet text_weights(text_layout, device);
    MP_RETURN_IF_ERROR(CopyWeights(file, image_weights, cancellation));
    MP_RETURN_IF_ERROR(CopyWeights(file, text_weights, cancellation));
    MP_ASSIGN_OR_RETURN(const double logit_scale, ReadLogitScale(text_weights));
    return std::make_shared<const ClipModel>(
        ClipModel{config, parts.preprocess, parts.tokenizer, architecture.image_encoder, architecture.text_encoder,
                  std::move(image_weights), std::move(text_weights), logit_scale, std::move(digest)});
  });
}

}  // namespace modelpatch::model
