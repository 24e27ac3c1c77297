// Makes a model that was never trained, for benchmarks and for sizing a deployment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/cancellation.h"
#include "core/base/status.h"

namespace modelpatch::model {

// Writes an OpenCLIP directory, in fp32, of the architecture of that name, with weights as InitializeWeights draws them
// from `seed`, a synthetic vocabulary, and OpenAI's preprocessing. INVALID_ARGUMENT (UNKNOWN_ARCHITECTURE);
// RESOURCE_EXHAUSTED (OUT_OF_MEMORY, DISK_FULL); CANCELLED.
absl::Status WriteRandomModel(const std::string& directory, std::string_view architecture, uint64_t seed,
                              const base::CancellationToken& cancellation);

}  // namespace modelpatch::model
