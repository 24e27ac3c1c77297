// ConfigSection: one object of a foreign JSON config, read member by member.
//
// The first error is kept and reading goes on with fallbacks, so that the caller checks once. A member that is null
// counts as left out, and so does everything in a section that is not there. One thread uses it; the document outlives
// it.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "core/model/config.h"

namespace modelpatch::model {

// A JSON object of at most 1 MiB. INVALID_ARGUMENT (MODEL_CONFIG_NOT_JSON) otherwise; `file` is for the message.
absl::StatusOr<nlohmann::json> ParseConfigDocument(std::string_view text, std::string_view file);

class ConfigSection {
 public:
  // `object` may be null: everything is left out. `path` is that of the section within the document, "" for the whole.
  ConfigSection(std::string_view file, std::string_view path, const nlohmann::json* object);

  // The member `key` as a section of its own, which is to be an object.
  ConfigSection Child(const char* key);

  int64_t Integer(const char* key, int64_t fallback);
  double Number(const char* key, double fallback);
  bool Boolean(const char* key, bool fallback);
  std::string Text(const char* key, std::string_view fallback);
  // An activation by the name that Hugging Face's files give it.
  Activation HuggingFaceActivation(const char* key, Activation fallback);
  // The member, whatever it is, or null.
  const nlohmann::json* Find(const char* key) const;
  bool exists() const { return object_ != nullptr; }

  // Keeps an error (MODEL_CONFIG_INVALID, the field being the member's path) unless there is one.
  void Fail(const char* key, std::string_view message);
  // INVALID_ARGUMENT (MODEL_CONFIG_INVALID, with the path of the member).
  const absl::Status& status() const { return status_; }

 private:
  const std::string file_;
  const std::string path_;
  const nlohmann::json* object_;
  absl::Status status_;
};

}  // namespace modelpatch::model
