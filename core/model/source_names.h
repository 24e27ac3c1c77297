// SourceNames: under which names the canonical weights of a CLIP stand in the files of a publisher, and how they are
// turned.
//
// The canonical names are OpenAI's own, which OpenCLIP took over. Torch-free. Pure functions. Source: transformers
// convert_clip_original_pytorch_to_hf.py, modeling_clip.py and modeling_siglip.py; open_clip model.py, CLIP and
// CustomTextCLIP.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace modelpatch::model {

enum class SourceNames {
  kHuggingFace,
  // Of a SiglipModel, whose pooling heads a CLIPModel does not have.
  kHuggingFaceSiglip,
  // The canonical names as they are.
  kOpenAi,
  // The same, with those of the text tower behind `text.`.
  kOpenClipCustomText,
};

// The tensors of a file that make one canonical weight: their rows one after the other, each transposed first if so
// marked.
struct SourceTensors {
  std::vector<std::string> names;
  bool transposed = false;
};

// The source of the canonical weight `name` of either tower; no names if these names have none for it.
SourceTensors SourceOf(SourceNames names, std::string_view name);

// Tensors that files carry beside the weights, and that hold nothing or repeat the config: Hugging Face's
// `*.position_ids`; the causal mask `attn_mask`, and the `input_resolution`, `context_length` and `vocab_size` of
// OpenAI's archives.
bool IsIgnoredTensor(SourceNames names, std::string_view name);

}  // namespace modelpatch::model
