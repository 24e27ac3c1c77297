// The end of the demo: images, classified with freely chosen class names at three values of α.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client {

class Session;

// Prints the best class of the *.png files in `directory` (the first 8 by name) at α = 0, at the job's α, and at 1. The
// classes are those of both tasks together, which no task asks for. Says so and returns OK if there are no images.
absl::Status ClassifyDemoImages(Session& session, const std::string& directory, const v1::PatchJob& job,
                                const v1::Task& patching, const v1::Task& supported);

}  // namespace modelpatch::client
