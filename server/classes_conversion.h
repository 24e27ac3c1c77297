// Class prompts and images of a request, checked and made into the engine's.
//
// Pure functions. Errors carry the field's path within the message that was given.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/status.h"
#include "core/model/class_prompts.h"
#include "core/serve/inference_engine.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::server {

// INVALID_ARGUMENT: NO_CLASSES, EMPTY_CLASS_NAME, DUPLICATE_CLASS_NAME, TOO_MANY_CLASSES, PROMPT_TOO_LONG,
// TEXT_NOT_UTF8, TEMPLATE_WITHOUT_CLASS, UNKNOWN_BUILTIN and the other reasons of core/model/class_prompts.h.
absl::StatusOr<std::vector<model::ClassPrompts>> ToClassPrompts(const v1::ClassPrompts& message,
                                                                const model::PromptLimits& limits);

// INVALID_ARGUMENT: IMAGE_EMPTY, BAD_IMAGE_TENSOR (not a whole number of finite floats).
absl::StatusOr<serve::ImageInput> ToImage(const v1::Image& image);

// Those of ToImage; INVALID_ARGUMENT: NO_IMAGES, TOO_MANY_IMAGES.
absl::StatusOr<std::vector<serve::ImageInput>> ToImages(const google::protobuf::RepeatedPtrField<v1::Image>& images,
                                                        int64_t maximum_images);

// INVALID_ARGUMENT: NO_TEXTS, TOO_MANY_TEXTS, TEXT_TOO_LONG, TEXT_NOT_UTF8.
absl::StatusOr<std::vector<std::string>> ToTexts(const google::protobuf::RepeatedPtrField<std::string>& texts,
                                                 const model::PromptLimits& limits);

}  // namespace modelpatch::server
