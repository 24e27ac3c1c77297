#include "core/model/model_writer.h"

#include <torch/torch.h>

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/base/file.h"
#include "core/model/hf_config.h"
#include "core/model/hf_layout.h"
#include "core/tensor/guard.h"

namespace modelpatch::model {
namespace {

using nlohmann::ordered_json;

at::ScalarType ScalarTypeOf(tensor::DType dtype) {
  if (dtype == tensor::DType::kFloat16) return at::kHalf;
  return dtype == tensor::DType::kBFloat16 ? at::kBFloat16 : at::kFloat;
}

struct NamedTensor {
  std::string name;
  at::Tensor value;
};

// The Hugging Face tensors of one tower, contiguous and in `type`.
void AppendTensors(const tensor::WeightSet& weights, at::ScalarType type, std::vector<NamedTensor>& tensors) {
  for (size_t i = 0; i < weights.views().size(); ++i) {
    const SourceTensors source = HuggingFaceSource(weights.layout().weights()[i].spec.name);
    const at::Tensor value = source.transposed ? weights.views()[i].t() : weights.views()[i];
    const auto parts = static_cast<int64_t>(source.names.size());
    for (int64_t part = 0; part < parts; ++part) {
      const at::Tensor piece = parts == 1 ? value : value.chunk(parts, 0)[static_cast<size_t>(part)];
      tensors.push_back({source.names[static_cast<size_t>(part)], piece.to(type).contiguous()});
    }
  }
}

absl::Status WriteTensors(const std::string& path, const std::vector<NamedTensor>& tensors, tensor::DType dtype) {
  std::vector<tensor::TensorInfo> infos;
  uint64_t position = 0;
  for (const NamedTensor& entry : tensors) {
    const auto bytes = static_cast<uint64_t>(entry.value.nbytes());
    infos.push_back({entry.name, dtype, entry.value.sizes().vec(), position, position + bytes});
    position += bytes;
  }
  MP_ASSIGN_OR_RETURN(base::AtomicFile file, base::AtomicFile::Create(path));
  MP_RETURN_IF_ERROR(file.Append(tensor::SerializeSafetensorsHeader(infos, {{"format", "pt"}})));
  for (const NamedTensor& entry : tensors) {
    MP_RETURN_IF_ERROR(file.Append({static_cast<const char*>(entry.value.data_ptr()), entry.value.nbytes()}));
  }
  return file.Commit();
}

std::string PreprocessorJson(int64_t image_size) {
  const ordered_json object = {{"crop_size", {{"height", image_size}, {"width", image_size}}},
                               {"do_center_crop", true},
                               {"do_convert_rgb", true},
                               {"do_normalize", true},
                               {"do_rescale", true},
                               {"do_resize", true},
                               {"image_mean", {0.48145466, 0.4578275, 0.40821073}},
                               {"image_processor_type", "CLIPImageProcessor"},
                               {"image_std", {0.26862954, 0.26130258, 0.27577711}},
                               {"resample", 3},
                               {"rescale_factor", 1.0 / 255.0},
                               {"size", {{"shortest_edge", image_size}}}};
  return object.dump(1) + "\n";
}

std::string TokenizerJson(int64_t context_length) {
  const ordered_json object = {
      {"bos_token", "<|startoftext|>"},    {"eos_token", "<|endoftext|>"}, {"pad_token", "<|endoftext|>"},
      {"unk_token", "<|endoftext|>"},      {"do_lower_case", true},        {"model_max_length", context_length},
      {"tokenizer_class", "CLIPTokenizer"}};
  return object.dump(1) + "\n";
}

}  // namespace

absl::Status WriteModel(const std::string& directory, const ModelFiles& files, const tensor::WeightSet& image_weights,
                        const tensor::WeightSet& text_weights, tensor::DType dtype) {
  MP_RETURN_IF_ERROR(base::CreateDirectories(directory));
  MP_RETURN_IF_ERROR(base::WriteFileAtomically(directory + "/config.json", WriteHuggingFaceConfig(files.config)));
  MP_RETURN_IF_ERROR(base::WriteFileAtomically(directory + "/vocab.json", files.vocab_json));
  MP_RETURN_IF_ERROR(base::WriteFileAtomically(directory + "/merges.txt", files.merges_txt));
  MP_RETURN_IF_ERROR(base::WriteFileAtomically(directory + "/preprocessor_config.json",
                                               PreprocessorJson(files.config.vision.image_size)));
  MP_RETURN_IF_ERROR(
      base::WriteFileAtomically(directory + "/tokenizer_config.json", TokenizerJson(files.config.text.context_length)));
  return tensor::Guarded([&]() -> absl::Status {
    const at::NoGradGuard no_grad;
    std::vector<NamedTensor> tensors;
    AppendTensors(image_weights, ScalarTypeOf(dtype), tensors);
    AppendTensors(text_weights, ScalarTypeOf(dtype), tensors);
    return WriteTensors(directory + "/model.safetensors", tensors, dtype);
  });
}

}  // namespace modelpatch::model
