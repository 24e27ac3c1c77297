// What every inference request carries, and what every answer tells. Plain values.
#pragma once

#include <string>
#include <vector>

#include "core/base/cancellation.h"
#include "core/base/clock.h"
#include "core/base/status.h"
#include "core/patch/mixture.h"

namespace modelpatch::serve {

// A mixture with all names resolved: where the model lies, and blobs by digest.
struct ResolvedMixture {
  std::string model_directory;
  std::vector<patch::MixtureTerm> terms;
};

// Either encoded bytes, or fp32 [3, h, w] of the model's size, already normalised.
struct ImageInput {
  std::string encoded;
  std::vector<float> pixels;
};

struct RequestContext {
  // What has not started by then is dropped with DEADLINE_EXCEEDED.
  base::SteadyTime deadline = base::SteadyTime::max();
  base::CancellationToken cancellation;
  // Who asks: clients are served in turn.
  std::string client;
};

// CANCELLED or DEADLINE_EXCEEDED if nobody waits for the answer any more.
inline absl::Status CheckWanted(const RequestContext& context, base::SteadyTime now) {
  MP_RETURN_IF_ERROR(context.cancellation.Check());
  if (now >= context.deadline) return base::DeadlineExceeded("the deadline passed before the work was done");
  return absl::OkStatus();
}

// Of all parts of a request together, except that its parts wait at the same time: the longest counts.
struct Timings {
  double preprocess_seconds = 0;
  double queue_seconds = 0;
  double inference_seconds = 0;
};

}  // namespace modelpatch::serve
