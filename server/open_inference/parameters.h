// The parameters of a ModelInfer request, read as what they mean: clients send a number as a double, an integer or a
// text.
//
// Pure functions. Nothing if there is no such parameter; INVALID_ARGUMENT (BAD_PARAMETER) with its path
// (`parameters.alpha`) if it has another type or is out of range.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/status.h"
#include "inference/grpc_predict_v2.pb.h"

namespace modelpatch::server {

using InferParameters = google::protobuf::Map<std::string, ::inference::InferParameter>;

// INVALID_ARGUMENT (UNKNOWN_PARAMETER) for a parameter that is none of `known`.
absl::Status CheckKnownParameters(const InferParameters& parameters, std::initializer_list<std::string_view> known);

// Finite.
absl::StatusOr<std::optional<double>> NumberParameter(const InferParameters& parameters, const std::string& name);
// At least 0.
absl::StatusOr<std::optional<int64_t>> CountParameter(const InferParameters& parameters, const std::string& name);
absl::StatusOr<std::optional<bool>> BoolParameter(const InferParameters& parameters, const std::string& name);
// Not empty.
absl::StatusOr<std::optional<std::string>> TextParameter(const InferParameters& parameters, const std::string& name);
// A JSON list of texts, if it starts with '['; otherwise the lines, of which an empty last one is none. At most
// `maximum`.
absl::StatusOr<std::optional<std::vector<std::string>>> ListParameter(const InferParameters& parameters,
                                                                      const std::string& name, int64_t maximum);

}  // namespace modelpatch::server
