#include "server/classes_conversion.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "core/base/text.h"
#include "core/data/prompt_templates.h"

namespace modelpatch::server {
namespace {

static_assert(std::endian::native == std::endian::little,
              "image tensors travel little-endian and are copied as they are");

absl::StatusOr<std::vector<model::ClassPrompts>> Expand(const v1::ClassPrompts::Names& names,
                                                        const model::PromptLimits& limits) {
  const std::vector<std::string> class_names(names.class_names().begin(), names.class_names().end());
  std::vector<std::string> templates;
  if (names.templates_size() > 0) {
    MP_ASSIGN_OR_RETURN(templates, data::ExpandTemplates({names.templates().begin(), names.templates().end()}));
  }
  return model::ExpandClassPrompts(class_names, templates, limits);
}

}  // namespace

absl::StatusOr<serve::ImageInput> ToImage(const v1::Image& image) {
  serve::ImageInput input;
  switch (image.data_case()) {
    case v1::Image::kEncoded:
      if (image.encoded().empty()) {
        return base::WithField(
            base::InvalidArgument(
                "IMAGE_EMPTY",
                "the image has no bytes; send a whole image file (JPEG, PNG, WebP, GIF, TIFF, BMP, PPM)"),
            "encoded");
      }
      input.encoded = image.encoded();
      return input;
    case v1::Image::kTensor: {
      const std::string& bytes = image.tensor();
      if (bytes.empty() || bytes.size() % sizeof(float) != 0) {
        return base::WithField(
            base::InvalidArgument(
                "BAD_IMAGE_TENSOR",
                fmt::format("the tensor has {} bytes, which are no float32 [3, H, W] of the model's size",
                            bytes.size())),
            "tensor");
      }
      input.pixels.resize(bytes.size() / sizeof(float));
      std::memcpy(input.pixels.data(), bytes.data(), bytes.size());
      for (const float value : input.pixels) {
        if (std::isfinite(value)) continue;
        return base::WithField(
            base::InvalidArgument("BAD_IMAGE_TENSOR", "the tensor holds a NaN or an infinity; send finite values"),
            "tensor");
      }
      return input;
    }
    case v1::Image::DATA_NOT_SET:
      break;
  }
  return base::InvalidArgument("IMAGE_EMPTY", "the image has no data; set `encoded` or `tensor`");
}

absl::StatusOr<std::vector<model::ClassPrompts>> ToClassPrompts(const v1::ClassPrompts& message,
                                                                const model::PromptLimits& limits) {
  switch (message.form_case()) {
    case v1::ClassPrompts::kNames: {
      auto classes = Expand(message.names(), limits);
      if (!classes.ok()) return base::WithField(classes.status(), "names");
      return classes;
    }
    case v1::ClassPrompts::kPrompted: {
      std::vector<model::ClassPrompts> classes;
      classes.reserve(message.prompted().classes_size());
      for (const auto& one : message.prompted().classes()) {
        classes.push_back({one.name(), {one.prompts().begin(), one.prompts().end()}});
      }
      if (const absl::Status status = model::CheckClassPrompts(classes, limits); !status.ok()) {
        return base::WithField(status, "prompted");
      }
      return classes;
    }
    case v1::ClassPrompts::FORM_NOT_SET:
      break;
  }
  return base::InvalidArgument(
      "NO_CLASSES", "the request has no class prompts; set `names` with at least one class name, or `prompted`");
}

absl::StatusOr<std::vector<serve::ImageInput>> ToImages(const google::protobuf::RepeatedPtrField<v1::Image>& images,
                                                        int64_t maximum_images) {
  if (images.empty()) {
    return base::WithField(base::InvalidArgument("NO_IMAGES", "the request has no image; send at least one"), "images");
  }
  if (images.size() > maximum_images) {
    return base::WithField(
        base::InvalidArgument("TOO_MANY_IMAGES", fmt::format("the request has {} images; send at most {} at once",
                                                             images.size(), maximum_images)),
        "images");
  }
  std::vector<serve::ImageInput> inputs;
  inputs.reserve(images.size());
  for (int i = 0; i < images.size(); ++i) {
    auto input = ToImage(images[i]);
    if (!input.ok()) return base::WithField(input.status(), fmt::format("images[{}]", i));
    inputs.push_back(*std::move(input));
  }
  return inputs;
}

absl::StatusOr<std::vector<std::string>> ToTexts(const google::protobuf::RepeatedPtrField<std::string>& texts,
                                                 const model::PromptLimits& limits) {
  if (texts.empty()) {
    return base::WithField(
        base::InvalidArgument("NO_TEXTS", "the request has no text; send at least one, which may be empty"), "texts");
  }
  if (texts.size() > limits.maximum_classes) {
    return base::WithField(
        base::InvalidArgument("TOO_MANY_TEXTS", fmt::format("the request has {} texts; send at most {} at once",
                                                            texts.size(), limits.maximum_classes)),
        "texts");
  }
  for (int i = 0; i < texts.size(); ++i) {
    const std::string field = fmt::format("texts[{}]", i);
    if (static_cast<int64_t>(texts[i].size()) > limits.maximum_prompt_bytes) {
      return base::WithField(
          base::InvalidArgument("TEXT_TOO_LONG", fmt::format("the text has {} bytes; at most {} are allowed",
                                                             texts[i].size(), limits.maximum_prompt_bytes)),
          field);
    }
    if (!base::IsValidUtf8(texts[i])) {
      return base::WithField(
          base::InvalidArgument("TEXT_NOT_UTF8", fmt::format("'{}' is not valid UTF-8", base::Printable(texts[i]))),
          field);
    }
  }
  return std::vector<std::string>(texts.begin(), texts.end());
}

}  // namespace modelpatch::server
