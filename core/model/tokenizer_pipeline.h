// What a `tokenizer.json` says of texts before and after byte-pair encoding, and whether it is what CLIP does.
// Thread safety: a pure function.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/base/status.h"

namespace modelpatch::model {

// `document` is a parsed tokenizer.json, an object. Its normalizer, pre_tokenizer and post_processor must be those that
// Hugging Face's library writes for CLIP (transformers/convert_slow_tokenizer.py, CLIPConverter), or absent: CLIP
// cleans and splits texts in one way, which the file repeats. So files from before that converter knew it pass too,
// whose pre_tokenizer and post_processor are ByteLevel. INVALID_ARGUMENT: TOKENIZER_UNSUPPORTED, with the member's path
// as the field, names what is different.
absl::Status CheckClipPipeline(const nlohmann::json& document);

}  // namespace modelpatch::model
