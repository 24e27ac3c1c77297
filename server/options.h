// ServerOptions: everything that can be set about a server, checked once, before anything starts.
//
// Plain values; pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/base/status.h"
#include "core/model/precision.h"

namespace modelpatch::server {

struct ServerOptions {
  // Where everything lies: metadata, models, tasks, blobs, jobs. Required; made if it is not there.
  std::string data_dir;
  // HOST:PORT; port 0 takes a free one.
  std::string grpc_address = "127.0.0.1:8001";
  std::string http_address = "127.0.0.1:8000";
  // Models and tasks are imported only from below these directories; none: importing by path is refused.
  std::vector<std::string> import_roots;
  // Models are exported only below this directory; empty: exporting to a path is refused.
  std::string export_root;
  // Gets the addresses as JSON once the server serves; empty: no file.
  std::string ready_file;

  // Where inference runs: "cpu", "cuda", "cuda:N", or "auto" for the first CUDA device if there is one.
  std::string device = "auto";
  // Of the image encoder's matrix products in inference.
  model::Precision precision = model::Precision::kFloat32;
  // Threads inside one operator; 0: as many as there are cores.
  int threads = 0;
  // Threads that decode images and fill caches; 0: as many as there are cores.
  int preprocess_threads = 0;

  base::LogFormat log_format = base::LogFormat::kText;
  base::Severity log_level = base::Severity::kInfo;

  // Bytes of resident models, of materialised mixtures, and of zero-shot heads.
  int64_t model_cache_bytes = int64_t{8} << 30;
  int64_t mixture_cache_bytes = int64_t{2} << 30;
  int64_t head_cache_bytes = int64_t{256} << 20;

  // Bytes of one gRPC message; a larger one is RESOURCE_EXHAUSTED.
  int64_t maximum_message_bytes = int64_t{64} << 20;
  // Images of one forward, and images that wait for one; beyond it RESOURCE_EXHAUSTED (QUEUE_FULL).
  int64_t maximum_batch = 64;
  // How long a request may wait for others to share its forward while the device is idle.
  int maximum_batch_delay_milliseconds = 0;
  int64_t maximum_queued_images = 4096;
  // Pixels of one encoded image.
  int64_t maximum_image_pixels = int64_t{64} << 20;
  int64_t maximum_classes = 10'000;
  int64_t maximum_prompt_bytes = 8192;
  // Jobs that have not finished; evaluations and sweeps that run or wait; open watches.
  int64_t maximum_unfinished_jobs = 1000;
  int64_t maximum_evaluations = 16;
  int64_t maximum_watches = 256;
  // Open uploads, downloads and streams of classifications together.
  int64_t maximum_streams = 256;
  // Bytes that uploads may take in the data directory until they are imported, and how long an interrupted one stays.
  int64_t maximum_upload_bytes = int64_t{64} << 30;
  int64_t upload_seconds = 3600;

  // The program that runs steps; empty: `modelpatch-worker` beside this program.
  std::string worker_binary;
  // How long a shutdown waits for requests in flight.
  int drain_seconds = 30;
};

// What a command line asks for: to serve (`options` is set), or to print `text` and leave with `exit_code`.
struct CommandLine {
  std::optional<ServerOptions> options;
  std::string text;
  int exit_code = 0;
};

// `arguments` without the program's name.
CommandLine ParseCommandLine(const std::vector<std::string>& arguments);

// INVALID_ARGUMENT (BAD_OPTION) with the option's name as the field.
absl::Status CheckServerOptions(const ServerOptions& options);

// A parsed HOST:PORT; an IPv6 host in brackets.
struct Address {
  std::string host;
  int port = 0;

  // As it is written in an address bar: brackets around an IPv6 host.
  std::string ToString() const;
};

// INVALID_ARGUMENT (BAD_ADDRESS).
absl::StatusOr<Address> ParseAddress(const std::string& text);

}  // namespace modelpatch::server
