// Where the canonical weights of a CLIP stand in a Hugging Face `CLIPModel` file, and how they are turned.
//
// Torch-free. Pure functions. Source: transformers convert_clip_original_pytorch_to_hf.py and modeling_clip.py.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace modelpatch::model {

// The tensors of a file that make one canonical weight: their rows one after the other, each transposed first if so
// marked.
struct SourceTensors {
  std::vector<std::string> names;
  bool transposed = false;
};

// The source of the canonical weight `name` of either tower; no names if the layout has none for it.
SourceTensors HuggingFaceSource(std::string_view name);

// Tensors that old files carry and that hold nothing: `*.position_ids`.
bool IsIgnoredHuggingFaceTensor(std::string_view name);

}  // namespace modelpatch::model
