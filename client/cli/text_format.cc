#include "client/cli/text_format.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace modelpatch::client {
namespace {

// An enumerator's name without the prefix that all of its type have; a number for one that this program does not know.
std::string WithoutPrefix(const std::string& name, const std::string& prefix, int number) {
  if (name.empty()) return std::to_string(number);
  return name.rfind(prefix, 0) == 0 ? name.substr(prefix.size()) : name;
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return c == '_' ? '-' : static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

std::string Percent(double fraction) { return absl::StrFormat("%.1f%%", fraction * 100); }

std::string Points(double difference) {
  const double points = difference * 100;
  // What rounds to zero has no sign.
  return std::abs(points) < 0.05 ? "0.0" : absl::StrFormat("%+.1f", points);
}

std::string Bytes(int64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? absl::StrCat(bytes, " B") : absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string Duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e9) return "?";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
  return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string Time(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0) return "";
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", absl::FromUnixSeconds(time.seconds()), absl::UTCTimeZone());
}

std::string Number(double value) { return absl::StrFormat("%.6g", value); }

std::string ExactNumber(double value) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return {buffer.data(), end};
}

std::string ShortDigest(const std::string& digest) { return digest.substr(0, 12); }

std::string StateName(v1::PatchJobState state) {
  return WithoutPrefix(v1::PatchJobState_Name(state), "PATCH_JOB_STATE_", state);
}
std::string StateName(v1::StepState state) { return WithoutPrefix(v1::StepState_Name(state), "STEP_STATE_", state); }
std::string RoleName(v1::TaskRole role) { return Lower(WithoutPrefix(v1::TaskRole_Name(role), "TASK_ROLE_", role)); }
std::string SplitName(v1::Split split) { return Lower(WithoutPrefix(v1::Split_Name(split), "SPLIT_", split)); }
std::string KindName(v1::CheckpointKind kind) {
  return Lower(WithoutPrefix(v1::CheckpointKind_Name(kind), "CHECKPOINT_KIND_", kind));
}
std::string KindName(v1::StepKind kind) { return Lower(WithoutPrefix(v1::StepKind_Name(kind), "STEP_KIND_", kind)); }
std::string KindName(v1::ComparisonKind kind) {
  return Lower(WithoutPrefix(v1::ComparisonKind_Name(kind), "COMPARISON_KIND_", kind));
}
std::string StrategyName(v1::Strategy strategy) {
  if (strategy == v1::STRATEGY_UNSPECIFIED) return "single";
  return Lower(WithoutPrefix(v1::Strategy_Name(strategy), "STRATEGY_", strategy));
}
std::string FormatName(v1::TaskFormat format) {
  return Lower(WithoutPrefix(v1::TaskFormat_Name(format), "TASK_FORMAT_", format));
}

std::string MixtureText(const v1::Mixture& mixture) {
  std::string text = mixture.model();
  for (const v1::MixtureTerm& term : mixture.terms()) {
    absl::StrAppend(&text, text.empty() ? "" : " + ", Number(term.coefficient()), "·", term.checkpoint());
  }
  return text;
}

std::string WeightsText(const v1::Mixture& mixture, const v1::ResolvedWeights& weights) {
  const std::string text = MixtureText(mixture);
  return weights.patch().empty() ? text : absl::StrCat(weights.patch(), " = ", text);
}

}  // namespace modelpatch::client
