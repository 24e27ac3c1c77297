#include "core/model/config_section.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "core/data/show_json.h"

namespace modelpatch::model {
namespace {

using data::ShowJson;
using nlohmann::json;

constexpr size_t kMaximumBytes = 1 << 20;

}  // namespace

absl::StatusOr<json> ParseConfigDocument(std::string_view text, std::string_view file) {
  if (text.size() > kMaximumBytes) {
    return base::InvalidArgument("MODEL_CONFIG_NOT_JSON", fmt::format("{} has {} bytes; at most {} are allowed", file,
                                                                      text.size(), kMaximumBytes));
  }
  json root = json::parse(text.begin(), text.end(), nullptr, false);
  // The JSON parser takes a NUL for the end of the text; whatever follows would go unseen.
  if (!root.is_object() || text.find('\0') != std::string_view::npos) {
    return base::InvalidArgument("MODEL_CONFIG_NOT_JSON", fmt::format("{} is not a JSON object", file));
  }
  return root;
}

ConfigSection::ConfigSection(std::string_view file, std::string_view path, const json* object)
    : file_(file), path_(path), object_(object) {}

ConfigSection ConfigSection::Child(const char* key) {
  const json* value = Find(key);
  if (value != nullptr && !value->is_object()) {
    Fail(key, fmt::format("is {}; it must be an object", ShowJson(*value)));
    value = nullptr;
  }
  return {file_, path_.empty() ? key : fmt::format("{}.{}", path_, key), value};
}

int64_t ConfigSection::Integer(const char* key, int64_t fallback) {
  const json* value = Find(key);
  if (value == nullptr) return fallback;
  const bool fits = value->is_number_integer() &&
                    !(value->is_number_unsigned() &&
                      value->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
  if (fits) return value->get<int64_t>();
  Fail(key, fmt::format("is {}; it must be an integer", ShowJson(*value)));
  return fallback;
}

double ConfigSection::Number(const char* key, double fallback) {
  const json* value = Find(key);
  if (value == nullptr) return fallback;
  if (value->is_number()) return value->get<double>();
  Fail(key, fmt::format("is {}; it must be a number", ShowJson(*value)));
  return fallback;
}

bool ConfigSection::Boolean(const char* key, bool fallback) {
  const json* value = Find(key);
  if (value == nullptr) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  Fail(key, fmt::format("is {}; it must be true or false", ShowJson(*value)));
  return fallback;
}

std::string ConfigSection::Text(const char* key, std::string_view fallback) {
  const json* value = Find(key);
  if (value == nullptr) return std::string(fallback);
  if (value->is_string()) return value->get<std::string>();
  Fail(key, fmt::format("is {}; it must be a text", ShowJson(*value)));
  return std::string(fallback);
}

Activation ConfigSection::HuggingFaceActivation(const char* key, Activation fallback) {
  const json* value = Find(key);
  if (value == nullptr) return fallback;
  if (*value == "quick_gelu") return Activation::kQuickGelu;
  if (*value == "gelu") return Activation::kGelu;
  if (*value == "gelu_new" || *value == "gelu_pytorch_tanh") return Activation::kGeluTanh;
  Fail(key, fmt::format("is {}; quick_gelu, gelu, gelu_new and gelu_pytorch_tanh are supported", ShowJson(*value)));
  return fallback;
}

const json* ConfigSection::Find(const char* key) const {
  if (object_ == nullptr) return nullptr;
  const auto found = object_->find(key);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

void ConfigSection::Fail(const char* key, std::string_view message) {
  if (!status_.ok()) return;
  const std::string field = path_.empty() ? key : fmt::format("{}.{}", path_, key);
  status_ = base::WithField(
      base::InvalidArgument("MODEL_CONFIG_INVALID", fmt::format("{}: {} {}", file_, field, message)), field);
}

}  // namespace modelpatch::model
