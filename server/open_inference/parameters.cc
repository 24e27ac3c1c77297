#include "server/open_inference/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/numbers.h"
#include "core/base/text.h"

namespace modelpatch::server {
namespace {

using ::inference::InferParameter;

absl::Status BadParameter(const std::string& name, const std::string& text) {
  return base::WithField(
      base::InvalidArgument("BAD_PARAMETER", fmt::format("the parameter '{}' {}", base::Printable(name), text)),
      fmt::format("parameters.{}", base::Printable(name)));
}

// A JSON list of texts and nothing else: stops at whatever is nested, so that a hostile text costs no more than its own
// length.
class ListReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit ListReader(size_t maximum) : maximum_(maximum) {}

  // One more than `maximum` if there were more.
  std::vector<std::string>& texts() { return texts_; }

  bool string(string_t& value) override {
    if (is_open_ && texts_.size() <= maximum_) texts_.push_back(std::move(value));
    return is_open_;
  }
  bool start_array(std::size_t) override { return !std::exchange(is_open_, true); }
  bool end_array() override { return true; }
  bool null() override { return false; }
  bool boolean(bool) override { return false; }
  bool number_integer(number_integer_t) override { return false; }
  bool number_unsigned(number_unsigned_t) override { return false; }
  bool number_float(number_float_t, const string_t&) override { return false; }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return false; }
  bool key(string_t&) override { return false; }
  bool end_object() override { return false; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  const size_t maximum_;
  bool is_open_ = false;
  std::vector<std::string> texts_;
};

// One more than `maximum` if there are more.
std::vector<std::string> Lines(const std::string& text, size_t maximum) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size() && lines.size() <= maximum;) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const bool has_return = end > begin && text[end - 1] == '\r';
    lines.push_back(text.substr(begin, end - begin - (has_return ? 1 : 0)));
    begin = end + 1;
  }
  return lines;
}

const InferParameter* Find(const InferParameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? nullptr : &found->second;
}

}  // namespace

absl::Status CheckKnownParameters(const InferParameters& parameters, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : parameters) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string names;
    for (const std::string_view one : known) names += fmt::format("{}{}", names.empty() ? "" : ", ", one);
    return base::WithField(
        base::InvalidArgument("UNKNOWN_PARAMETER", fmt::format("there is no parameter '{}' here; known are: {}",
                                                               base::Printable(name), names)),
        fmt::format("parameters.{}", base::Printable(name)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<double>> NumberParameter(const InferParameters& parameters, const std::string& name) {
  const InferParameter* parameter = Find(parameters, name);
  if (parameter == nullptr) return std::optional<double>();
  double value = 0;
  switch (parameter->parameter_choice_case()) {
    case InferParameter::kDoubleParam:
      value = parameter->double_param();
      break;
    case InferParameter::kInt64Param:
      value = static_cast<double>(parameter->int64_param());
      break;
    case InferParameter::kUint64Param:
      value = static_cast<double>(parameter->uint64_param());
      break;
    case InferParameter::kStringParam:
      if (absl::SimpleAtod(parameter->string_param(), &value)) break;
      return BadParameter(name, fmt::format("is '{}', which is no number", base::Printable(parameter->string_param())));
    default:
      return BadParameter(name, "is no number; send a double, an integer or a decimal text");
  }
  if (!std::isfinite(value)) return BadParameter(name, fmt::format("is {}; send a finite number", value));
  return std::optional<double>(value);
}

absl::StatusOr<std::optional<int64_t>> CountParameter(const InferParameters& parameters, const std::string& name) {
  const InferParameter* parameter = Find(parameters, name);
  if (parameter == nullptr) return std::optional<int64_t>();
  int64_t value = 0;
  switch (parameter->parameter_choice_case()) {
    case InferParameter::kInt64Param:
      value = parameter->int64_param();
      break;
    case InferParameter::kUint64Param:
      value = static_cast<int64_t>(
          std::min<uint64_t>(parameter->uint64_param(), static_cast<uint64_t>(std::numeric_limits<int64_t>::max())));
      break;
    case InferParameter::kStringParam:
      if (absl::SimpleAtoi(parameter->string_param(), &value)) break;
      return BadParameter(name,
                          fmt::format("is '{}', which is no integer", base::Printable(parameter->string_param())));
    default:
      return BadParameter(name, "is no integer; send an int64 or a decimal text");
  }
  if (value < 0) return BadParameter(name, fmt::format("is {}; send 0 or a positive number", value));
  return std::optional<int64_t>(value);
}

absl::StatusOr<std::optional<bool>> BoolParameter(const InferParameters& parameters, const std::string& name) {
  const InferParameter* parameter = Find(parameters, name);
  if (parameter == nullptr) return std::optional<bool>();
  if (parameter->parameter_choice_case() == InferParameter::kBoolParam) {
    return std::optional<bool>(parameter->bool_param());
  }
  if (parameter->string_param() == "true") return std::optional<bool>(true);
  if (parameter->string_param() == "false") return std::optional<bool>(false);
  return BadParameter(name, "is neither a bool nor one of the texts true and false");
}

absl::StatusOr<std::optional<std::string>> TextParameter(const InferParameters& parameters, const std::string& name) {
  const InferParameter* parameter = Find(parameters, name);
  if (parameter == nullptr) return std::optional<std::string>();
  if (parameter->parameter_choice_case() != InferParameter::kStringParam) {
    return BadParameter(name, "is no text; send a string_param");
  }
  if (parameter->string_param().empty()) return BadParameter(name, "is empty; leave it out or give its value");
  return std::optional<std::string>(parameter->string_param());
}

absl::StatusOr<std::optional<std::vector<std::string>>> ListParameter(const InferParameters& parameters,
                                                                      const std::string& name, int64_t maximum) {
  MP_ASSIGN_OR_RETURN(const std::optional<std::string> text, TextParameter(parameters, name));
  if (!text.has_value()) return std::optional<std::vector<std::string>>();
  const auto most = static_cast<size_t>(maximum);
  std::vector<std::string> texts;
  const size_t first = text->find_first_not_of(" \t\r\n");
  if (first == std::string::npos || (*text)[first] != '[') {
    texts = Lines(*text, most);
  } else {
    ListReader reader(most);
    if (!nlohmann::json::sax_parse(*text, &reader)) {
      return BadParameter(
          name, "starts with '[' and is no JSON list of texts; send one, or the texts with a newline between");
    }
    texts = std::move(reader.texts());
  }
  if (texts.size() > most) return BadParameter(name, fmt::format("has more than {} texts", maximum));
  return std::optional(std::move(texts));
}

}  // namespace modelpatch::server
