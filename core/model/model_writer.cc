#include "core/model/model_writer.h"

#include <torch/torch.h>

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/base/file.h"
#include "core/model/hf_config.h"
#include "core/model/open_clip_config.h"
#include "core/model/source_names.h"
#include "core/tensor/guard.h"
#include "core/tensor/scalar_type.h"

namespace modelpatch::model {
namespace {

using nlohmann::ordered_json;

struct NamedTensor {
  std::string name;
  tensor::DType dtype;
  at::Tensor value;
};

// The tensors of one tower under their names in a file, contiguous. A counter stays an integer, whatever `dtype` says.
void AppendTensors(const tensor::WeightSet& weights, SourceNames names, std::optional<tensor::DType> dtype,
                   std::vector<NamedTensor>& tensors) {
  for (size_t i = 0; i < weights.views().size(); ++i) {
    const tensor::WeightSpec& spec = weights.layout().weights()[i].spec;
    const bool keeps = !dtype.has_value() || spec.source_dtype == tensor::DType::kInt64;
    const tensor::DType type = keeps ? spec.source_dtype : *dtype;
    const SourceTensors source = SourceOf(names, spec.name);
    const at::Tensor value = source.transposed ? weights.views()[i].t() : weights.views()[i];
    const auto parts = static_cast<int64_t>(source.names.size());
    for (int64_t part = 0; part < parts; ++part) {
      const at::Tensor piece = parts == 1 ? value : value.chunk(parts, 0)[static_cast<size_t>(part)];
      tensors.push_back(
          {source.names[static_cast<size_t>(part)], type, piece.to(at::kCPU, tensor::ScalarTypeOf(type)).contiguous()});
    }
  }
}

absl::Status WriteTensors(const std::string& path, const std::vector<NamedTensor>& tensors) {
  std::vector<tensor::TensorInfo> infos;
  uint64_t position = 0;
  for (const NamedTensor& entry : tensors) {
    const auto bytes = static_cast<uint64_t>(entry.value.nbytes());
    infos.push_back({entry.name, entry.dtype, entry.value.sizes().vec(), position, position + bytes});
    position += bytes;
  }
  MP_ASSIGN_OR_RETURN(base::AtomicFile file, base::AtomicFile::Create(path));
  MP_RETURN_IF_ERROR(file.Append(tensor::SerializeSafetensorsHeader(infos, {{"format", "pt"}})));
  for (const NamedTensor& entry : tensors) {
    MP_RETURN_IF_ERROR(file.Append({static_cast<const char*>(entry.value.data_ptr()), entry.value.nbytes()}));
  }
  return file.Commit();
}

absl::Status WriteWeights(const std::string& path, SourceNames names, const tensor::WeightSet& image_weights,
                          const tensor::WeightSet& text_weights, std::optional<tensor::DType> dtype) {
  return tensor::Guarded([&]() -> absl::Status {
    const at::NoGradGuard no_grad;
    std::vector<NamedTensor> tensors;
    AppendTensors(image_weights, names, dtype, tensors);
    AppendTensors(text_weights, names, dtype, tensors);
    return WriteTensors(path, tensors);
  });
}

// The preprocessing of a model that takes images of its config's size.
data::PreprocessConfig PreprocessOf(const ModelFiles& files) {
  data::PreprocessConfig preprocess = files.preprocess;
  preprocess.image_size = files.config.vision.image_size;
  return preprocess;
}

std::string TokenizerJson(int64_t context_length) {
  const ordered_json object = {
      {"bos_token", "<|startoftext|>"},    {"eos_token", "<|endoftext|>"}, {"pad_token", "<|endoftext|>"},
      {"unk_token", "<|endoftext|>"},      {"do_lower_case", true},        {"model_max_length", context_length},
      {"tokenizer_class", "CLIPTokenizer"}};
  return object.dump(1) + "\n";
}

// Transformers' SiglipTokenizer reads spiece.model alone; this class reads tokenizer.json.
std::string UnigramTokenizerConfig(int64_t context_length) {
  const ordered_json object = {{"eos_token", "</s>"},
                               {"pad_token", "</s>"},
                               {"unk_token", "<unk>"},
                               {"model_input_names", {"input_ids"}},
                               {"model_max_length", context_length},
                               {"tokenizer_class", "PreTrainedTokenizerFast"}};
  return object.dump(1) + "\n";
}

absl::Status WriteTokenizer(const std::string& directory, const ModelFiles& files) {
  if (files.config.is_siglip()) {
    MP_RETURN_IF_ERROR(base::WriteFileAtomically(directory + "/tokenizer.json", files.tokenizer_json));
    return base::WriteFileAtomically(directory + "/tokenizer_config.json",
                                     UnigramTokenizerConfig(files.config.text.context_length));
  }
  MP_RETURN_IF_ERROR(base::WriteFileAtomically(directory + "/vocab.json", files.vocab_json));
  MP_RETURN_IF_ERROR(base::WriteFileAtomically(directory + "/merges.txt", files.merges_txt));
  return base::WriteFileAtomically(directory + "/tokenizer_config.json",
                                   TokenizerJson(files.config.text.context_length));
}

absl::Status CheckHuggingFaceCan(const ModelConfig& config) {
  const VisionConfig& vision = config.vision;
  if (config.is_siglip() && vision.image_size.is_square()) return absl::OkStatus();
  if (!config.is_siglip() && !vision.is_resnet() && vision.image_size.is_square() && !vision.layer_scale &&
      vision.pre_norm && !config.text.layer_scale && vision.pooling == ImagePooling::kClassToken &&
      config.text.pooling != TextPooling::kLast) {
    return absl::OkStatus();
  }
  return base::FailedPrecondition("LAYOUT_UNSUPPORTED",
                                  "Hugging Face's CLIPModel has no architecture like this one; use OpenCLIP's layout");
}

}  // namespace

absl::Status WriteModel(const std::string& directory, const ModelFiles& files, const tensor::WeightSet& image_weights,
                        const tensor::WeightSet& text_weights, std::optional<tensor::DType> dtype) {
  MP_RETURN_IF_ERROR(CheckHuggingFaceCan(files.config));
  const bool is_siglip = files.config.is_siglip();
  MP_ASSIGN_OR_RETURN(
      const std::string preprocessor,
      data::WritePreprocessConfig(PreprocessOf(files), is_siglip ? "SiglipImageProcessor" : "CLIPImageProcessor"));
  MP_RETURN_IF_ERROR(base::CreateDirectories(directory));
  MP_RETURN_IF_ERROR(base::WriteFileAtomically(directory + "/config.json", WriteHuggingFaceConfig(files.config)));
  MP_RETURN_IF_ERROR(base::WriteFileAtomically(directory + "/preprocessor_config.json", preprocessor));
  MP_RETURN_IF_ERROR(WriteTokenizer(directory, files));
  const SourceNames names = is_siglip ? SourceNames::kHuggingFaceSiglip : SourceNames::kHuggingFace;
  return WriteWeights(directory + "/model.safetensors", names, image_weights, text_weights, dtype);
}

absl::Status WriteOpenClipModel(const std::string& directory, const ModelFiles& files,
                                const tensor::WeightSet& image_weights, const tensor::WeightSet& text_weights,
                                std::optional<tensor::DType> dtype) {
  MP_ASSIGN_OR_RETURN(const std::string config, WriteOpenClipConfig({files.config, PreprocessOf(files)}));
  MP_RETURN_IF_ERROR(base::CreateDirectories(directory));
  MP_RETURN_IF_ERROR(base::WriteFileAtomically(directory + "/open_clip_config.json", config));
  MP_RETURN_IF_ERROR(WriteTokenizer(directory, files));
  return WriteWeights(directory + "/open_clip_model.safetensors", SourceNames::kOpenAi, image_weights, text_weights,
                      dtype);
}

}  // namespace modelpatch::model
