#include "server/services/classify_answer.h"

#include <fmt/format.h>

#include <algorithm>

namespace modelpatch::server {

model::PromptLimits PromptLimitsOf(const ServerOptions& options) {
  model::PromptLimits limits;
  limits.maximum_classes = options.maximum_classes;
  limits.maximum_prompt_bytes = options.maximum_prompt_bytes;
  return limits;
}

absl::Status CheckTopK(int64_t top_k) {
  if (top_k >= 0) return absl::OkStatus();
  return base::WithField(
      base::InvalidArgument("BAD_TOP_K",
                            fmt::format("top_k is {}; use a positive number, or 0 for all classes", top_k)),
      "top_k");
}

void FillScores(const std::vector<serve::ClassScore>& scores, const std::vector<std::string>& class_names,
                v1::ClassifyResult* message) {
  message->mutable_scores()->Reserve(static_cast<int>(scores.size()));
  for (const serve::ClassScore& score : scores) {
    auto* one = message->add_scores();
    one->set_class_name(class_names[static_cast<size_t>(score.class_index)]);
    one->set_probability(score.probability);
    one->set_logit(score.logit);
    one->set_cosine(score.cosine);
  }
}

v1::ProbabilityKind ProbabilityKindOf(bool is_sigmoid) {
  return is_sigmoid ? v1::PROBABILITY_KIND_SIGMOID : v1::PROBABILITY_KIND_SOFTMAX;
}

int64_t ScoreBytes(int64_t images, const std::vector<std::string>& class_names, int64_t top_k) {
  // Tags, lengths and three doubles of a ClassScore; tags and lengths of a ClassifyResult.
  constexpr int64_t kScoreBytes = 48;
  constexpr int64_t kImageBytes = 16;
  const auto classes = static_cast<int64_t>(class_names.size());
  int64_t longest = 0;
  int64_t all = 0;
  for (const std::string& name : class_names) {
    longest = std::max(longest, static_cast<int64_t>(name.size()));
    all += static_cast<int64_t>(name.size());
  }
  const int64_t kept = top_k == 0 ? classes : std::min(top_k, classes);
  const int64_t names = std::min(all, kept * longest);
  return images * (kImageBytes + names + kept * kScoreBytes);
}

absl::Status CheckScoreBytes(int64_t bytes, const ServerOptions& options) {
  if (bytes <= options.maximum_message_bytes) return absl::OkStatus();
  return base::WithField(
      base::InvalidArgument("RESPONSE_TOO_LARGE",
                            fmt::format("the scores of these images and classes could take {} bytes, and a message "
                                        "holds {}; set top_k, or send fewer images at once",
                                        bytes, options.maximum_message_bytes)),
      "top_k");
}

}  // namespace modelpatch::server
