#include "core/model/random_model.h"

#include <utility>

#include "core/model/image_encoder.h"
#include "core/model/initialize.h"
#include "core/model/model_writer.h"
#include "core/model/named_architectures.h"
#include "core/model/synthetic_vocabulary.h"
#include "core/model/text_encoder.h"
#include "core/tensor/guard.h"

namespace modelpatch::model {

absl::Status WriteRandomModel(const std::string& directory, std::string_view architecture, uint64_t seed,
                              const base::CancellationToken& cancellation) {
  ModelFiles files;
  MP_ASSIGN_OR_RETURN(files.config, NamedArchitecture(architecture));
  MP_ASSIGN_OR_RETURN(BpeVocabulary vocabulary, SyntheticVocabulary(files.config.text.vocabulary_size));
  files.vocab_json = std::move(vocabulary.vocab_json);
  files.merges_txt = std::move(vocabulary.merges_txt);
  files.preprocess.image_size = files.config.vision.image_size;
  const auto image_encoder = MakeImageEncoder(files.config.vision, files.config.embedding_width);
  const TextEncoder text_encoder(files.config.text, files.config.embedding_width);
  MP_ASSIGN_OR_RETURN(const auto image_layout, tensor::WeightLayout::Make(image_encoder->WeightSpecs()));
  MP_ASSIGN_OR_RETURN(const auto text_layout, tensor::WeightLayout::Make(text_encoder.WeightSpecs()));
  return tensor::Guarded([&]() -> absl::Status {
    const tensor::WeightSet image_weights(image_layout, tensor::Device());
    const tensor::WeightSet text_weights(text_layout, tensor::Device());
    InitializeWeights(files.config, seed, image_weights, text_weights);
    MP_RETURN_IF_ERROR(cancellation.Check());
    return WriteOpenClipModel(directory, files, image_weights, text_weights, tensor::DType::kFloat32);
  });
}

}  // namespace modelpatch::model
