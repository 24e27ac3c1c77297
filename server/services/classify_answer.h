// Scores as messages, and how large they can become.
//
// Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/status.h"
#include "core/model/class_prompts.h"
#include "core/serve/scores.h"
#include "modelpatch/v1/inference_service.pb.h"
#include "server/options.h"

namespace modelpatch::server {

model::PromptLimits PromptLimitsOf(const ServerOptions& options);

// INVALID_ARGUMENT (BAD_TOP_K) with the field `top_k`.
absl::Status CheckTopK(int64_t top_k);

void FillScores(const std::vector<serve::ClassScore>& scores, const std::vector<std::string>& class_names,
                v1::ClassifyResult* message);

v1::ProbabilityKind ProbabilityKindOf(bool is_sigmoid);

// An upper bound of the bytes of that many images' scores.
int64_t ScoreBytes(int64_t images, const std::vector<std::string>& class_names, int64_t top_k);

// INVALID_ARGUMENT (RESPONSE_TOO_LARGE) with the field `top_k` if that is more than a message may have.
absl::Status CheckScoreBytes(int64_t bytes, const ServerOptions& options);

}  // namespace modelpatch::server
