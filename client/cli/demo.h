// The demo: the main job from end to end, told as it goes.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace modelpatch::client {

class Session;

struct DemoOptions {
  std::string server_binary;
  // A Hugging Face CLIP directory.
  std::string model_directory;
  // *.png in it are classified at the end; may be missing.
  std::string images_directory;
  int64_t seed = 0;
  bool keep = false;
  // Empty: no file.
  std::string json_file;
  int32_t steps = 300;
  int32_t batch_size = 64;
  double learning_rate = 3e-4;
  double epsilon_points = 0.5;
};

// Starts a server with a temporary data directory, imports the model, makes two generated tasks, patches, shows the α
// curve and what the patch gains and costs on test data, classifies some images, and ends the server unless `keep`.
// However it ends, also by Ctrl-C, neither the server nor its directory stays behind unless `keep`.
absl::Status RunDemo(Session& session, const DemoOptions& options);

}  // namespace modelpatch::client
