// A vocabulary for models that were never trained. Torch-free. Thread safety: pure.
#pragma once

#include <cstdint>

#include "core/base/status.h"
#include "core/model/bpe_tables.h"

namespace modelpatch::model {

// A vocabulary of `size` entries in CLIP's form: bytes, and as many pieces of two, three and four of the letters a to z
// as fit. Every text can be encoded, at about three letters a token. INVALID_ARGUMENT (VOCABULARY_SIZE) unless `size`
// is from 514 to 500,000.
absl::StatusOr<BpeVocabulary> SyntheticVocabulary(int64_t size);

}  // namespace modelpatch::model
